package delivery

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"ferry/delivery/flux"
	"ferry/delivery/yamledit"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// Flux's image automation writes to scalars whose line has a marker that names a
// policy: {"$imagepolicy": "namespace:name"}. An ImageUpdateAutomation does so
// for the policies of its own namespace, in the files below its path, on the
// branch that its GitRepository reads. It writes again whatever anybody else
// writes there, so a promotion would last for minutes.

const (
	imageGroup       = "image.toolkit.fluxcd.io"
	imageAutomation  = "ImageUpdateAutomation"
	imagePolicy      = "ImagePolicy"
	imagePolicyField = "$imagepolicy"
)

// heed refuses a plan that image automation would undo, or warns of it; where the
// change says so it suspends the automation, by edits on top of the plan's sites.
func (e *engine) heed(ctx context.Context, s *scene, p *deploy.Plan, sites []site) ([]site, error) {
	for _, at := range sites {
		found, err := e.automationOf(ctx, s, at)
		if err != nil {
			return nil, err
		}
		p.Automation = append(p.Automation, found...)
	}
	says, help := inCharge(s.change, p.Automation)
	stopped := []site{}
	if says != "" && s.change.Suspend {
		more, left, err := e.suspend(ctx, s, p, sites)
		if err != nil {
			return nil, err
		}
		stopped, says = more, ""
		if len(left) > 0 {
			refusal := refuseStaying(s.change, left)
			says, help = refusal.Says, refusal.Help
		}
	}
	switch {
	case says == "":
	case e.warnAutomated:
		p.Warnings = append(p.Warnings, says+": "+strings.ReplaceAll(help, "\n", "; "))
	default:
		return nil, fault.New(fault.Refused, says, help).WithCode(Automated)
	}
	if doubt := doubtful(s.change, p.Automation); says == "" && doubt != "" {
		p.Warnings = append(p.Warnings, doubt)
	}
	return stopped, nil
}

// settle ends a plan whose sites are proven: what image automation would write over
// them is heeded, and if that takes edits of its own, all are proven together.
func (e *engine) settle(ctx context.Context, s *scene, f field, p deploy.Plan, sites []site, all proof) (deploy.Plan, *flux.World, error) {
	stopped, err := e.heed(ctx, s, &p, sites)
	if err != nil {
		return p, nil, err
	}
	if len(stopped) > 0 {
		sites = append(slices.Clone(sites), stopped...)
		if all, err = e.prove(ctx, s, f, sites[len(sites)-1].world, filesOf(sites)); err != nil {
			return p, nil, err
		}
	}
	return e.finish(ctx, s, p, sites, all)
}

// inCharge says what a person does about automation in charge; nothing where
// none is.
func inCharge(c deploy.Change, all []deploy.Automation) (says, help string) {
	i := slices.IndexFunc(all, deploy.Automation.InCharge)
	if i < 0 {
		return "", ""
	}
	a := all[i]
	says = fmt.Sprintf("the version of %s on %s belongs to image automation, which would undo a promotion", c.Target.App.Name, c.Target.Cluster)
	help = fmt.Sprintf("ImageUpdateAutomation %s%s writes `%s:%d`, as ImagePolicy %s%s selects\n",
		name(a.Ref), standing(a.At), a.Field.File, a.Field.Line, name(a.Policy), standing(a.PolicyAt))
	in := "where it is declared"
	if a.At.File != "" {
		in = "in `" + a.At.File + "`"
	}
	help += fmt.Sprintf("set `spec.suspend: true` %s (`flux suspend image update %s -n %s` holds it until that is applied), or let the policy select `%s`",
		in, a.Ref.Name, a.Ref.Namespace, c.Version)
	return says, help
}

// doubtful warns of a marker of which it is not certain that nobody heeds it.
func doubtful(c deploy.Change, all []deploy.Automation) string {
	for _, a := range all {
		switch {
		case a.Ref == (deploy.Ref{}):
			text := fmt.Sprintf("`%s:%d` is marked for ImagePolicy %s; no image automation for it is found in Git, one elsewhere would undo this", a.Field.File, a.Field.Line, name(a.Policy))
			if c.Suspend {
				text += fmt.Sprintf(": `flux suspend image update --all -n %s` on its cluster holds it", a.Policy.Namespace)
			}
			return text
		case !a.Suspended && a.Branch != "":
			return fmt.Sprintf("ImageUpdateAutomation %s%s writes `%s:%d` too, on the branch %s: merging that would undo this", name(a.Ref), standing(a.At), a.Field.File, a.Field.Line, a.Branch)
		}
	}
	return ""
}

func name(r deploy.Ref) string { return r.Namespace + "/" + r.Name }

func standing(p deploy.Place) string {
	if p.File == "" {
		return ""
	}
	return fmt.Sprintf(" (`%s:%d`)", p.File, p.Line)
}

// automationOf lists the automations that look for the scalar of a site.
func (e *engine) automationOf(ctx context.Context, s *scene, at site) ([]deploy.Automation, error) {
	policy, marked := markerAt(at)
	if !marked {
		return nil, nil
	}
	all := e.automations(s.world)
	all.mu.Lock()
	defer all.mu.Unlock()
	found, err := all.covering(ctx, policy, at.file)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		found = []deploy.Automation{{}}
	}
	where, err := all.policyAt(ctx, policy, found[0].Cluster)
	for i := range found {
		found[i].Policy, found[i].PolicyAt, found[i].Field = policy, where, deploy.Place{File: at.file, Line: at.line}
	}
	return found, err
}

