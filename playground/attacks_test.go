package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ferry/playground/slack"
)

// besieged is a promotion to prod that Bob asked for and that needs two release
// managers, of whom he is one. Whatever somebody does to it arrives at the unmodified
// ferry as Slack delivers it.
type besieged struct {
	*running
	t        *testing.T
	id       string // of the job
	root     string // of its thread
	question slack.Message
	head     string
	since    string // the timestamp after which ferry's words count
	clicks   int
	turn     int
}

const siege = `roles:
  - {name: developers, users: [U0BOB], commands: [promote, rollback, hold, release], clusters: ["*"]}
approvals:
  - {name: managers, from: [` + managersID + `], quorum: 2, clusters: [prod], namespaces: [payments]}
`

// attack is something that must not get the promotion through. What stops it is said,
// or, where says is empty, nothing is answered at all.
type attack struct {
	name string
	do   func(*besieged)
	says string
}

func attacks() []attack {
	return []attack{
		{"self-approval by the button", func(b *besieged) { b.click("bob") }, "You asked for it: somebody else has to approve it"},
		{"self-approval by a second click", func(b *besieged) { b.forge("U0BOB", nil) }, "You asked for it: somebody else has to approve it"},
		{"self-approval by the word", func(b *besieged) { b.say("bob", "approve "+b.id) }, "You asked for it: somebody else has to approve it"},
		{"an admin who is no release manager", func(b *besieged) { b.group("U0BOB", "U0EVE"); b.say("ada", "approve "+b.id) }, "You are not among those who approve it"},
		{"a click of a guest", func(b *besieged) { b.group(adminID, "U0BOB", "U0EVE", "U0GUEST"); b.forge("U0GUEST", nil) }, "ferry takes no commands from guests"},
		{"a click from another workspace", func(b *besieged) {
			b.forge("U0EVE", func(p map[string]any) { p["team"] = map[string]any{"id": "T9"} })
		}, ""},
		{"a click for another app", func(b *besieged) { b.forge("U0EVE", func(p map[string]any) { p["api_app_id"] = "A9" }) }, ""},
		{"a click of a button that is not ferry's", func(b *besieged) { b.forge("U0EVE", action("action_id", "other/0")) }, ""},
		{"a click of two buttons at once", func(b *besieged) {
			b.forge("U0EVE", func(p map[string]any) { p["actions"] = append(p["actions"].([]any), p["actions"].([]any)...) })
		}, ""},
		{"a click in another channel", func(b *besieged) { b.forge("U0EVE", place("C0GENERAL", "")) }, ""},
		{"a click on another message", func(b *besieged) { b.forge("U0EVE", place("C0DEPLOY", b.root)) }, "That button is no longer valid"},
		{"a button's value that is a command", func(b *besieged) { b.forge("U0EVE", action("value", "approve "+b.id)) }, "That button is no longer valid"},
		{"a button's value with another digest", func(b *besieged) { b.forge("U0EVE", value(b, 2, "000000000000")) }, "That button is no longer valid"},
		{"a button's value with another place", func(b *besieged) { b.forge("U0EVE", value(b, 1, "1")) }, "That button is no longer valid"},
		{"a button's value of another message", func(b *besieged) { b.forge("U0EVE", value(b, 0, "job/"+b.id+"/status")) }, "That button is no longer valid"},
		{"a mention in a shared channel", func(b *besieged) { b.shared(true); b.sayIn("C0GENERAL", "eve", "approve "+b.id) }, "ferry takes no commands in channels that are shared"},
		{"a slash command in a shared channel", func(b *besieged) { b.slash("C0GENERAL", "eve", "approve "+b.id) }, "ferry takes no commands in channels that are shared"},
		{"a message that is edited into an approval", func(b *besieged) { b.shared(false); b.edited("eve", "help approve", "approve "+b.id) }, ""},
		{"a message of a bot", func(b *besieged) { b.event("U0EVE", "bot_id", "B9", "approve "+b.id) }, ""},
		{"a message of another workspace", func(b *besieged) { b.event("U0EVE", "team", "T9", "approve "+b.id) }, ""},
		{"a message of a subtype", func(b *besieged) { b.event("U0EVE", "subtype", "thread_broadcast", "approve "+b.id) }, ""},
		{"whoever asked, renamed to a release manager", func(b *besieged) {
			b.rename(slack.User{ID: "U0BOB", Name: "eve", Real: "Eve Adams"})
			b.say("U0BOB", "approve "+b.id)
			b.rename(slack.User{ID: "U0BOB", Name: "bob", Real: "Bob Builder"})
		}, "You asked for it: somebody else has to approve it"},
		{"a word in letters that look alike", func(b *besieged) { b.say("eve", "\u0430pprove "+b.id) }, "There is no command"},
		{"a cluster in letters that look alike", func(b *besieged) { b.say("bob", "promote ledger@2.3.1 to \u0440rod") }, "has the character"},
		{"a second line", func(b *besieged) { b.say("bob", "status "+b.id+"\napprove "+b.id) }, "A command is one line"},
		{"a command in an app's name", func(b *besieged) { b.say("bob", "promote ledger@2.3.1 to prod despite approval@2.3.1 to prod") }, "approval@2.3.1 is no gate"},
		{"a command in a version", func(b *besieged) { b.say("bob", "promote ledger@2.3.1`;approve to prod") }, "is no version"},
	}
}

