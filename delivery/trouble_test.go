package delivery_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ferry/delivery"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// TestTroubleNamesTheFile says for what cannot be built from Git which file it is,
// where that can be told, and what mends it.
func TestTroubleNamesTheFile(t *testing.T) {
	const listed = "resources: [web.yaml]\n"
	web := "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n---\n" + workload("web", "web:1.0.0")
	for _, c := range []struct {
		name  string
		files map[string]string
		links map[string]string
		code  string
		help  string
	}{
		{
			"a link to a file",
			map[string]string{"apps/kustomization.yaml": listed},
			map[string]string{"apps/web.yaml": "../../../etc/web.yaml"},
			delivery.Linked, "`apps/web.yaml` is a symbolic link to `../../../etc/web.yaml`, and Flux leaves links out\nFlux cannot build it either (Kustomization flux-system/apps): put the file itself there, then ask again",
		},
		{
			"a link in a list",
			map[string]string{"apps/kustomization.yaml": "resources: [a, b]\n", "apps/a/kustomization.yaml": "resources: [a.yaml]\n", "apps/a/a.yaml": workload("a", "a:1.0.0")},
			map[string]string{"apps/b": "../elsewhere"},
			delivery.Linked, "`apps/b` is a symbolic link to `../elsewhere`,",
		},
		{
			"the folder is a link",
			map[string]string{"clusters/prod/apps.yaml": flux("apps", "path: linked/below")},
			map[string]string{"linked": "apps"},
			delivery.Linked, "`linked` is a symbolic link to `apps`,",
		},
		{
			"a merge that was not finished",
			map[string]string{"apps/kustomization.yaml": listed, "apps/web.yaml": strings.Replace(web, "spec:", "<<<<<<< HEAD\nspec:", 1)},
			nil,
			delivery.Unreadable, "`apps/web.yaml` has a merge conflict at line 8 that nobody resolved\nFlux cannot build it either (Kustomization flux-system/apps): mend the file, then ask again",
		},
		{
			"no YAML, and the line is the file's",
			map[string]string{"apps/kustomization.yaml": listed, "apps/web.yaml": web + "\n  nonsense\n"},
			nil,
			delivery.Unreadable, "`apps/web.yaml` is not valid YAML: line ",
		},
		{
			"the kustomization is no YAML",
			map[string]string{"apps/kustomization.yaml": "resources: [\n"},
			nil,
			delivery.Unreadable, "`apps/kustomization.yaml` is not valid YAML: line ",
		},
		{
			"what was read and is none of it", map[string]string{
				"apps/kustomization.yaml": "resources: [web.yaml]\nconfigMapGenerator: [{name: notes, files: [notes.txt]}]\npatches: [{path: patch.yaml}]\n",
				"apps/notes.txt":          "a: b\nc\n", "apps/patch.yaml": workload("nobody", "web:2.0.0"),
			}, nil, delivery.Unreadable, "no matches for Id",
		},
		{
			"what is only missing",
			map[string]string{"apps/kustomization.yaml": "resources: [web.yaml, gone.yaml]\n"},
			nil,
			delivery.Unreadable, "apps/kustomization.yaml names \"gone.yaml\", which is not in the repository\nFlux cannot build it either",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := base()
			maps.Copy(files, c.files)
			r := newRig(t, repo(files))
			if len(c.links) > 0 {
				if _, err := r.repo.Link("main", "links", c.links); err != nil {
					t.Fatal(err)
				}
			}
			_, err := r.Plan(t.Context(), want("x/web", "1.0.1", "prod", "apps", false), unseen("prod"))
			e, ok := errors.AsType[*fault.Error](err)
			if !ok || e.Says != "web on prod cannot be built from Git as it is" || e.Code != c.code || !strings.Contains(e.Help, c.help) {
				t.Errorf("%s", explainOrNil(err))
			}
		})
	}
}

