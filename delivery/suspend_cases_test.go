package delivery_test

import (
	"maps"
	"strings"
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

// without takes an automation out of a base.
func without(name string) string {
	return "patches:\n- patch: |\n    $patch: delete\n    apiVersion: image.toolkit.fluxcd.io/v1beta2\n    kind: ImageUpdateAutomation\n    metadata: {name: " + name + ", namespace: x}\n"
}

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
		edits: map[string][]string{"apps/web.yaml": webMoves}, warns: []string{"no image automation for it is found in Git, one elsewhere would undo this: `flux suspend image update --all -n x` on its cluster holds it"},
	},
	{
		name: "two for one field", more: map[string]string{"clusters/prod/auto.yaml": automation("updates", "x", "./apps", "") + "---\n" + automation("more", "x", ".", "  suspend: false\n") + otherMarked},
		edits:     bothIn("clusters/prod/auto.yaml", lastLine+"---", inserted+"---", "suspend: false", "suspend: true"),
		suspended: []string{"prod x/updates clusters/prod/auto.yaml:15", "prod x/more clusters/prod/auto.yaml:28"},
		warns:     []string{says, "x/more on prod is suspended in the same commit (`clusters/prod/auto.yaml:28`), else it would undo this; that also stops updates of 1 other field: `clusters/prod/auto.yaml:36`"},
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
		name: "in a file that nobody applies, beside one of a like name", more: map[string]string{
			"clusters/prod/auto.yaml": "", "old/auto.yaml": automation("update", "x", "./none", "  suspend: false\n") + "---\n" + automation("updates", "x", ".", ""),
		},
		edits:     bothIn("old/auto.yaml", automation("updates", "x", ".", ""), automation("updates", "x", ".", "")+"  suspend: true\n"),
		suspended: []string{" x/updates old/auto.yaml:31"}, warns: []string{"x/updates, which no known cluster applies, is suspended"},
	},
	{
		name: "in a file that nobody applies, of two namespaces", more: map[string]string{
			"clusters/prod/auto.yaml": "", "old/auto.yaml": automation("updates", "y", ".", "  suspend: false\n") + "---\n" + automation("updates", "x", ".", ""),
		},
		edits:     bothIn("old/auto.yaml", automation("updates", "x", ".", ""), automation("updates", "x", ".", "")+"  suspend: true\n"),
		suspended: []string{" x/updates old/auto.yaml:31"}, warns: []string{"x/updates, which no known cluster applies, is suspended"},
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
		name: "one above the other, the lower one first", more: map[string]string{
			"clusters/prod/auto.yaml": flux("auto", "path: autos/prod"), "clusters/stage/auto.yaml": flux("auto", "path: autos/stage"),
			"base/kustomization.yaml": "resources: [auto.yaml]\n", "base/auto.yaml": automation("updates", "x", ".", "") + "---\n" + automation("more", "x", ".", "") + "---\n",
			"autos/prod/kustomization.yaml":  autoKustom + without("updates"),
			"autos/stage/kustomization.yaml": autoKustom + without("more"),
		},
		edits:     bothIn("base/auto.yaml", lastLine+"---\napi", inserted+"---\napi", lastLine+"---\n", inserted+"---\n"),
		suspended: []string{"prod x/more base/auto.yaml:31", "stage x/updates base/auto.yaml:15"},
		warns:     []string{"x/more on prod is suspended", "x/updates on stage is suspended"},
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
		refused: "`base/auto.yaml:15` would change more than that: ImageUpdateAutomation x/updates on stage\nsuspend it where it is declared, or take the marker off `apps/web.yaml:10`",
	},
	{
		name: "whose suspension is a variable", more: map[string]string{
			"clusters/prod/auto.yaml": flux("auto", "path: autos/prod, postBuild: {substitute: {off: 'false'}}"),
			"autos/prod/auto.yaml":    automation("updates", "x", ".", "  suspend: ${off}\n"),
		},
		refused: "autos/prod/auto.yaml: line 12: the value is written in a way that cannot be changed in place",
	},
	{
		name: "whose suspension is another field too", more: map[string]string{"clusters/prod/auto.yaml": automation("updates", "x", ".", "  suspend: &off false\n  more: *off\n")},
		refused: "`clusters/prod/auto.yaml:12` would change more than that: ImageUpdateAutomation x/updates on prod\n",
	},
	{
		name: "made by a ResourceSet", more: map[string]string{
			"clusters/prod/auto.yaml": "apiVersion: fluxcd.controlplane.io/v1\nkind: ResourceSet\nmetadata: {name: autos, namespace: x}\nspec:\n  resources:\n" +
				"  - " + strings.ReplaceAll(strings.TrimSuffix(automation("updates", "x", ".", ""), "\n"), "\n", "\n    ") + "\n",
		},
		refused: "it does not stand in this repository in a way that ferry could edit",
	},
}