// TestAttacksOnAnApproval tries to get a promotion to prod without two release
// managers who did not ask for it, and in the end with them.
func TestAttacksOnAnApproval(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles ferry, which takes more than -short allows")
	}
	r := openWith(t, Options{Ferry: compileFerry(t), Gates: siege})
	r.slack.SetRateLimits(false)
	eventually(t, func() bool { return r.ferry.state() == "running" })
	b := &besieged{running: r, t: t, head: r.headOf(t)}
	b.root = b.sayIn("C0DEPLOY", "bob", "promote ledger@2.3.1 to prod")
	b.asked("it needs 2 approvals of managers and has 0")
	b.named()
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			b.t = t
			b.try(a)
		})
	}
	b.t = t
	t.Run("afterwards", b.afterwards)
}

// try attacks, and sees what stopped it, that nothing was committed, and that nobody's
// approval was counted.
func (b *besieged) try(a attack) {
	b.t.Helper()
	b.mark()
	a.do(b)
	if a.says != "" {
		b.until(a.says)
	} else {
		b.sayIn("ferry", adminID, "holds") // what is asked later is answered later
		b.until("Nothing is held")
		for _, said := range b.said() {
			if !strings.Contains(said, "Nothing is held") && !strings.Contains(said, "agree to the plan") {
				b.t.Errorf("ferry answered %q", said)
			}
		}
	}
	b.t.Logf("%-48s %s", a.name, orSilence(a.says))
	b.unmoved("has 0")
}

func orSilence(says string) string {
	if says == "" {
		return "(dropped, without an answer)"
	}
	return says
}

// unmoved sees that nothing was committed and how many approvals there are.
func (b *besieged) unmoved(has string) {
	b.t.Helper()
	b.mark()
	b.turn++
	b.sayIn("ferry", []string{"bob", "eve", "ada"}[b.turn%3], "status "+b.id) // one a second in each conversation
	b.until(has)
	if now := b.headOf(b.t); now != b.head {
		b.t.Errorf("main went from %s to %s", b.head, now)
	}
}