// TestTheBrokenLineIsTheFiles is why the file is read again: kustomize counts
// lines from the start of a document.
func TestTheBrokenLineIsTheFiles(t *testing.T) {
	files := base()
	before := workload("web", "web:1.0.0") + strings.Repeat("\n", 40) + "---\na: b\n"
	files["apps/web.yaml"] = before + "c\n"
	r := newRig(t, repo(files))
	_, err := r.Plan(t.Context(), want("x/web", "1.0.1", "prod", "apps", false), unseen("prod"))
	if line := fmt.Sprintf("not valid YAML: line %d:", strings.Count(before, "\n")+1); !strings.Contains(explainOrNil(err), line) {
		t.Errorf("it does not say %q: %s", line, explainOrNil(err))
	}
}

// TestRefusalsOfAValue are those in which what Git holds is the reason.
func TestRefusalsOfAValue(t *testing.T) {
	release := func(chart, values, more string) string {
		return "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: x}\nspec:\n  chart: {spec: {chart: web, " + chart +
			"sourceRef: {kind: HelmRepository, name: acme, namespace: flux-system}}}\n  values: {" + values + "}\n" + more
	}
	for _, c := range []struct {
		name, file, version string
		release             bool
		says, help, code    string
		choices             []string
	}{
		{
			"a range", release("version: '>=1.0.0', ", "", ""), "1.2.0", true,
			"HelmRelease web follows a range: Flux picks its version, not Git", "Git holds `>=1.0.0`; `pin` at the end puts exactly `1.2.0` there",
			delivery.Range,
			[]string{"promote web@1.2.0 to prod pin"},
		},
		{"latest", workload("web", "web:latest"), "1.2.0", false, "Deployment web runs `latest`, which names no version", "write a tag or a digest into Git first", delivery.Range, nil},
		{
			"sealed", release("", "image: {repository: r/web, tag: 1.0.0}, password: 'ENC[AES256_GCM,data:x]'", "sops: {mac: 'ENC[AES256_GCM,data:x]', version: 3.9.0}\n"), "1.2.0", true,
			"the version of web seems to stand in an encrypted file", "`apps/web.yaml` is encrypted with SOPS, whose seal an edit would break\nchange it with `sops`, or move the version into a file that is not encrypted",
			delivery.Encrypted, nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := base()
			files["apps/web.yaml"] = c.file
			r := newRig(t, repo(files))
			_, err := r.Plan(t.Context(), want("x/web", c.version, "prod", "apps", c.release), unseen("prod"))
			e, ok := errors.AsType[*fault.Error](err)
			if !ok || e.Says != c.says || !strings.Contains(e.Help, c.help) || e.Code != c.code || !slices.Equal(e.Choices, c.choices) {
				t.Errorf("%s, choices %q", explainOrNil(err), e.Choices)
			}
		})
	}
}

// TestALinkOnDiskIsNotFollowed is for people and CI: what stands outside of the
// checkout is not theirs to see in a message.
func TestALinkOnDiskIsNotFollowed(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside.yaml")
	files := base()
	files["clusters/prod/b.yaml"] = flux("b", "path: b")
	files["b/kustomization.yaml"] = "resources: [../apps/web.yaml, link.yaml]\n"
	if err := os.CopyFS(dir, repo(files)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(outside, []byte("hidden"), 0o600), os.Symlink(outside, filepath.Join(dir, "b", "link.yaml"))); err != nil {
		t.Fatal(err)
	}
	f, err := delivery.OpenFolder(t.Context(), dir, []string{"clusters/prod"})
	if err != nil {
		t.Fatal(err)
	}
	app, err := f.Find(t.Context(), "clusters/prod", "web")
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Plan(t.Context(), deploy.Change{Target: app.Target, Owner: app.Owner, Version: "1.0.1"})
	if said := explainOrNil(err); strings.Contains(said, "hidden") || !strings.Contains(said, "`b/link.yaml` is a symbolic link to `"+outside+"`") ||
		!strings.Contains(said, "put the file itself there, then ask again") {
		t.Errorf("%s", said)
	}
}
