package jobs

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// TestWhatIsTriedIsNotOfferedForGood: what is named instead of a command that was
// refused ends as that did.
func TestWhatIsTriedIsNotOfferedForGood(t *testing.T) {
	w := newWorld()
	w.refuse = fault.Newf(fault.Refused, "podinfo on prod shares its version with others").WithChoices("promote podinfo@6.5.4 to prod pin", "podinfo")
	b := newBench(t, w)
	b.options.Planner = w
	b.cmd.Args.Mode, b.cmd.Args.Gate, b.cmd.Args.Reason = "--dry-run", "freeze", "it burns"
	_, err := b.command("promote").Work.(promote).Preview(t.Context(), b.cmd)
	e, _ := errors.AsType[*fault.Error](err)
	want := []string{"promote podinfo@6.5.4 to prod pin --dry-run despite freeze because it burns", "podinfo"}
	if e == nil || !slices.Equal(e.Choices, want) {
		t.Errorf("%+v, want the choices %q", err, want)
	}

	w = newWorld()
	b = newTogether(t, w)
	other := w.apps["dev"][0]
	other.App.Namespace = "other"
	w.apps["dev"] = append(w.apps["dev"], other)
	b.cmd.Text += " --dry-run despite freeze because with care"
	b.cmd.Args.Targets, b.cmd.Args.Mode, b.cmd.Args.Gate, b.cmd.Args.Reason = "stage,dev/worker", "--dry-run", "freeze", "with care"
	_, err = b.command("promote").Work.(promote).Preview(t.Context(), b.cmd)
	if e, _ := errors.AsType[*fault.Error](err); e == nil || len(e.Choices) != 2 || e.Choices[0] != "promote podinfo@6.5.4 to prod with stage, dev/apps/worker --dry-run despite freeze because with care" {
		t.Errorf("a target that may be two: %+v, %q", err, e.Choices)
	}
}

// TestAnOfferOfAllPassesTheSameGates as the command that was refused.
func TestAnOfferOfAllPassesTheSameGates(t *testing.T) {
	w := newWorld()
	b := newTogether(t, w)
	w.refuse = fault.Newf(fault.Refused, "podinfo on prod shares its version with others").WithChoices("promote podinfo@6.5.4 to prod pin")
	w.sharing = []deploy.Target{w.apps["stage"][0].Target}
	b.cmd.Args.Targets, b.cmd.Args.Gate, b.cmd.Args.Reason = "", "freeze", "it burns"
	_, err := b.run()
	e, _ := errors.AsType[*fault.Error](err)
	b.options.Planner, b.cmd.Args.Mode = w, "--dry-run"
	_, err2 := b.command("promote").Work.(promote).Preview(t.Context(), b.cmd)
	tried, _ := errors.AsType[*fault.Error](err2)
	if want := (fault.Offer{Command: "promote podinfo@6.5.4 to prod with stage --dry-run despite freeze because it burns", Label: "Try all 2"}); tried == nil || len(tried.Offers) != 1 || tried.Offers[0] != want {
		t.Errorf("a dry run: %+v", err2)
	}
	if e == nil || len(e.Offers) != 1 || e.Offers[0].Command != "promote podinfo@6.5.4 to prod with stage despite freeze because it burns" ||
		!slices.Equal(e.Choices, []string{"promote podinfo@6.5.4 to prod pin despite freeze because it burns"}) {
		t.Errorf("%+v", err)
	}
}

// TestADryRunOfSeveral names them all, and of an unpin that nothing moves.
func TestADryRunOfSeveral(t *testing.T) {
	w := newWorld()
	b := newTogether(t, w)
	b.options.Planner = w
	b.cmd.Args.Mode = "--dry-run"
	m, err := b.command("promote").Work.(promote).Preview(t.Context(), b.cmd)
	if err != nil || m.Title != "podinfo would go from `6.5.3` to `6.5.4` on prod, stage and dev/worker" {
		t.Errorf("answer %+v, %v", m, err)
	}
	u := newUnpin(t, newWorld())
	u.options.Planner, u.options.Gate = u.world, &keeper{}
	u.cmd.Args.Mode = "--dry-run"
	m, err = u.command("unpin").Work.(unpin).Preview(t.Context(), u.cmd)
	if err != nil || m.Title != "The pin of podinfo on prod would go, and it would stay at `6.5.4`" || !strings.Contains(strings.Join(m.Lines, "\n"), "No gate would stop you now.") {
		t.Errorf("answer %+v, %v", m, err)
	}
}

// TestAnUnpinIsGated as what moves a version is.
func TestAnUnpinIsGated(t *testing.T) {
	b := newUnpin(t, newWorld())
	b.options.Gate = &keeper{refuse: frozen}
	if _, err := b.run(); !fault.Is(err, fault.Refused) || len(b.commits) != 0 {
		t.Errorf("ended with %v, %d commits", err, len(b.commits))
	}
	if !slices.ContainsFunc(List(b.options), func(c Command) bool { return c.Syntax.Verb == chat.Verb("unpin") && c.Syntax.Gated }) {
		t.Error("no gate stands before unpin at admission")
	}
}