// afterwards is what happens to approvals that were given, in the order in which it
// does: each step ends where the next begins.
func (b *besieged) afterwards(t *testing.T) {
	b.t = t
	first := b.question
	b.group(adminID, "U0BOB", "U0EVE")

	b.mark()
	b.click("eve")
	b.until("is approved by you")
	b.asked("it needs 2 approvals of managers and has 1")
	b.log("an approval of one of two", "counts, and is not enough")

	b.mark()
	b.press("U0EVE", first, nil)
	b.until("That button is no longer valid", "was asked for already")
	b.click("eve")
	b.until("You have spoken to this plan of job")
	b.unmoved("has 1")
	b.log("a button replayed, and the next one by the same person", "You have spoken to this plan before")

	b.group(adminID, "U0BOB") // Eve leaves, a moment before the second approval
	b.mark()
	b.say("ada", "approve "+b.id)
	b.until("is approved by you")
	b.unmoved("has 1")
	b.log("a group that was changed after the click", "her word counts no more")

	b.group(adminID, "U0BOB", "U0EVE") // she comes back, but what was approved is another plan now
	if _, err := b.repo().Commit(branch, "By hand", map[string]string{"payments/prod/kustomization.yaml": b.byHand(t)}); err != nil {
		t.Fatal(err)
	}
	b.head = b.headOf(t)
	b.group(adminID, "U0BOB", "U0EVE", "U0GUEST")
	old := b.question
	b.mark()
	b.say("bob", "hold ledger on stage because it wakes nobody")
	b.until("is held on stage")
	b.say("eve", "approve "+b.id) // her first word stands, and wakes the job
	b.asked("it needs 2 approvals of managers and has 0")
	b.unmoved("has 0")
	b.log("approvals of an old plan", "the changed plan asks again")

	b.mark()
	b.press("U0EVE", old, nil)
	b.until("That button is no longer valid", "was asked for already")
	b.unmoved("has 0")
	b.log("the button of the old plan", "That button is no longer valid")

	b.mark()
	b.say("bob", "cancel "+b.id)
	b.until("cancelled")
	b.say("eve", "retry "+b.id)
	b.until("You may not promote ledger on prod")
	b.sayIn("C0DEPLOY", "bob", "retry "+b.id)
	b.asked("it needs 2 approvals of managers and has 0")
	b.named()
	b.unmoved("has 0")
	b.log("retry of somebody's job, and of one's own", "a role is needed, and the new job asks for all approvals")

	last := b.id
	b.sayIn("C0DEPLOY", "bob", "promote ledger@2.3.1 to prod despite approval because I say so")
	eventually(t, func() bool { b.asked("it needs 2 approvals of managers and has 0"); b.named(); return b.id != last })
	b.unmoved("has 0")
	b.log("break-glass without the right", "it needs 2 approvals of managers and has 0")

	b.click("eve")
	b.asked("it needs 2 approvals of managers and has 1")
	b.click("ada")
	eventually(t, func() bool { return b.headOf(t) != b.head })
	log, err := b.repo().Log(branch)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Ferry-Approved-By: U0EVE eve, U0ADA ada", "Ferry-Requester: U0BOB bob"} {
		if !strings.Contains(log[0].Message, want) {
			t.Errorf("the commit does not say %q:\n%s", want, log[0].Message)
		}
	}
	b.log("two release managers who did not ask", "it is committed, and the commit names them")
}

// named learns the job's ID from the question.
func (b *besieged) named() {
	_, id, _ := strings.Cut(b.question.Text, "reject ")
	b.id, _, _ = strings.Cut(id, " ")
}

func (b *besieged) log(what, stopped string) { b.t.Logf("%-48s %s", what, stopped) }

// byHand is what somebody else makes of the version on prod.
func (b *besieged) byHand(t *testing.T) string {
	t.Helper()
	text, err := b.repo().ReadFile(branch, "payments/prod/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(text, "2.3.0", "2.2.0")
}

// mark begins what is said anew.
func (b *besieged) mark() {
	b.t.Helper()
	for _, m := range b.everything() {
		b.since = max(b.since, m.TS)
	}
}

func (b *besieged) everything() (out []slack.Message) {
	b.t.Helper()
	for _, c := range []string{"C0DEPLOY", "C0GENERAL", "D0ADA0FERRY", "D0BOB0FERRY", "D0EVE0FERRY"} {
		all, err := b.slack.Messages(c, "")
		if err != nil {
			b.t.Fatal(err)
		}
		out = append(out, all...)
	}
	return out
}

// said are the messages of ferry's since the mark, as notifications show them.
func (b *besieged) said() (out []string) {
	b.t.Helper()
	for _, m := range b.everything() {
		if m.User == "U0FERRY" && m.TS > b.since {
			out = append(out, strings.ReplaceAll(m.Text, "`", ""))
		}
	}
	return out
}

// until waits until ferry has said one of some words since the mark.
func (b *besieged) until(words ...string) {
	b.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		for _, said := range b.said() {
			if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(said, w) }) {
				return
			}
		}
		if time.Now().After(end) {
			b.t.Fatalf("ferry did not say %q, but %q", words, b.said())
		}
	}
}

// asked waits for the open question that says so.
func (b *besieged) asked(lacking string) {
	b.t.Helper()
	eventually(b.t, func() bool {
		all, err := b.slack.Messages("C0DEPLOY", "")
		if err != nil {
			b.t.Fatal(err)
		}
		for i := len(all) - 1; i >= 0; i-- {
			text := strings.ToLower(strings.ReplaceAll(all[i].Text, "`", ""))
			if strings.Contains(text, "waits for approval") && strings.Contains(text, lacking) && strings.Contains(string(all[i].Blocks), `"actions"`) {
				b.question = all[i]
				return true
			}
		}
		return false
	})
}
