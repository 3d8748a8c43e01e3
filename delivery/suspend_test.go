package delivery_test

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"ferry/delivery"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// automation is an ImageUpdateAutomation as people write them.
func automation(name, namespace, path, more string) string {
	return "apiVersion: image.toolkit.fluxcd.io/v1beta2\nkind: ImageUpdateAutomation\nmetadata:\n  name: " + name + "\n  namespace: " + namespace +
		"\nspec:\n  interval: 30m\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n    namespace: flux-system\n" + more +
		"  update:\n    path: " + path + "\n    strategy: Setters\n"
}

const (
	tagMarker = ` # {"$imagepolicy": "x:web:tag"}`
	lastLine  = "    strategy: Setters\n"
	inserted  = lastLine + "  suspend: true\n"
)

// suspending is a repository of two clusters, of which prod runs web.
func suspending(more map[string]string) map[string]string {
	files := map[string]string{
		"clusters/prod/apps.yaml":  flux("apps", "path: apps") + sources,
		"clusters/stage/apps.yaml": flux("apps", "path: other") + sources,
		"apps/web.yaml":            marked("1.0.0", "x:web"), "other/x.yaml": workload("x", "x:1"),
		"clusters/prod/auto.yaml": automation("updates", "x", "./apps", ""),
	}
	maps.Copy(files, more)
	for name, data := range files {
		if data == "" {
			delete(files, name)
		}
	}
	return files
}

type suspendCase struct {
	name    string
	more    map[string]string
	release bool
	// edits are the lines that change, by file: what stood there, what does now.
	edits map[string][]string
	// suspended are the lines of spec.suspend, as cluster ns/name file:line.
	suspended []string
	warns     []string // parts of the warnings, one each
	refused   string   // a part of the error's help
}

var (
	webMoves = []string{"web:1.0.0", "web:1.0.1"}
	bothIn   = func(file string, lines ...string) map[string][]string {
		return map[string][]string{"apps/web.yaml": webMoves, file: lines}
	}
	onProd = []string{"prod x/updates clusters/prod/auto.yaml:15"}
)

