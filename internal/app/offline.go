package app

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"path"
	"strings"
	"text/tabwriter"

	"ferry/delivery"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// exitRefused is for a plan that ferry would not commit.
const exitRefused = 3

const offlineUsage = `ferry inventory --repo DIR [--cluster PATH …] [--pins] [-o table|json]
  Lists every app on every cluster: the file, line and column of its version,
  and whether a change there moves it alone. With --pins, where an override
  could stand for those that share theirs (JSON only).

ferry plan --repo DIR --cluster PATH --app [ns/]NAME --version V
           [--field chart|image] [--tag-only] [--pin | --with PATH[=[ns/]NAME] …]
           [--other PATH …] [-o diff|json] [--write]
ferry plan --repo DIR --cluster PATH --app [ns/]NAME --unpin [--field chart|image] …
  Plans a promotion and proves it by rendering. Nothing is written without
  --write. With --pin a version that others share is overridden for this cluster
  alone, and a range is replaced; --unpin takes such an override away where
  nothing changes by that. --with names further clusters (and apps, if they are
  called otherwise) that share the version: they may, and must, change too.
  --tag-only takes away a digest that stands beside the tag.

DIR is a checkout of the Flux repository, PATH the folder of a cluster in it, as
Flux was bootstrapped with. Without --cluster (--other) all clusters are looked
for. Exit codes: 0 planned, 2 usage, 3 refused.
`

// paths is a flag that may be given several times.
type paths []string

func (p *paths) String() string     { return strings.Join(*p, " ") }
func (p *paths) Set(v string) error { *p = append(*p, v); return nil }

// offline are the flags of inventory and plan.
type offline struct {
	repo, app, version, field, output string
	clusters, others, with            paths
	write, pin, pins, unpin, tagOnly  bool
}

// parseOffline reads the flags of a command; ok is false if the usage was shown.
func (p Process) parseOffline(command string, args []string) (o offline, code int, ok bool) {
	flags := flag.NewFlagSet("ferry "+command, flag.ContinueOnError)
	flags.SetOutput(p.Err)
	flags.Usage = func() { fmt.Fprint(p.Err, offlineUsage) }
	flags.StringVar(&o.repo, "repo", "", "")
	flags.Var(&o.clusters, "cluster", "")
	flags.StringVar(&o.output, "o", "", "")
	formats := []string{"table", "json"}
	if command == "inventory" {
		flags.BoolVar(&o.pins, "pins", false, "")
	}
	if command == "plan" {
		formats = []string{"diff", "json"}
		flags.StringVar(&o.app, "app", "", "")
		flags.StringVar(&o.version, "version", "", "")
		flags.StringVar(&o.field, "field", "", "")
		flags.Var(&o.others, "other", "")
		flags.Var(&o.with, "with", "")
		flags.BoolVar(&o.write, "write", false, "")
		flags.BoolVar(&o.pin, "pin", false, "")
		flags.BoolVar(&o.unpin, "unpin", false, "")
		flags.BoolVar(&o.tagOnly, "tag-only", false, "")
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return o, exitOK, false
	case err != nil:
		return o, exitUsage, false
	}
	if o.output == "" {
		o.output = formats[0]
	}
	if wrong := o.wrong(command, formats, flags.Args()); wrong != "" {
		fmt.Fprintf(p.Err, "ferry %s: %s\n\n%s", command, wrong, offlineUsage)
		return o, exitUsage, false
	}
	return o, exitOK, true
}

