package gate

import (
	"fmt"
	"slices"
	"strings"

	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// mostReasons are named one by one: of many targets there are as many.
const mostReasons = 12

// Err words a verdict for whoever asked: nil if they may, else a fault whose first
// line says the outcome and whose help has every reason, or the first of many. It is Denied if it is about
// who they are, Refused if it is about the time or about others; the code
// deploy.NeedsApproval says that only approvals are missing.
func (v *Verdict) Err(f *Facts) error {
	if v.Allowed() {
		return nil
	}
	kind := fault.Refused
	if slices.ContainsFunc(v.Reasons, func(r Reason) bool { return r.Kind == Person || r.Kind == Role }) {
		kind = fault.Denied
	}
	if len(v.Reasons) == 1 && kind == fault.Denied {
		return fault.New(kind, v.Reasons[0].Says, v.Reasons[0].Help)
	}
	says := "you may not " + string(f.Verb) + about(f.Targets) + " now"
	if f.Cause != "" {
		says = "ferry does not roll back" + about(f.Targets) + " by itself"
	}
	var help []string
	if len(v.Reasons) == 1 {
		says += ": " + v.Reasons[0].sentence(f)
		help = append(help, v.Reasons[0].Help)
	} else {
		says += fmt.Sprintf(", for %d reasons", len(v.Reasons))
		help = append(help, v.list(f)...)
	}
	if more := v.passing(); more != "" {
		help = append(help, more)
	}
	e := fault.New(kind, says, strings.Trim(strings.Join(help, "\n"), "\n"))
	if v.Waits() {
		e = e.WithCode(deploy.NeedsApproval)
	}
	return e
}

// list is a line for each reason, and what helps once for those that follow each
// other and have the same remedy.
func (v *Verdict) list(f *Facts) (out []string) {
	shown := v.Reasons[:min(len(v.Reasons), mostReasons)]
	for i := range shown {
		r := &shown[i]
		out = append(out, "• "+r.sentence(f))
		if r.Help != "" && (i+1 == len(shown) || shown[i+1].Help != r.Help) {
			out = append(out, strings.ReplaceAll(r.Help, "\n", "; "))
		}
	}
	if more := len(v.Reasons) - len(shown); more > 0 {
		out = append(out, fmt.Sprintf("… and %d more", more))
	}
	return out
}

// Despite words what was passed, a sentence each.
func (v *Verdict) Despite(f *Facts) []string {
	out := make([]string, len(v.Passed))
	for i := range v.Passed {
		out[i] = v.Passed[i].sentence(f)
	}
	return out
}

// about names the targets, or how many there are.
func about(targets []deploy.Target) string {
	switch len(targets) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(" %s on %s", targets[0].App.Name, targets[0].Cluster)
	}
	apps := map[deploy.App]bool{}
	for _, t := range targets {
		apps[t.App] = true
	}
	if len(apps) == 1 {
		return fmt.Sprintf(" %s on %d clusters", targets[0].App.Name, len(targets))
	}
	return fmt.Sprintf(" %d apps", len(apps))
}

// sentence names the target where that is not clear.
func (r *Reason) sentence(f *Facts) string {
	switch {
	case r.Kind == Person || r.Kind == Role:
		return r.Says
	case len(f.Targets) == 1 && r.Target == f.Targets[0]:
		return "it " + plain(r.Says)
	}
	return fmt.Sprintf("%s on %s %s", r.Target.App.Name, r.Target.Cluster, plain(r.Says))
}

// plain keeps what somebody wrote on its line.
func plain(s string) string { return strings.Join(strings.Fields(s), " ") }

// passing says how all that is left could be passed, if whoever asks may pass all
// of it, or that they tried in vain.
func (v *Verdict) passing() string {
	var gates []string
	for i := range v.Reasons {
		r := &v.Reasons[i]
		switch {
		case r.Kind == Person || r.Kind == Role:
			return ""
		case r.Tried && !r.Passable:
			return fmt.Sprintf("none of your roles may pass that: `despite %s` changes nothing", r.Kind)
		case !r.Passable:
			return ""
		}
		if !slices.Contains(gates, string(r.Kind)) {
			gates = append(gates, string(r.Kind))
		}
	}
	for i := range v.Passed { // what was named already must be named again
		if k := string(v.Passed[i].Kind); !slices.Contains(gates, k) {
			gates = append(gates, k)
		}
	}
	slices.Sort(gates)
	return fmt.Sprintf("your role lets you pass it: put `despite %s because …` at the end of the command", strings.Join(gates, ","))
}