const (
	says        = "ImageUpdateAutomation x/updates on prod is suspended in the same commit (`clusters/prod/auto.yaml:15`), else it would undo this"
	valuesWeb   = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: x}\nspec:\n  chartRef: {kind: OCIRepository, name: c}\n  values:\n    image:\n      repository: reg.example/web\n      tag: 1.0.0" + tagMarker + "\n"
	kustomWeb   = "resources: [web.yaml]\nimages:\n- name: reg.example/web\n  newTag: 1.0.0" + tagMarker + "\n"
	otherMarked = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api, namespace: x}\nspec: {template: {spec: {containers: [{name: api,\n  image: api:1 # {\"$imagepolicy\": \"x:api\"}\n}]}}}\n"
	autoKustom  = "resources: [../../base]\n"
	flowAuto    = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdateAutomation\nmetadata: {name: updates, namespace: x}\nspec: {sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}, update: {path: ./apps}}\n"
	suspendedBy = "apiVersion: image.toolkit.fluxcd.io/v1beta2\nkind: ImageUpdateAutomation\nmetadata: {name: updates, namespace: x}\nspec: {suspend: false}\n"
)

var suspendCases = []suspendCase{
	{name: "a plain image", edits: bothIn("clusters/prod/auto.yaml", lastLine, inserted), suspended: onProd, warns: []string{says}},
	{
		name: "a tag in values", more: map[string]string{"apps/web.yaml": valuesWeb}, release: true,
		edits:     map[string][]string{"apps/web.yaml": {"tag: 1.0.0", "tag: 1.0.1"}, "clusters/prod/auto.yaml": {lastLine, inserted}},
		suspended: onProd, warns: []string{says},
	},
	{
		name: "a kustomization's image", more: map[string]string{"apps/kustomization.yaml": kustomWeb, "apps/web.yaml": workload("web", "reg.example/web:0.1")},
		edits:     map[string][]string{"apps/kustomization.yaml": {"newTag: 1.0.0", "newTag: 1.0.1"}, "clusters/prod/auto.yaml": {lastLine, inserted}},
		suspended: onProd, warns: []string{says},
	},
	{
		name: "among other documents of the app's own file", more: map[string]string{
			"clusters/prod/auto.yaml": "", "apps/web.yaml": automation("updates", "x", "./apps", "") + "---\n" + marked("1.0.0", "x:web") + otherMarked,
		},
		edits:     map[string][]string{"apps/web.yaml": {lastLine, inserted, webMoves[0], webMoves[1]}},
		suspended: []string{"prod x/updates apps/web.yaml:15"}, warns: []string{"also stops updates of 1 other field: `apps/web.yaml:31`"},
	},
	{
		name: "in a file with CRLF", more: map[string]string{"clusters/prod/auto.yaml": strings.ReplaceAll(automation("updates", "x", "./apps", "")+otherMarked, "\n", "\r\n")},
		edits:     bothIn("clusters/prod/auto.yaml", "Setters\r\n", "Setters\r\n  suspend: true\r\n"),
		suspended: onProd, warns: []string{says},
	},
	{
		name: "in flow maps", more: map[string]string{"clusters/prod/auto.yaml": flowAuto},
		edits:     bothIn("clusters/prod/auto.yaml", "./apps}}", "./apps}, suspend: true}"),
		suspended: []string{"prod x/updates clusters/prod/auto.yaml:4"}, warns: []string{"auto.yaml:4`), else it would undo this"},
	},
	{
		name: "without a final newline", more: map[string]string{"clusters/prod/auto.yaml": strings.TrimSuffix(automation("updates", "x", "./apps", ""), "\n")},
		edits:     bothIn("clusters/prod/auto.yaml", "strategy: Setters", "strategy: Setters\n  suspend: true"),
		suspended: onProd, warns: []string{says},
	},
	{
		name: "false becomes true", more: map[string]string{"clusters/prod/auto.yaml": automation("updates", "x", "./apps", "  suspend: false # at work\n")},
		edits:     bothIn("clusters/prod/auto.yaml", "suspend: false #", "suspend: true #"),
		suspended: []string{"prod x/updates clusters/prod/auto.yaml:12"}, warns: []string{"auto.yaml:12`)"},
	},
	{
		name: "suspended already", more: map[string]string{"clusters/prod/auto.yaml": automation("updates", "x", "./apps", "  suspend: true\n")},
		edits: map[string][]string{"apps/web.yaml": webMoves},
	},
	{
		name: "pushes to another branch", more: map[string]string{"clusters/prod/auto.yaml": automation("updates", "x", "./apps", "  git: {push: {branch: updates}}\n")},
		edits: map[string][]string{"apps/web.yaml": webMoves}, warns: []string{"on the branch updates: merging that would undo this"},
	},
	{
		name: "in another repository", more: map[string]string{"clusters/prod/auto.yaml": ""},
		edits: map[string][]string{"apps/web.yaml": webMoves}, warns: []string{"no image automation for it is found in Git, one elsewhere would undo this"},
	},
	{
		name: "two for one field", more: map[string]string{"clusters/prod/auto.yaml": automation("updates", "x", "./apps", "") + "---\n" + automation("more", "x", ".", "  suspend: false\n") + otherMarked},
		edits: bothIn("clusters/prod/auto.yaml", lastLine+"---", inserted+"---", "suspend: false", "suspend: true"),
		suspended: []string{"prod x/updates clusters/prod/auto.yaml:15", "prod x/more clusters/prod/auto.yaml:28"},
		warns:     []string{"x/updates on prod is suspended", "x/more on prod is suspended in the same commit (`clusters/prod/auto.yaml:28`), else it would undo this; that also stops updates of 1 other field: `clusters/prod/auto.yaml:36`"},
	},
	{
		name: "of another cluster", more: map[string]string{"clusters/prod/auto.yaml": "", "clusters/stage/auto.yaml": automation("updates", "x", ".", "")},
		edits:     bothIn("clusters/stage/auto.yaml", lastLine, inserted),
		suspended: []string{"stage x/updates clusters/stage/auto.yaml:15"}, warns: []string{"x/updates on stage is suspended"},
	},
	{
		name: "in a file that nobody applies", more: map[string]string{"clusters/prod/auto.yaml": "", "old/auto.yaml": automation("updates", "x", ".", "")},
		edits:     bothIn("old/auto.yaml", lastLine, inserted),
		suspended: []string{" x/updates old/auto.yaml:15"}, warns: []string{"x/updates, which no known cluster applies, is suspended"},
	},
	{
		name: "of both clusters, in one file", more: map[string]string{
			"clusters/prod/auto.yaml": flux("auto", "path: base"), "clusters/stage/auto.yaml": flux("auto", "path: base"),
			"base/auto.yaml": automation("updates", "x", "./apps", ""),
		},
		edits:     bothIn("base/auto.yaml", lastLine, inserted),
		suspended: []string{"prod x/updates base/auto.yaml:15", "stage x/updates base/auto.yaml:15"},
		warns:     []string{"ImageUpdateAutomation x/updates on prod and x/updates on stage is suspended in the same commit"},
	},
	{
		name: "of a base that another cluster uses for other files", more: map[string]string{
			"clusters/prod/auto.yaml": flux("auto", "path: autos/prod"), "clusters/stage/auto.yaml": flux("auto", "path: autos/stage"),
			"base/kustomization.yaml": "resources: [auto.yaml]\n", "base/auto.yaml": automation("updates", "x", "./none", ""),
			"autos/prod/kustomization.yaml":  autoKustom + "patches:\n- path: mine.yaml\n",
			"autos/prod/mine.yaml":           strings.Replace(suspendedBy, "suspend: false", "update: {path: ./apps}", 1),
			"autos/stage/kustomization.yaml": autoKustom,
		},
		edits:     bothIn("autos/prod/mine.yaml", "./apps}}", "./apps}, suspend: true}"),
		suspended: []string{"prod x/updates autos/prod/mine.yaml:4"}, warns: []string{"x/updates on prod is suspended in the same commit (`autos/prod/mine.yaml:4`)"},
	},
	{
		name: "of a base of others, by a patch of its own", more: map[string]string{
			"clusters/prod/auto.yaml": flux("auto", "path: autos/prod"), "clusters/stage/auto.yaml": flux("auto", "path: autos/stage"),
			"base/kustomization.yaml": "resources: [auto.yaml]\n", "base/auto.yaml": automation("updates", "x", "./apps", ""),
			"autos/prod/kustomization.yaml": autoKustom, "autos/stage/kustomization.yaml": autoKustom + "patches:\n- patch: '- {op: replace, path: /spec/update/path, value: ./other}'\n  target: {kind: ImageUpdateAutomation}\n",
		},
		edits:     bothIn("autos/prod/kustomization.yaml", autoKustom, autoKustom+"patches:\n  - patch: |\n      apiVersion: image.toolkit.fluxcd.io/v1beta2\n      kind: ImageUpdateAutomation\n      metadata:\n        name: updates\n      spec:\n        suspend: true\n    target:\n      kind: ImageUpdateAutomation\n      name: updates\n"),
		suspended: []string{"prod x/updates autos/prod/kustomization.yaml:9"}, warns: []string{"autos/prod/kustomization.yaml:9"},
	},
	{
		name: "by the inline patch that says it is not", more: map[string]string{
			"clusters/prod/auto.yaml":       flux("auto", "path: autos/prod"),
			"autos/prod/kustomization.yaml": "resources: [auto.yaml]\npatches:\n- patch: |\n    apiVersion: image.toolkit.fluxcd.io/v1beta2\n    kind: ImageUpdateAutomation\n    metadata: {name: updates, namespace: x}\n    spec:\n      suspend: false # never\n",
			"autos/prod/auto.yaml":          automation("updates", "x", ".", "  suspend: true\n"),
		},
		edits:     bothIn("autos/prod/kustomization.yaml", "suspend: false", "suspend: true"),
		suspended: []string{"prod x/updates autos/prod/kustomization.yaml:8"}, warns: []string{"autos/prod/kustomization.yaml:8"},
	},
	{
		name: "with a prefix to its name, and a namespace from its kustomization", more: map[string]string{
			"clusters/prod/auto.yaml":       flux("auto", "path: autos/prod"),
			"autos/prod/kustomization.yaml": "namespace: x\nnamePrefix: prod-\nresources: [auto.yaml]\n",
			"autos/prod/auto.yaml":          strings.Replace(automation("updates", "y", ".", ""), "  namespace: y\n", "", 1),
		},
		edits:     bothIn("autos/prod/auto.yaml", lastLine, inserted),
		suspended: []string{"prod x/prod-updates autos/prod/auto.yaml:14"}, warns: []string{"x/prod-updates on prod is suspended"},
	},
	{
		name: "a base used as it is by a cluster of other files", more: map[string]string{
			"clusters/prod/auto.yaml":  flux("auto", "path: base, postBuild: {substitute: {dir: apps}}"),
			"clusters/stage/auto.yaml": flux("auto", "path: base, postBuild: {substitute: {dir: other}}"),
			"base/auto.yaml":           automation("updates", "x", "./${dir}", ""),
		},
		refused: "`base/auto.yaml:15` would change ImageUpdateAutomation x/updates on stage as well\nsuspend it where it is declared, or take the marker off `apps/web.yaml:10`",
	},
	{
		name: "whose suspension is a variable", more: map[string]string{
			"clusters/prod/auto.yaml": flux("auto", "path: autos/prod, postBuild: {substitute: {off: 'false'}}"),
			"autos/prod/auto.yaml":    automation("updates", "x", ".", "  suspend: ${off}\n"),
		},
		refused: "autos/prod/auto.yaml: line 12: the value is written in a way that cannot be changed in place",
	},
	{
		name: "made by a ResourceSet", more: map[string]string{
			"clusters/prod/auto.yaml": "apiVersion: fluxcd.controlplane.io/v1\nkind: ResourceSet\nmetadata: {name: autos, namespace: x}\nspec:\n  resources:\n" +
				"  - " + strings.ReplaceAll(strings.TrimSuffix(automation("updates", "x", ".", ""), "\n"), "\n", "\n    ") + "\n",
		},
		refused: "it does not stand in this repository in a way that ferry could edit",
	},
}

// TestSuspend: what would write over a change is suspended with it, where it stands
// and nowhere else; what cannot be is refused as before.
func TestSuspend(t *testing.T) {
	t.Parallel()
	for _, c := range suspendCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			files := suspending(c.more)
			r := newRig(t, repo(files))
			change := want("x/web", "1.0.1", "prod", "apps", c.release)
			change.Suspend = true
			p, err := r.Plan(t.Context(), change, unseen("prod", "stage"))
			if c.refused != "" {
				f := asFault(err)
				if f == nil || f.Kind != fault.Refused || f.Code != delivery.Automated || !strings.Contains(f.Help, c.refused) {
					t.Fatalf("%s %+v", explainOrNil(err), p.Suspended)
				}
				return
			}
			if err != nil {
				t.Fatal(explain(err))
			}
			checkSuspended(t, c, files, p)
		})
	}
}