// wrong says what cannot work with the flags.
func (o offline) wrong(command string, formats, rest []string) string {
	switch {
	case len(rest) > 0:
		return fmt.Sprintf("what is %q?", rest[0])
	case o.repo == "":
		return "--repo is missing: the folder of a checkout"
	case o.output != formats[0] && o.output != formats[1]:
		return fmt.Sprintf("-o is %s or %s, not %q", formats[0], formats[1], o.output)
	case command == "inventory":
		return ""
	case len(o.clusters) != 1:
		return "--cluster is needed once: the folder of the cluster to change"
	case o.unpin && (o.app == "" || o.version != "" || o.pin || len(o.with) > 0):
		return "--unpin goes with --app, and with none of --version, --pin and --with"
	case o.pin && len(o.with) > 0:
		return "--pin and --with exclude each other"
	case !o.unpin && (o.app == "" || o.version == ""):
		return "--app and --version are needed"
	case o.field != "" && o.field != string(deploy.FieldChart) && o.field != string(deploy.FieldImage):
		return fmt.Sprintf("--field is chart or image, not %q", o.field)
	}
	return ""
}

// inventory lists what a checkout declares.
func (p Process) inventory(ctx context.Context, args []string) int {
	o, code, ok := p.parseOffline("inventory", args)
	if !ok {
		return code
	}
	folder, err := delivery.OpenFolder(ctx, o.repo, o.clusters)
	if err != nil {
		return p.refuse(err)
	}
	items, err := folder.Inventory(ctx, o.pins)
	if err != nil {
		return p.refuse(err)
	}
	broken, err := folder.Broken(ctx)
	if err != nil {
		return p.refuse(err)
	}
	for _, b := range broken {
		fmt.Fprintf(p.Err, "cannot be rendered whole: %s\n", b)
	}
	if o.output == "json" {
		return p.json(inventoryJSON(folder, items, broken))
	}
	w := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CLUSTER\tAPP\tVERSION\tMECHANISM\tWHERE\tAUTOMATION\tSTATUS")
	for _, i := range items {
		where := ""
		if i.Edit.File != "" {
			where = fmt.Sprintf("%s:%d:%d", i.Edit.File, i.Edit.Line, i.Edit.Column)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", i.Target.Cluster, i.Target.App, i.Version, i.Mechanism, where, i.Automated(), statusOf(i))
	}
	if err := w.Flush(); err != nil {
		return p.refuse(err)
	}
	return exitOK
}

func statusOf(i delivery.Item) string {
	out := string(i.Status)
	if len(i.Shared) > 0 {
		var with []string
		for _, a := range i.Shared {
			with = append(with, fmt.Sprintf("%s on %s", a.Object, a.Cluster))
		}
		out += " with " + strings.Join(with[:min(3, len(with))], ", ")
		if len(with) > 3 {
			out += fmt.Sprintf(" and %d more", len(with)-3)
		}
	}
	if i.Why != "" {
		out += ": " + i.Why
	}
	return out
}

// jsonApp is an app on a cluster as programs read it.
type jsonApp struct {
	Cluster    deploy.Cluster      `json:"cluster"`
	Namespace  string              `json:"namespace"`
	Name       string              `json:"name"`
	Kind       string              `json:"kind"`
	Declared   string              `json:"declared"` // the release or workload in Git
	Mechanism  delivery.Mechanism  `json:"mechanism"`
	Field      deploy.FieldKind    `json:"field,omitempty"`
	File       string              `json:"file,omitempty"`
	Line       int                 `json:"line,omitempty"`
	Column     int                 `json:"column,omitempty"`
	Version    deploy.Version      `json:"version,omitempty"`
	Object     string              `json:"object,omitempty"`
	Path       string              `json:"path,omitempty"`
	Inner      string              `json:"inner,omitempty"`
	Status     delivery.Status     `json:"status"`
	SharedWith []jsonObject        `json:"shared_with,omitempty"`
	Automated  string              `json:"automated,omitempty"` // the image automation that writes there
	Automation []deploy.Automation `json:"automation,omitempty"`
	Why        string              `json:"why,omitempty"`
	Code       string              `json:"code,omitempty"`
	Pin        *jsonPin            `json:"pin,omitempty"`
}

type jsonPin struct {
	OK    bool          `json:"ok"`
	Edits []deploy.Edit `json:"edits"`
	Why   string        `json:"why,omitempty"`
}

type jsonObject struct {
	Cluster   deploy.Cluster `json:"cluster"`
	Kind      string         `json:"kind"`
	Namespace string         `json:"namespace"`
	Name      string         `json:"name"`
}

func objectsJSON(all []deploy.Affected) []jsonObject {
	out := make([]jsonObject, 0, len(all))
	for _, a := range all {
		out = append(out, jsonObject{a.Cluster, a.Object.Kind, a.Object.Namespace, a.Object.Name})
	}
	return out
}

func inventoryJSON(folder *delivery.Folder, items []delivery.Item, broken []string) any {
	type cluster struct {
		Name deploy.Cluster `json:"name"`
		Path string         `json:"path"`
	}
	var clusters []cluster
	for _, c := range folder.Clusters() {
		clusters = append(clusters, cluster{c, string(c)})
	}
	list := make([]jsonApp, 0, len(items))
	for _, i := range items {
		a := jsonApp{
			Cluster: i.Target.Cluster, Namespace: i.Target.App.Namespace, Name: i.Target.App.Name, Kind: i.Object.Kind, Declared: i.Object.String(),
			Mechanism: i.Mechanism, Field: i.Field, File: i.Edit.File, Line: i.Edit.Line, Column: i.Edit.Column, Version: i.Version,
			Path: i.Site.Path, Inner: i.Site.Inner, Status: i.Status, SharedWith: objectsJSON(i.Shared), Why: i.Why,
			Automated: i.Automated(), Automation: i.Automation,
		}
		if i.Site.Object.Name != "" {
			a.Object = i.Site.Object.String()
		}
		if i.Mechanism == "" {
			a.Mechanism = "none"
		}
		if f, ok := errors.AsType[*fault.Error](i.Refusal); ok {
			a.Code = f.Code
		}
		if i.PinErr != nil {
			a.Pin = &jsonPin{Why: i.PinErr.Error(), Edits: []deploy.Edit{}}
		} else if len(i.Pin) > 0 {
			a.Pin = &jsonPin{OK: true, Edits: i.Pin}
		}
		list = append(list, a)
	}
	return struct {
		Clusters []cluster `json:"clusters"`
		Apps     []jsonApp `json:"apps"`
		Broken   []string  `json:"broken,omitempty"`
	}{clusters, list, broken}
}

// plan plans a change in a checkout.
func (p Process) plan(ctx context.Context, args []string) int {
	o, code, ok := p.parseOffline("plan", args)
	if !ok {
		return code
	}
	plan, err := o.plan(ctx)
	if o.output == "json" {
		if code := p.json(planJSON(plan, err)); code != exitOK {
			return code
		}
	}
	switch {
	case err != nil && o.output == "json":
		return codeOf(err)
	case err != nil:
		return p.refuse(err)
	case o.output == "diff" && plan.Already:
		fmt.Fprintf(p.Err, "%s is already at %s there\n", plan.Change.Target.App, plan.Change.Version)
	case o.output == "diff":
		for _, w := range plan.Warnings {
			fmt.Fprintf(p.Err, "warning: %s\n", w)
		}
		fmt.Fprint(p.Out, plan.Diff)
	}
	return exitOK
}

func (o offline) plan(ctx context.Context) (deploy.Plan, error) {
	all := append(append([]string{}, o.clusters...), o.others...)
	for _, w := range o.with {
		cluster, _, _ := strings.Cut(w, "=")
		all = append(all, cluster)
	}
	if len(o.others) == 0 {
		found, err := delivery.OpenFolder(ctx, o.repo, nil)
		if err == nil {
			for _, c := range found.Clusters() {
				all = append(all, string(c))
			}
		}
	}
	folder, err := delivery.OpenFolder(ctx, o.repo, all)
	if err != nil {
		return deploy.Plan{}, err
	}
	item, err := folder.Find(ctx, folder.Clusters()[0], o.app)
	if err != nil {
		return deploy.Plan{}, err
	}
	with, err := o.targets(ctx, folder)
	if err != nil {
		return deploy.Plan{}, err
	}
	plan, err := folder.Plan(ctx, deploy.Change{
		Target: item.Target, With: with, Owner: item.Owner, Version: deploy.Version(o.version), Field: deploy.FieldKind(o.field), Pin: o.pin, Unpin: o.unpin, TagOnly: o.tagOnly,
	})
	if err == nil && o.write {
		err = folder.Write(plan)
	}
	return plan, err
}

// targets finds the further targets.
func (o offline) targets(ctx context.Context, folder *delivery.Folder) ([]deploy.Target, error) {
	var out []deploy.Target
	for _, w := range o.with {
		cluster, app, named := strings.Cut(w, "=")
		if !named {
			app = o.app
		}
		item, err := folder.Find(ctx, deploy.Cluster(strings.Trim(path.Clean("/"+cluster), "/")), app)
		if err != nil {
			return nil, err
		}
		out = append(out, item.Target)
	}
	return out, nil
}

// jsonPlan is a plan, or a refusal, as programs read it. File to After are of
// the first edit.
type jsonPlan struct {
	File         string              `json:"file,omitempty"`
	Line         int                 `json:"line,omitempty"`
	Column       int                 `json:"column,omitempty"`
	Before       string              `json:"before,omitempty"`
	After        string              `json:"after,omitempty"`
	Edits        []deploy.Edit       `json:"edits,omitempty"`
	Already      bool                `json:"already,omitempty"`
	Diff         string              `json:"diff,omitempty"`
	RenderedDiff string              `json:"rendered_diff,omitempty"`
	Affected     []jsonObject        `json:"affected"`
	Warnings     []string            `json:"warnings,omitempty"`
	Automation   []deploy.Automation `json:"automation,omitempty"`
	Refused      *jsonRefusal        `json:"refused,omitempty"`
}

type jsonRefusal struct {
	Kind    string   `json:"kind"`
	Message string   `json:"message"`
	Help    string   `json:"help,omitempty"`
	Choices []string `json:"choices"`
	// Sharing are those that would have to be promoted together with it.
	Sharing []string `json:"sharing,omitempty"`
}

func planJSON(plan deploy.Plan, err error) jsonPlan {
	out := jsonPlan{Edits: plan.Edits, Already: plan.Already, Diff: plan.Diff, RenderedDiff: plan.RenderedDiff, Affected: objectsJSON(plan.Affected), Warnings: plan.Warnings, Automation: plan.Automation}
	if len(plan.Edits) > 0 {
		e := plan.Edits[0]
		out.File, out.Line, out.Column, out.Before, out.After = e.File, e.Line, e.Column, e.Before, e.After
	}
	if err == nil {
		return out
	}
	out.Refused = &jsonRefusal{Kind: string(fault.KindOf(err)), Message: err.Error(), Choices: []string{}}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		out.Refused.Message, out.Refused.Help = f.Says, f.Help
		out.Refused.Choices = append(out.Refused.Choices, f.Choices...)
		for _, t := range plan.Sharing {
			out.Refused.Sharing = append(out.Refused.Sharing, t.String())
		}
		if f.Code != "" {
			out.Refused.Kind = f.Code
		}
	}
	return out
}

// refuse writes an error and returns its exit code.
func (p Process) refuse(err error) int {
	fmt.Fprint(p.Err, "ferry: ")
	p.complain(err)
	return codeOf(err)
}

func codeOf(err error) int {
	switch fault.KindOf(err) {
	case fault.Invalid:
		return exitUsage
	case fault.Internal:
		return exitFailed
	}
	return exitRefused
}

func (p Process) json(v any) int {
	enc := json.NewEncoder(p.Out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		fmt.Fprintln(p.Err, err)
		return exitFailed
	}
	return exitOK
}
