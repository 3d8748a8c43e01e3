package gate

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// house are rules with one of everything.
func house(t testing.TB) *Rules {
	verbs := []chat.Verb{"promote", "rollback"}
	return &Rules{
		Admins: users("U-admin"), Changes: append(slices.Clone(verbs), "hold"), Gated: verbs,
		Roles: []Grant{
			{Name: "devs", People: users("U-dev"), Scope: Scope{Commands: []string{"promote", "rollback"}, Clusters: []string{"prod*"}, Apps: []string{"pod*"}, Namespaces: []string{"apps"}}},
			{Name: "oncall", People: People{Groups: []chat.GroupID{"S-oncall"}}, Passes: []Kind{Freeze, Hold}, Scope: Scope{Commands: []string{"promote"}, Clusters: []string{"prod"}}},
		},
		Freezes: []Calendar{{
			Name: "weekend", Zone: zone(t, "Europe/Berlin"), When: []deploy.Window{weekly(time.Friday, clock(16, 0), time.Monday, clock(8, 0))},
			Scope: Scope{Clusters: []string{"prod"}, Commands: []string{"promote"}},
		}},
		Approvals: []Quorum{{
			Name: "leads", From: People{Users: []chat.UserID{"U-admin", "U-dev"}, Groups: []chat.GroupID{"S-leads"}}, Needs: 2, Expires: 24 * time.Hour,
			Scope: Scope{Clusters: []string{"prod"}},
		}},
	}
}

var midweek = time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC)

// lead is an approval of a plan by somebody in S-leads, an hour before.
func lead(id chat.UserID, hash string, at time.Time) Voice {
	return Voice{
		Approval: deploy.Approval{Job: "j1", Plan: hash, By: string(id), At: at.Add(-time.Hour)},
		Who:      chat.Person{ID: id, Groups: []chat.GroupID{"S-leads"}},
	}
}