func checkSuspended(t *testing.T, c suspendCase, files map[string]string, p deploy.Plan) {
	t.Helper()
	now := map[string]string{}
	for file, data := range p.Files {
		now[file] = string(data)
	}
	wanted := map[string]string{}
	for file, lines := range c.edits {
		wanted[file] = files[file]
		for i := 0; i < len(lines); i += 2 {
			wanted[file] = strings.Replace(wanted[file], lines[i], lines[i+1], 1)
		}
	}
	if !maps.Equal(now, wanted) {
		t.Errorf("files %q\nwant %q", now, wanted)
	}
	var suspended []string
	for _, a := range p.Suspended {
		suspended = append(suspended, fmt.Sprintf("%s %s/%s %s:%d", a.Cluster, a.Ref.Namespace, a.Ref.Name, a.At.File, a.At.Line))
		if lines := strings.Split(now[a.At.File], "\n"); !strings.Contains(lines[a.At.Line-1], "suspend: true") || !a.Suspended || a.InCharge() || a.Field.File == "" {
			t.Errorf("%+v points at %q", a, lines[a.At.Line-1])
		}
		shown := slices.ContainsFunc(p.Affected, func(o deploy.Affected) bool { return o.Cluster == a.Cluster && o.Object == a.Ref })
		if shown != (a.Cluster != "") || shown && !strings.Contains(p.RenderedDiff, "\n+  suspend: true\n") {
			t.Errorf("affected %v\n%s", p.Affected, p.RenderedDiff)
		}
	}
	if !slices.Equal(suspended, c.suspended) || len(p.Affected) > 1+len(c.suspended) {
		t.Errorf("suspended %q, want %q; affected %v", suspended, c.suspended, p.Affected)
	}
	if len(p.Warnings) != len(c.warns) {
		t.Errorf("warns %q, want %q", p.Warnings, c.warns)
	}
	for i, w := range p.Warnings[:min(len(p.Warnings), len(c.warns))] {
		if !strings.Contains(w, c.warns[i]) {
			t.Errorf("warns %q, want %q", w, c.warns[i])
		}
	}
}

