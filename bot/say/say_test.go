package say

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"ferry/internal/chat"
	"ferry/internal/fault"
)

func TestFaultsAreToldInTheirOwnWords(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("plan: %w", fault.New(fault.Ambiguous, "two apps are called `worker`", "name the namespace").
		WithChoices("promote a/worker@1 to prod", "promote b/worker@1 to prod").Because(errors.New("secret detail")))
	want := chat.Message{
		Tone: chat.Refused, Title: "Two apps are called `worker`", Final: true,
		Lines: []string{"Name the namespace.", "• `promote a/worker@1 to prod`", "• `promote b/worker@1 to prod`"},
		Buttons: []chat.Button{
			{Label: "a/worker@1", Command: "promote a/worker@1 to prod", Confirm: "This sends “promote a/worker@1 to prod” to ferry."},
			{Label: "b/worker@1", Command: "promote b/worker@1 to prod", Confirm: "This sends “promote b/worker@1 to prod” to ferry."},
		},
	}
	if got := Error(err); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestSentences(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"say which one is meant":   "Say which one is meant.",
		"ferry goes on trying":     "ferry goes on trying.",
		"prod-eu does not answer":  "prod-eu does not answer.",
		"`list` shows them":        "`list` shows them.",
		"GitHub has trouble":       "GitHub has trouble.",
		"was it meant so?":         "Was it meant so?",
		"for example, ask again …": "For example, ask again …",
		"äpfel":                    "äpfel.",
	} {
		if got := sentence(in); got != want {
			t.Errorf("%q reads %q, want %q", in, got, want)
		}
	}
}

func TestTitlesAreShortAndLinesAreSentences(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 60)
	for _, c := range []struct {
		err   *fault.Error
		title string
		lines []string
	}{
		{fault.New(fault.Refused, "nothing was found.", "look again\nask somebody who knows?"), "Nothing was found", []string{"Look again.", "Ask somebody who knows?"}},
		{
			fault.New(fault.Refused, "`a/b.yaml:7` is shared: changing it for "+long+" on prod would also change stage", "give it its own"),
			"`a/b.yaml:7` is shared",
			[]string{"Changing it for " + long + " on prod would also change stage.", "Give it its own."},
		},
		{fault.New(fault.Refused, "`a: "+long+long+"` is shared", ""), "`a: " + long + long + "` is shared", nil},
		{fault.New(fault.Stale, "prod does not answer: connection refused", ""), "prod does not answer: connection refused", nil},
		{fault.New(fault.Stale, "ferry may not: ferry has no right", "ferry goes on trying"), "ferry may not: ferry has no right", []string{"ferry goes on trying."}},
	} {
		if m := Error(c.err); m.Title != c.title || !reflect.DeepEqual(m.Lines, c.lines) {
			t.Errorf("%q, %q\nreads %q, %q\nwant  %q, %q", c.err.Says, c.err.Help, m.Title, m.Lines, c.title, c.lines)
		}
	}
}

// TestWhatWasMeantComesFirst is for what was mistyped; what was understood and
// is refused has its reason first.
func TestWhatWasMeantComesFirst(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind    fault.Kind
		choices []string
		want    []string
	}{
		{fault.Invalid, []string{"list"}, []string{"Did you mean `list`?", "The commands are `list`."}},
		{fault.NotFound, []string{"list", "list on dev"}, []string{"Did you mean one of these?", "• `list`", "• `list on dev`", "The commands are `list`."}},
		{fault.Ambiguous, []string{"list"}, []string{"The commands are `list`.", "• `list`"}},
		{fault.Invalid, nil, []string{"The commands are `list`."}},
	} {
		if m := Error(fault.New(c.kind, "x", "the commands are `list`").WithChoices(c.choices...)); !reflect.DeepEqual(m.Lines, c.want) {
			t.Errorf("%s %q reads %q, want %q", c.kind, c.choices, m.Lines, c.want)
		}
	}
}

func TestButtonsAreCalledByWhatDiffers(t *testing.T) {
	t.Parallel()
	for want, choices := range map[string][]string{
		"Do that":                             {"promote a@1 to prod"},
		"chart|image":                         {"promote a@1 chart to prod", "promote a@1 image to prod"},
		"list on prod|list on prod in x":      {"list on prod", "list on prod in x"},
		"list|status":                         {"list", "status"},
		"a@1 to prod|b@1 to stage|c@1 to dev": {"promote a@1 to prod", "promote b@1 to stage", "promote c@1 to dev"},
	} {
		var got []string
		for i, b := range Error(fault.New(fault.Ambiguous, "x", "").WithChoices(choices...)).Buttons {
			got = append(got, b.Label)
			if b.Command != choices[i] {
				t.Errorf("%q asks for %q", b.Label, b.Command)
			}
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%q are called %q, want %q", choices, got, want)
		}
	}
	if b := Error(fault.New(fault.NotFound, "x", "").WithChoices("list")).Buttons; len(b) != 1 || b[0].Label != "Yes, that" {
		t.Errorf("the answer to what may have been meant is %+v", b)
	}
}

func TestOtherErrorsAreNotShown(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		errors.New("dial 10.0.0.1: secret detail"),
		fault.New(fault.Internal, "secret detail", "secret detail"),
		fmt.Errorf("secret detail: %w", context.DeadlineExceeded),
	} {
		m := Error(err)
		if m.Tone != chat.Failure || m.Title == "" || strings.Contains(fmt.Sprint(m), "secret") {
			t.Errorf("%v reads %+v", err, m)
		}
	}
	if m := Error(nil); m.Title != "" {
		t.Errorf("no error reads %+v", m)
	}
}

func TestNamesKeepTheirCase(t *testing.T) {
	t.Parallel()
	for says, want := range map[string]string{
		"podinfo is on prod already": "podinfo is on prod already",
		"there is no app `x`":        "There is no app `x`",
		"`x` is no app":              "`x` is no app",
	} {
		if got := Error(fault.New(fault.Invalid, says, "")).Title; got != want {
			t.Errorf("%q reads %q, want %q", says, got, want)
		}
	}
}

// TestOffersHaveTheirOwnWords shows them behind the choices, which are then called
// by what tells them apart.
func TestOffersHaveTheirOwnWords(t *testing.T) {
	t.Parallel()
	err := fault.New(fault.Refused, "shared", "").WithChoices("promote a@1 to prod pin")
	err.Offers = []fault.Offer{{Command: "promote a@1 to prod with stage", Label: "Promote all 2", Confirm: "On prod and stage."}}
	m := Error(err)
	want := []chat.Button{
		{Label: "pin", Command: "promote a@1 to prod pin", Confirm: "This sends “promote a@1 to prod pin” to ferry."},
		{Label: "Promote all 2", Command: "promote a@1 to prod with stage", Confirm: "On prod and stage."},
	}
	if !reflect.DeepEqual(m.Buttons, want) || !reflect.DeepEqual(m.Lines, []string{"• `promote a@1 to prod pin`", "• `promote a@1 to prod with stage`"}) {
		t.Errorf("reads %q with %+v", m.Lines, m.Buttons)
	}
}
