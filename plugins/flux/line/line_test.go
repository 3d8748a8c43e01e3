package line_test

import (
	"fmt"
	"strings"
	"testing"

	"ferry/plugins/flux/line"
	"ferry/plugins/kubectl/rules"
)

const config = `
impersonate: {user: "ferry:{{.ID}}", groups: ["{{.Group}}"]}
confirm: [reconcile, suspend, resume]
rules:
  - {users: [U1], clusters: [prod, stage], resources: ["*"], namespaces: [flux-system]}
  - {users: [U1], groups: [S1], clusters: [prod], verbs: [reconcile, suspend], resources: [kustomizations, "*.source.toolkit.fluxcd.io"], namespaces: [flux-system]}
  - {roles: [admins], clusters: ["*"], verbs: ["*", reconcile, suspend, resume], resources: ["*"], namespaces: ["*"]}
`

func decide(t *testing.T, text string, who rules.Person) (line.Decision, error) {
	t.Helper()
	cfg, err := line.ReadConfig([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	c, err := line.Parse(text)
	if err != nil {
		return line.Decision{}, err
	}
	return line.Decide(c, cfg, who, []string{"stage", "prod", "lab"})
}

func TestOrdinaryLines(t *testing.T) {
	u1, admin := rules.Person{ID: "U1"}, rules.Person{ID: "U9", Roles: []string{"admins"}}
	for _, c := range []struct {
		line string
		who  rules.Person
		want string // cluster: kinds names namespace
	}{
		{"get kustomizations on prod", u1, "prod: kustomizations [] flux-system"},
		{"flux get ks podinfo on prod", u1, "prod: kustomizations [podinfo] flux-system"},
		{"get -n flux-system sources git on stage, prod", u1, "stage: gitrepositories [] flux-system|prod: gitrepositories [] flux-system"},
		{"get images on *", u1, "stage: imagerepositories imagepolicies imageupdateautomations [] flux-system|prod: imagerepositories imagepolicies imageupdateautomations [] flux-system"},
		{"get helmreleases -A on lab", admin, "lab: helmreleases [] "},
		{"tree kustomization podinfo --compact on prod", u1, "prod: kustomizations [podinfo] flux-system"},
		{"reconcile kustomization podinfo -n flux-system on prod", u1, "prod: kustomizations [podinfo] flux-system"},
		{"reconcile source git fleet on prod", u1, "prod: gitrepositories [fleet] flux-system"},
		{"reconcile source oci fleet on *", u1, "prod: ocirepositories [fleet] flux-system"},
		{"suspend ks a b.c on prod", u1, "prod: kustomizations [a b.c] flux-system"},
		{"resume image update bot --timeout=90s -n=team-a on stage,lab", admin, "stage: imageupdateautomations [bot] team-a|lab: imageupdateautomations [bot] team-a"},
		{"reconcile hr 'on' on lab", admin, "lab: helmreleases [on] flux-system"},
	} {
		d, err := decide(t, c.line, c.who)
		got := []string{}
		for _, r := range d.Runs {
			kinds := []string{}
			for _, k := range r.Kinds {
				kinds = append(kinds, k.Plural)
			}
			got = append(got, fmt.Sprintf("%s: %s %v %s", r.Cluster, strings.Join(kinds, " "), d.Command.Names, d.Command.Namespace))
			if r.Access.As.User != "ferry:"+c.who.ID {
				t.Errorf("%s is asked as %+v", c.line, r.Access.As)
			}
		}
		if err != nil || strings.Join(got, "|") != c.want {
			t.Errorf("%s:\n got %q, %v\nwant %q", c.line, got, err, c.want)
		}
	}
}

func TestRefusalsSayWhatWouldWork(t *testing.T) {
	for text, want := range map[string]string{
		"":                                             "what shall flux do? It can get, tree, reconcile, suspend and resume",
		"recncile ks x on prod":                        `"recncile" is nothing that flux does here; did you mean reconcile?`,
		"delete ks x on prod":                          "`flux delete` is not to be had here\nManifests come from Git",
		"uninstall on prod":                            "`flux uninstall` is not to be had here\nFlux itself is set up elsewhere",
		"get kustomisations on prod":                   `"kustomisations" is nothing that flux get knows; did you mean kustomizations?`,
		"get gitrepositories on prod":                  "\"gitrepositories\" is `source git` in Flux's own words",
		"get source gti on prod":                       "`source gti` is no kind of Flux's; did you mean `source git`?",
		"get source podinfo on prod":                   "`source podinfo` is no kind of Flux's; after source comes one of git, oci, helm, chart, bucket",
		"get pods on prod":                             `"pods" is nothing that flux get knows; there are kustomizations`,
		"get ks":                                       "on which cluster?",
		"get ks on dev":                                `there is no cluster "dev" here`,
		"get ks on lab":                                "no rule lets you get kustomizations.kustomize.toolkit.fluxcd.io in namespace flux-system on lab",
		"get sources fleet on prod":                    "`source fleet` is no kind",
		"get all podinfo on prod":                      "a name is looked for among one kind: get kustomization podinfo",
		"suspend ks on prod":                           "suspend which kustomization? Name it",
		"suspend all x on prod":                        "suspend one kind at a time: source git, ",
		"suspend ks --all on prod":                     "`--all` is not to be had here\nWhat is changed is named, each object by its name",
		"suspend ks x on *":                            "what is changed is changed on clusters that are named: … on stage",
		"resume ks x on prod":                          "no rule lets you resume kustomizations",
		"reconcile hr x on prod":                       "no rule lets you reconcile helmreleases",
		"reconcile ks x on stage":                      "no rule lets you reconcile",
		"reconcile ks x --wait on prod":                "reconcile and resume wait by themselves",
		"reconcile ks x --timeout 5m":                  "on which cluster?",
		"reconcile ks x --timeout 5m on *":             "--timeout is at most 4m0s here",
		"reconcile ks x y on prod":                     `reconcile takes one name, and "y" is another`,
		"reconcile image policy x on prod":             "image policy has nothing to reconcile: it follows its image repository",
		"reconcile source git x --with-source on prod": "--with-source is for kustomizations and helmreleases",
		"tree hr x on prod":                            "tree shows what a kustomization has made",
		"get ks --context=x on prod":                   "Which cluster is meant stands at the end of the line",
		"get ks --as=x on prod":                        "As whom the cluster is asked is the configuration's, not the line's",
		"get ks -w on prod":                            "nothing is watched here: ask again",
		"get ks -f x on prod":                          "It reads files of the machine that ferry runs on",
		"get ks --frob on prod":                        "get does not take --frob here; it takes --namespace, --all-namespaces, --label-selector, --status-selector",
		"reconcile ks X on prod":                       `"X" is no name of an object`,
		"reconcile ks x because y on prod":             "reconcile takes one name",
		"get ks -A -n x on prod":                       "either --namespace or --all-namespaces",
	} {
		if _, err := decide(t, text, rules.Person{ID: "U1"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestQuestions(t *testing.T) {
	for text, want := range map[string]string{
		"suspend ks a b on prod":              "Shall I suspend kustomization a and b in namespace flux-system on prod, so that Flux leaves it as it is until somebody resumes it?",
		"resume source git fleet on prod,lab": "Shall I resume source git fleet in namespace flux-system on prod and lab, so that Flux goes on with it, at once?",
		"reconcile hr api -n apps on prod":    "Shall I reconcile helmrelease api in namespace apps on prod, so that Flux looks at it now?",
		"get ks on prod":                      "",
	} {
		d, err := decide(t, text, rules.Person{ID: "U9", Roles: []string{"admins"}})
		if err != nil || d.Confirm != want {
			t.Errorf("%s:\n got %s, %v\nwant %s", text, d.Confirm, err, want)
		}
	}
}

func TestConfig(t *testing.T) {
	const rest = "\nimpersonate: {groups: [sre]}\nrules: []"
	c, err := line.ReadConfig([]byte(rest))
	if err != nil || c.Namespace != "flux-system" || len(c.Confirm) != 2 {
		t.Errorf("%+v, %v", c, err)
	}
	for text, want := range map[string]string{
		"confirm: [get]" + rest:                               `confirm: "get" is none of reconcile, suspend, resume`,
		"wait: 0s" + rest:                                     "wait: more than nothing",
		"wiat: 1m" + rest:                                     `unknown field "wiat"`,
		"limits: {parallel: 100}" + rest:                      "limits.parallel",
		"rules: [{users: [U1]}]\nimpersonate: {nobody: true}": "rules[0]: no cluster is named",
		"rules: []":                                           "impersonate: say as which user",
	} {
		if _, err := line.ReadConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	cfg, err := line.ReadConfig([]byte("impersonate: {groups: [sre]}\nrules: [{users: ['*'], clusters: ['*'], resources: ['*'], namespaces: ['*']}]"))
	if err != nil {
		t.Fatal(err)
	}
	command, err := line.Parse("get ks on prod")
	if err != nil {
		t.Fatal(err)
	}
	d, err := line.Decide(command, cfg, rules.Person{ID: "U1"}, []string{"prod"})
	if err != nil || d.Runs[0].Access.As.User != "ferry-flux" {
		t.Errorf("groups alone are asked as %+v, %v", d.Runs, err)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"podinfo", "podinfo-canary", "flux-system"}
	for word, want := range map[string]string{"podinof": "podinfo", "podinf": "podinfo", "fluxsystem": "flux-system", "web": "", "x": ""} {
		if got := line.Nearest(word, names); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
}