// planSuspending is the plan of the plain repository.
func planSuspending(t *testing.T, r *rig, suspend bool) (deploy.Plan, error) {
	t.Helper()
	change := want("x/web", "1.0.1", "prod", "apps", false)
	change.Suspend = suspend
	return r.Plan(t.Context(), change, unseen("prod", "stage"))
}

// TestSuspendOnlyWhereTold: without it, and where nothing would write over it, a
// plan is as it always was.
func TestSuspendOnlyWhereTold(t *testing.T) {
	t.Parallel()
	r := newRig(t, repo(suspending(nil)))
	if p, err := planSuspending(t, r, false); asFault(err) == nil || asFault(err).Code != delivery.Automated || len(p.Suspended) > 0 {
		t.Errorf("%s %+v", explainOrNil(err), p.Suspended)
	}
	free := newRig(t, repo(suspending(map[string]string{"clusters/prod/auto.yaml": "", "apps/web.yaml": marked("1.0.0", "none")})))
	told, err := planSuspending(t, free, true)
	if err != nil {
		t.Fatal(explain(err))
	}
	untold, err := planSuspending(t, free, false)
	if err != nil || told.Hash != untold.Hash || told.Diff != untold.Diff || len(told.Warnings) > 0 {
		t.Errorf("%v: %q and %q", err, told.Hash, untold.Hash)
	}
}