func kinds(reasons []Reason) string {
	out := make([]string, len(reasons))
	for i, r := range reasons {
		out[i] = string(r.Kind)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// TestRoleByGateByTimeByPlan tries every combination. What is expected is said in the
// tables, never computed as the gates do.
func TestRoleByGateByTimeByPlan(t *testing.T) {
	rules, prod := house(t), target("prod", "apps", "podinfo")
	roles := []struct {
		name   string
		who    chat.Person
		reason string // of being who they are
		passes string
	}{
		{"nobody", chat.Person{ID: "U-nobody"}, "role", ""},
		{"a developer", chat.Person{ID: "U-dev"}, "", ""},
		{"on call", chat.Person{ID: "U-oncall", Groups: []chat.GroupID{"S-oncall"}}, "", "freeze hold"},
		{"an admin", chat.Person{ID: "U-admin"}, "", "freeze hold approval"},
		{"an admin who became a guest", chat.Person{ID: "U-admin", Guest: true}, "person", "freeze hold approval"},
		{"an admin of another workspace", chat.Person{ID: "U-admin", Foreign: true}, "person", "freeze hold approval"},
	}
	times := []struct {
		name   string
		at     string
		frozen bool
	}{
		{"midweek", "2026-11-18T12:00:00Z", false},
		{"before a weekend of the switch in autumn", "2026-10-23T13:59:59Z", false},
		{"at its beginning, in summer time", "2026-10-23T14:00:00Z", true},
		{"at the switch", "2026-10-25T01:00:00Z", true},
		{"at its end, in winter time", "2026-10-26T06:59:59Z", true},
		{"after it", "2026-10-26T07:00:00Z", false},
		{"before a weekend of the switch in spring", "2027-03-26T14:59:59Z", false},
		{"at its beginning, in winter time", "2027-03-26T15:00:00Z", true},
		{"at the other switch", "2027-03-28T01:00:00Z", true},
		{"at its end, in summer time", "2027-03-29T05:59:59Z", true},
		{"after that", "2027-03-29T06:00:00Z", false},
	}
	glasses := []Glass{
		{},
		{Gates: []Kind{Freeze}, Reason: "it burns"},
		{Gates: []Kind{Hold}, Reason: "it burns"},
		{Gates: []Kind{Approval}, Reason: "it burns"},
		{Gates: []Kind{Freeze, Hold, Approval}, Reason: "it burns"},
		{Gates: []Kind{Freeze, Hold, Approval}},
		{Gates: []Kind{Person, Role}, Reason: "let me in"},
	}
	tried := 0
	for _, role := range roles {
		for _, when := range times {
			at, err := time.Parse(time.RFC3339, when.at)
			if err != nil {
				t.Fatal(err)
			}
			for _, held := range []bool{false, true} {
				for _, approved := range []string{"", "this plan", "another plan", "by one", "by one and whoever asked"} {
					for _, glass := range glasses {
						f := Facts{Who: role.who, Verb: "promote", Targets: []deploy.Target{prod}, Version: "2", At: at, Plan: Plan{Hash: "h"}, Glass: glass}
						closed := []string{}
						if when.frozen {
							closed = append(closed, "freeze")
						}
						if held {
							f.Holds = []deploy.Hold{{Target: prod, By: "U-x", Reason: "no"}}
							closed = append(closed, "hold")
						}
						switch approved {
						case "this plan":
							f.Approvals = []Voice{lead("U-1", "h", at), lead("U-2", "h", at)}
						case "another plan":
							f.Approvals = []Voice{lead("U-1", "g", at), lead("U-2", "g", at)}
							closed = append(closed, "approval")
						case "by one":
							f.Approvals = []Voice{lead("U-1", "h", at), lead("U-2", "g", at)}
							closed = append(closed, "approval")
						case "by one and whoever asked":
							own := lead(role.who.ID, "h", at)
							f.Approvals = []Voice{lead("U-1", "h", at), own}
							closed = append(closed, "approval")
						default:
							closed = append(closed, "approval")
						}
						var reasons, passed []string
						if role.reason != "" {
							reasons = append(reasons, role.reason)
						}
						for _, k := range closed {
							if glass.Reason != "" && slices.Contains(glass.Gates, Kind(k)) && slices.Contains(strings.Fields(role.passes), k) {
								passed = append(passed, k)
							} else {
								reasons = append(reasons, k)
							}
						}
						slices.Sort(reasons)
						slices.Sort(passed)
						v := Decide(rules, &f)
						tried++
						if kinds(v.Reasons) != strings.Join(reasons, " ") || kinds(v.Passed) != strings.Join(passed, " ") || v.Allowed() != (len(reasons) == 0) {
							t.Fatalf("%s, %s, held %v, approved %q, %+v: %s against it, %s passed; want %v and %v", role.name, when.name, held, approved, glass, kinds(v.Reasons), kinds(v.Passed), reasons, passed)
						}
						if waits := len(reasons) > 0 && strings.Trim(strings.Join(reasons, " "), " ") == "approval"; v.Waits() != waits {
							t.Fatalf("%s, %s: waits %v for %v", role.name, when.name, v.Waits(), reasons)
						}
						if again := Decide(rules, &f); !reflect.DeepEqual(again, v) {
							t.Fatalf("%s: decided otherwise the second time", role.name)
						}
					}
				}
			}
		}
	}
	if tried != 6*11*2*5*7 {
		t.Errorf("%d combinations were tried", tried)
	}
}

// TestApprovalsThatAreNone is the list of attacks on a quorum of two.
func TestApprovalsThatAreNone(t *testing.T) {
	rules, prod := house(t), target("prod", "apps", "podinfo")
	good := lead("U-1", "h", midweek)
	with := func(change func(*Voice)) Voice {
		v := lead("U-2", "h", midweek)
		change(&v)
		return v
	}
	for _, c := range []struct {
		name  string
		given []Voice
		has   int // -1: nothing is missing
	}{
		{"nobody", nil, 0},
		{"two leads", []Voice{good, lead("U-2", "h", midweek)}, -1},
		{"one lead", []Voice{good}, 1},
		{"one lead twice: a second click", []Voice{good, good}, 1},
		{"one lead twice, replayed a minute later", []Voice{good, with(func(v *Voice) { *v = good; v.At = v.At.Add(time.Minute) })}, 1},
		{"whoever asked, who may approve what others ask", []Voice{good, with(func(v *Voice) { v.By, v.Who.ID = "U-dev", "U-dev" })}, 1},
		{"whoever asked, under the name of another", []Voice{good, with(func(v *Voice) { v.By, v.Who.ID = "U-2", "U-dev" })}, 1},
		{"another than Slack knows by that ID", []Voice{good, with(func(v *Voice) { v.Who.ID = "U-1b" })}, 1},
		{"nobody at all", []Voice{good, with(func(v *Voice) { v.By, v.Who.ID = "", "" })}, 1},
		{"somebody who is no lead", []Voice{good, with(func(v *Voice) { v.Who.Groups = nil })}, 1},
		{"somebody in a group that is called alike", []Voice{good, with(func(v *Voice) { v.Who.Groups = []chat.GroupID{"s-leads", "S-leads2"} })}, 1},
		{"somebody of another workspace", []Voice{good, with(func(v *Voice) { v.Who.Foreign = true })}, 1},
		{"a guest", []Voice{good, with(func(v *Voice) { v.Who.Guest = true })}, 1},
		{"a bot", []Voice{good, with(func(v *Voice) { v.Who.Bot = true })}, 1},
		{"somebody who has left", []Voice{good, with(func(v *Voice) { v.Who.Deleted = true })}, 1},
		{"of an older plan", []Voice{good, with(func(v *Voice) { v.Plan = "g" })}, 1},
		{"of no plan", []Voice{good, with(func(v *Voice) { v.Plan = "" })}, 1},
		{"expired this moment", []Voice{good, with(func(v *Voice) { v.At = midweek.Add(-24 * time.Hour) })}, 1},
		{"a moment before it expires", []Voice{good, with(func(v *Voice) { v.At = midweek.Add(-24*time.Hour + 1) })}, -1},
		{"from the future", []Voice{good, with(func(v *Voice) { v.At = midweek.Add(time.Second) })}, 1},
		{"two of three", []Voice{with(func(v *Voice) { v.Plan = "g" }), good, lead("U-3", "h", midweek)}, -1},
	} {
		f := Facts{Who: chat.Person{ID: "U-dev"}, Verb: "promote", Targets: []deploy.Target{prod}, At: midweek, Plan: Plan{Hash: "h"}, Approvals: c.given}
		v := Decide(rules, &f)
		want := fmt.Sprintf("needs 2 approvals of `leads` and has %d", c.has)
		switch {
		case c.has < 0 && !v.Allowed(), c.has >= 0 && (len(v.Reasons) != 1 || v.Reasons[0].Says != want):
			t.Errorf("%s: %+v, want %d of 2", c.name, v.Reasons, c.has)
		}
	}
}

// TestARejectionEndsIt, if it is of somebody who might have approved.
func TestARejectionEndsIt(t *testing.T) {
	rules, prod := house(t), target("prod", "apps", "podinfo")
	no := lead("U-3", "h", midweek)
	no.Rejected, no.Reason = true, "not before the migration"
	yes := []Voice{lead("U-1", "h", midweek), lead("U-2", "h", midweek)}
	for _, c := range []struct {
		name   string
		given  []Voice
		change func(*Voice)
		ended  bool
	}{
		{"after two approvals", append(slices.Clone(yes), no), nil, true},
		{"before them", append([]Voice{no}, yes...), nil, true},
		{"by somebody who approved before", append(slices.Clone(yes), func() Voice { v := no; v.By, v.Who.ID = "U-1", "U-1"; return v }()), nil, true},
		{"by nobody who counts", append(slices.Clone(yes), func() Voice { v := no; v.Who.Groups = nil; return v }()), nil, false},
		{"of another plan", append(slices.Clone(yes), func() Voice { v := no; v.Plan = "g"; return v }()), nil, false},
	} {
		f := Facts{Who: chat.Person{ID: "U-dev"}, Verb: "promote", Targets: []deploy.Target{prod}, At: midweek, Plan: Plan{Hash: "h"}, Approvals: c.given}
		v := Decide(rules, &f)
		if v.Allowed() == c.ended || v.Waits() {
			t.Errorf("%s: %+v, waits %v; want ended %v", c.name, v.Reasons, v.Waits(), c.ended)
		}
	}
}

// TestHolds tells whose they are, for how long, and how to end them.
func TestHolds(t *testing.T) {
	rules, prod := house(t), target("prod-eu", "apps", "podinfo") // where nothing else stands in the way
	for _, c := range []struct {
		name string
		hold deploy.Hold
		says string // empty: it does not stop version 2
	}{
		{"until released", deploy.Hold{Target: prod, By: "U-x", Name: "Ann", Reason: "the migration\n runs"}, "you may not promote podinfo on prod-eu now: it is held by Ann until somebody releases it: the migration runs"},
		{"for a time", deploy.Hold{Target: prod, By: "U-x", Reason: "a test", Until: midweek.Add(time.Hour)}, "you may not promote podinfo on prod-eu now: it is held by U-x until Wed 2026-11-18 13:00 UTC: a test"},
		{"over", deploy.Hold{Target: prod, By: "U-x", Reason: "a test", Until: midweek}, ""},
		{"this version", deploy.Hold{Target: prod, Version: "2", By: "ferry", Reason: "it was rolled back"}, "you may not promote podinfo on prod-eu now: it may not get `2`, which is held back by ferry until somebody releases it: it was rolled back"},
		{"another version", deploy.Hold{Target: prod, Version: "3", By: "ferry", Reason: "x"}, ""},
		{"another app", deploy.Hold{Target: target("prod-eu", "apps", "podinfo2"), By: "U-x", Reason: "x"}, ""},
		{"another namespace", deploy.Hold{Target: target("prod-eu", "others", "podinfo"), By: "U-x", Reason: "x"}, ""},
	} {
		f := Facts{Who: chat.Person{ID: "U-dev"}, Verb: "promote", Targets: []deploy.Target{prod}, Version: "2", At: midweek, Holds: []deploy.Hold{c.hold}}
		err := judged(rules, &f)
		e, _ := err.(*fault.Error)
		help := "`release apps/podinfo on prod-eu` ends the hold"
		if c.hold.Version != "" {
			help = "`release apps/podinfo on prod-eu because …` ends the hold"
		}
		switch {
		case c.says == "" && err != nil, c.says != "" && (e == nil || e.Says != c.says || e.Kind != fault.Refused || e.Help != help):
			t.Errorf("%s: %+v, want %q", c.name, e, c.says)
		}
	}
}

// TestEveryReasonIsTold, the outcome first, and how to pass what can be passed.
func TestEveryReasonIsTold(t *testing.T) {
	rules, prod := house(t), target("prod", "apps", "podinfo")
	frozen := time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC)
	f := Facts{
		Who: chat.Person{ID: "U-oncall", Groups: []chat.GroupID{"S-oncall"}}, Verb: "promote", Targets: []deploy.Target{prod}, Version: "2", At: frozen,
		Holds: []deploy.Hold{{Target: prod, By: "U-x", Name: "Ann", Reason: "a migration"}},
	}
	for _, c := range []struct {
		name   string
		change func(*Facts)
		says   string
		help   []string
	}{
		{"two that can be passed", func(*Facts) {}, "you may not promote podinfo on prod now, for 2 reasons", []string{
			"• it is frozen until Mon 2026-10-26 08:00 CET by `weekend`", "`weekend` is weekly in Europe/Berlin",
			"• it is held by Ann until somebody releases it: a migration", "`release apps/podinfo on prod` ends the hold",
			"your role lets you pass it: put `despite freeze,hold because …` at the end of the command",
		}},
		{"one is passed", func(f *Facts) { f.Glass = Glass{[]Kind{Hold}, "fire"} }, "you may not promote podinfo on prod now: it is frozen until Mon 2026-10-26 08:00 CET by `weekend`", []string{
			"`weekend` is weekly in Europe/Berlin", "your role lets you pass it: put `despite freeze,hold because …` at the end of the command",
		}},
		{"one cannot be passed", func(f *Facts) { f.Plan.Hash = "h" }, "you may not promote podinfo on prod now, for 3 reasons", []string{
			"• it is frozen until Mon 2026-10-26 08:00 CET by `weekend`", "`weekend` is weekly in Europe/Berlin",
			"• it is held by Ann until somebody releases it: a migration", "`release apps/podinfo on prod` ends the hold",
			"• it needs 2 approvals of `leads` and has 0", "whoever asks does not count, and an approval is of one plan alone",
		}},
		{"tried in vain", func(f *Facts) {
			f.Who = chat.Person{ID: "U-dev"}
			f.Holds = nil
			f.Glass = Glass{[]Kind{Freeze}, "fire"}
		}, "you may not promote podinfo on prod now: it is frozen until Mon 2026-10-26 08:00 CET by `weekend`", []string{
			"`weekend` is weekly in Europe/Berlin", "none of your roles may pass that: `despite freeze` changes nothing",
		}},
		{"who they are comes with it", func(f *Facts) { f.Who = chat.Person{ID: "U-no"}; f.Holds = nil }, "you may not promote podinfo on prod now, for 2 reasons", []string{
			"• you may not promote podinfo on prod", "the roles with that right are `devs`, `oncall`; ask one of their members, or whoever runs ferry to add you",
			"• it is frozen until Mon 2026-10-26 08:00 CET by `weekend`", "`weekend` is weekly in Europe/Berlin",
		}},
		{"of several targets each is named", func(f *Facts) { f.Targets = append(f.Targets, target("prod", "apps", "podinfo2")); f.Holds = nil }, "you may not promote 2 apps now, for 2 reasons", []string{
			"• podinfo on prod is frozen until Mon 2026-10-26 08:00 CET by `weekend`",
			"• podinfo2 on prod is frozen until Mon 2026-10-26 08:00 CET by `weekend`", "`weekend` is weekly in Europe/Berlin",
			"your role lets you pass it: put `despite freeze because …` at the end of the command",
		}},
	} {
		g := f
		g.Targets = slices.Clone(f.Targets)
		c.change(&g)
		e, _ := judged(rules, &g).(*fault.Error)
		if e == nil || e.Says != c.says || e.Help != strings.Join(c.help, "\n") {
			t.Errorf("%s: %q\n%s\nwant %q\n%s", c.name, e.Says, e.Help, c.says, strings.Join(c.help, "\n"))
		}
	}
}

// TestAHundredReasonsFitIntoAMessage: the first of them are told, and how many more
// there are.
func TestAHundredReasonsFitIntoAMessage(t *testing.T) {
	f := Facts{Verb: "promote"}
	v := Verdict{}
	for i := range 120 {
		at := target([]string{"eu", "us", "ca"}[i%3], "apps", "podinfo")
		f.Targets = append(f.Targets, at)
		v.Reasons = append(v.Reasons, Reason{Kind: Role, Target: at, Says: "you may not promote podinfo on " + string(at.Cluster), Help: "ask"})
	}
	e, _ := v.Err(&f).(*fault.Error)
	lines := strings.Split(e.Help, "\n")
	if e.Says != "you may not promote podinfo on 120 clusters now, for 120 reasons" || len(lines) != mostReasons+2 || lines[mostReasons] != "ask" || lines[mostReasons+1] != "… and 108 more" {
		t.Errorf("%q\n%s", e.Says, e.Help)
	}
}

// TestAFreezeStopsTheCommandsItNames and lets people roll back.
func TestAFreezeStopsTheCommandsItNames(t *testing.T) {
	rules := house(t)
	frozen := time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		verb    chat.Verb
		cluster string
		want    string
	}{{"promote", "prod", "freeze"}, {"promote", "prod-eu", ""}, {"rollback", "prod", ""}, {"hold", "prod", ""}} {
		f := Facts{Who: chat.Person{ID: "U-admin"}, Verb: c.verb, Targets: []deploy.Target{target(c.cluster, "apps", "podinfo")}, At: frozen}
		if v := Decide(rules, &f); kinds(v.Reasons) != c.want {
			t.Errorf("%s on %s: %+v, want %q", c.verb, c.cluster, v.Reasons, c.want)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	rules, prod := house(b), target("prod", "apps", "podinfo")
	for range 20 {
		rules.Roles = append([]Grant{{Name: "others", People: users("U-9"), Scope: Scope{Commands: []string{"*"}, Clusters: []string{"team-*"}}}}, rules.Roles...)
	}
	allowed := Facts{
		Who: chat.Person{ID: "U-dev"}, Verb: "promote", Targets: []deploy.Target{prod}, Version: "2", At: midweek, Plan: Plan{Hash: "h"},
		Approvals: []Voice{lead("U-1", "h", midweek), lead("U-2", "h", midweek)},
	}
	refused := allowed
	refused.At, refused.Approvals = time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC), nil
	for name, f := range map[string]*Facts{"allowed": &allowed, "refused": &refused} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if v := Decide(rules, f); v.Allowed() != (name == "allowed") {
					b.Fatal(v)
				}
			}
		})
	}
}

// TestWhatIsAllowedCostsNoMemory, because sets ask for each of their targets.
func TestWhatIsAllowedCostsNoMemory(t *testing.T) {
	rules, prod := house(t), target("prod", "apps", "podinfo")
	f := Facts{
		Who: chat.Person{ID: "U-dev"}, Verb: "promote", Targets: []deploy.Target{prod}, Version: "2", At: midweek, Plan: Plan{Hash: "h"},
		Approvals: []Voice{lead("U-1", "h", midweek), lead("U-2", "h", midweek)},
	}
	if n := testing.AllocsPerRun(100, func() { Decide(rules, &f) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