// markerAt reads the policy that the edited scalar's marker names. A marker
// within the text of another scalar is none to Flux.
func markerAt(at site) (deploy.Ref, bool) {
	if !bytes.Contains(at.data, []byte(imagePolicyField)) {
		return deploy.Ref{}, false
	}
	y, err := yamledit.Parse(at.data)
	if err != nil {
		return deploy.Ref{}, false
	}
	for _, s := range y.Scalars() {
		if s.Line == at.line && s.Column == at.column {
			return markedFor(s.Marker())
		}
	}
	return deploy.Ref{}, false
}

// markedFor reads a marker as Flux does: the whole comment is its JSON.
func markedFor(comment string) (deploy.Ref, bool) {
	var m map[string]string
	if json.Unmarshal([]byte(comment), &m) != nil {
		return deploy.Ref{}, false
	}
	parts := strings.Split(m[imagePolicyField], ":")
	if len(parts) < 2 || parts[0] == "" || parts[1] == "" {
		return deploy.Ref{}, false
	}
	return deploy.Ref{Kind: imagePolicy, Namespace: parts[0], Name: parts[1]}, true
}

// covering are the automations that write to a file for a policy: those that
// any cluster runs, else those in files that no known cluster applies.
func (a *automations) covering(ctx context.Context, policy deploy.Ref, file string) ([]deploy.Automation, error) {
	var out []deploy.Automation
	for _, o := range a.running() {
		found, ok := a.covers(o.Root.Cluster, o.Data(), policy, file)
		if !ok {
			continue
		}
		var err error
		if found.At, err = a.placeOf(ctx, o); err != nil {
			return nil, err
		}
		out = append(out, found)
	}
	if len(out) > 0 {
		return out, nil
	}
	lying, err := a.lying(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range lying {
		if text(d.data["kind"]) != imageAutomation {
			continue
		}
		if found, ok := a.covers("", d.data, policy, file); ok {
			found.At = d.at
			out = append(out, found)
		}
	}
	return out, nil
}

// covers reports whether an automation writes to a file for a policy. What Git
// does not tell of it counts as that it does.
func (a *automations) covers(c deploy.Cluster, data map[string]any, policy deploy.Ref, file string) (deploy.Automation, bool) {
	out := deploy.Automation{Cluster: c, Suspended: at(data, "/spec/suspend") == true}
	out.Ref = deploy.Ref{Kind: imageAutomation, Namespace: text(at(data, "/metadata/namespace")), Name: text(at(data, "/metadata/name"))}
	if out.Ref.Namespace == "" { // its kustomization, or whoever applies it, gives it one
		out.Ref.Namespace = policy.Namespace
	}
	dir := strings.TrimPrefix(path.Clean("/"+text(at(data, "/spec/update/path"))), "/")
	within := dir == "" || strings.HasPrefix(file, dir+"/") || flux.DependsOnUnknown(dir) != ""
	if out.Ref.Namespace != policy.Namespace || !within || !a.selects(c, data, policy) {
		return out, false
	}
	checkout, push := text(at(data, "/spec/git/checkout/ref/branch")), text(at(data, "/spec/git/push/branch"))
	source, known := a.source(c, deploy.Ref{
		Namespace: cmp.Or(text(at(data, "/spec/sourceRef/namespace")), out.Ref.Namespace), Name: text(at(data, "/spec/sourceRef/name")),
	})
	if !known {
		if checkout != "" && push != checkout {
			out.Branch = push
		}
		return out, true
	}
	source.Branch, source.Pinned = cmp.Or(checkout, source.Branch), ""
	pushed := source
	pushed.Branch = cmp.Or(push, source.Branch)
	switch worksHere := a.e.ours(source); {
	case a.e.ours(pushed), worksHere && flux.MayBe(pushed.Branch, source.Branch):
		return out, true
	default:
		out.Branch = flux.Readable(pushed.Branch)
		return out, worksHere
	}
}

// selects reports whether an automation takes a policy in, going by its labels;
// expressions are taken to match.
func (a *automations) selects(c deploy.Cluster, automation map[string]any, policy deploy.Ref) bool {
	want, _ := at(automation, "/spec/policySelector/matchLabels").(map[string]any)
	o := a.world.Lookup(c, imageGroup, policy)
	if len(want) == 0 || o.Object == nil {
		return true
	}
	labels, _ := at(o.Data(), "/metadata/labels").(map[string]any)
	for k, v := range want {
		if labels[k] != v {
			return false
		}
	}
	return true
}

// source is what a GitRepository reads: on its cluster, or on any for an
// automation of which only a file tells.
func (a *automations) source(c deploy.Cluster, ref deploy.Ref) (deploy.Source, bool) {
	if c != "" {
		return a.world.Source(c, ref)
	}
	for _, c := range a.world.Clusters() {
		if s, ok := a.world.Source(c, ref); ok {
			return s, true
		}
	}
	return deploy.Source{}, false
}

// short is automation in a few words, for a list.
func short(all []deploy.Automation) string {
	var out []string
	for _, a := range all {
		word := name(a.Ref)
		switch {
		case a.Ref == (deploy.Ref{}):
			word = "? (" + name(a.Policy) + ")"
		case a.Suspended:
			word += " (suspended)"
		case a.Branch != "":
			word += " (on " + a.Branch + ")"
		}
		if !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	return strings.Join(out, ", ")
}

// Automated is the item's automation in a few words; "" without any.
func (i Item) Automated() string { return short(i.Automation) }