// TestSuspendRefused says which automation stays, and what helps; when told to,
// ferry only warns, and suspends the others.
func TestSuspendRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, repo(suspending(map[string]string{
		"clusters/prod/auto.yaml": automation("updates", "x", "./apps", "") + "---\n" + automation("stubborn", "x", ".", "  suspend: \"false\"\n"),
	})))
	_, err := planSuspending(t, r, true)
	f := asFault(err)
	if f == nil || f.Says != "image automation would undo this change of web on prod, and cannot be suspended in Git" ||
		!strings.HasPrefix(f.Help, "ImageUpdateAutomation x/stubborn (`clusters/prod/auto.yaml:17`) writes `apps/web.yaml:10`, as ImagePolicy x/web selects\n") ||
		!strings.HasSuffix(f.Help, "\nsuspend it where it is declared, or take the marker off `apps/web.yaml:10`: then it writes there no more") {
		t.Fatalf("%s", explainOrNil(err))
	}
	r.configure(t, func(o *delivery.Options) { o.WarnAutomated = true })
	p, err := planSuspending(t, r, true)
	if err != nil || len(p.Suspended) != 1 || p.Suspended[0].Ref.Name != "updates" || len(p.Warnings) != 2 || !strings.HasPrefix(p.Warnings[1], f.Says+": ImageUpdateAutomation x/stubborn") {
		t.Errorf("%s %+v %q", explainOrNil(err), p.Suspended, p.Warnings)
	}
}

// TestSuspendHash: an approval is of who is out of service after the commit. That
// somebody suspended it meanwhile makes no other plan; one more automation does.
func TestSuspendHash(t *testing.T) {
	t.Parallel()
	hash := func(auto string) string {
		t.Helper()
		p, err := planSuspending(t, newRig(t, repo(suspending(map[string]string{"clusters/prod/auto.yaml": auto}))), true)
		if err != nil {
			t.Fatal(explain(err))
		}
		return p.Hash
	}
	one := hash(automation("updates", "x", "./apps", ""))
	if hash(automation("updates", "x", ".", "  suspend: true\n")) != one {
		t.Error("it is another plan where the automation is suspended already")
	}
	for what, auto := range map[string]string{
		"another automation": automation("others", "x", "./apps", ""), "none": sources,
		"one more": automation("updates", "x", "./apps", "") + "---\n" + automation("others", "x", "./apps", ""),
	} {
		if hash(auto) == one {
			t.Errorf("%s makes no other plan", what)
		}
	}
}

// TestSuspendApplied: version and suspension are one commit, which says both. A
// second change of what the same automation writes finds it suspended, whether it
// waited with the first one or comes later.
func TestSuspendApplied(t *testing.T) {
	t.Parallel()
	api := strings.ReplaceAll(marked("1.0.0", "x:api"), "web", "api")
	api = strings.Replace(api, "x:web", "x:api", 1)
	r := newRig(t, repo(suspending(map[string]string{"apps/api.yaml": api})))
	declared := func() []deploy.Declared { return unseen("prod", "stage") }
	by := deploy.Authorship{Job: "j1", Command: "rollback", Requester: "U1"}
	change := want("x/web", "0.9.0", "prod", "apps", false)
	change.Suspend = true
	later := want("x/api", "0.9.0", "prod", "apps", false)
	later.Suspend = true
	before, err := r.Plan(t.Context(), later, declared())
	if err != nil || len(before.Suspended) != 1 {
		t.Fatal(explainOrNil(err), before.Suspended)
	}
	p, made, err := r.Apply(t.Context(), change, declared, by, nil)
	if err != nil || made.SHA == "" || len(p.Suspended) != 1 {
		t.Fatal(explainOrNil(err), p.Suspended)
	}
	log, err := r.repo.Log("main")
	if err != nil {
		t.Fatal(err)
	}
	wanted := "rollback web to 0.9.0 on prod\n\napps/web.yaml:10: reg.example/web:1.0.0 becomes reg.example/web:0.9.0\nclusters/prod/auto.yaml:15: ImageUpdateAutomation x/updates is suspended\n\nFerry-Job: j1\n"
	if len(log) != 2 || !strings.HasPrefix(log[0].Message, wanted) {
		t.Errorf("%d commits: %s", len(log), log[0].Message)
	}
	src, err := r.repo.ReadFile("main", "clusters/prod/auto.yaml")
	if err != nil || src != strings.Replace(automation("updates", "x", "./apps", ""), lastLine, inserted, 1) {
		t.Errorf("%v %s", err, src)
	}
	by.Job = "j2"
	after, made, err := r.Apply(t.Context(), later, declared, by, nil)
	if err != nil || made.SHA == "" || len(after.Suspended) > 0 || len(after.Warnings) > 0 || after.Hash != before.Hash {
		t.Errorf("%s %+v, hash %s, before it was %s", explainOrNil(err), after.Suspended, after.Hash, before.Hash)
	}
}

// TestSuspendTogether: two changes that wait together suspend one automation once,
// in one commit.
func TestSuspendTogether(t *testing.T) {
	t.Parallel()
	api := strings.ReplaceAll(marked("1.0.0", "x:api"), "web", "api")
	r := newRig(t, repo(suspending(map[string]string{"apps/api.yaml": api, "apps/first.yaml": workload("first", "first:1.0.0")})))
	declared := func() []deploy.Declared { return unseen("prod", "stage") }
	started, rest := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	apply := func(app string, onPlan func(deploy.Plan) error) {
		group.Go(func() {
			change := want("x/"+app, "0.9.0", "prod", "apps", false)
			change.Suspend = true
			if _, made, err := r.Apply(t.Context(), change, declared, deploy.Authorship{Job: app, Command: "rollback"}, onPlan); err != nil || made.SHA == "" {
				t.Errorf("%s: %s", app, explainOrNil(err))
			}
		})
	}
	apply("first", func(deploy.Plan) error { close(started); <-rest; return nil })
	<-started
	apply("web", nil)
	apply("api", nil)
	for r.Waiting() < 3 {
		runtime.Gosched() // they only have to queue
	}
	close(rest)
	group.Wait()
	log, err := r.repo.Log("main")
	if err != nil || len(log) != 3 || strings.Count(log[0].Message, "is suspended") != 1 || strings.Count(log[0].Message, "Ferry-Job") != 2 {
		t.Errorf("%v, %d commits: %s", err, len(log), log[0].Message)
	}
}
