package flux

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"ferry/delivery/snapshot"
)

// memory serves contents from a map of files.
type memory map[string][]byte

func (m memory) Blobs(_ context.Context, shas []string) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, sha := range shas {
		out[sha] = m[sha]
	}
	return out, nil
}

func filesOf(files map[string]string) Files {
	blobs := memory{}
	var entries []snapshot.Entry
	for p, data := range files {
		sha := snapshot.HashBlob([]byte(data))
		blobs[sha] = []byte(data)
		entries = append(entries, snapshot.Entry{Path: p, Mode: snapshot.ModeFile, SHA: sha, Size: len(data)})
	}
	return Files{Tree: snapshot.NewTree("x", entries), Blobs: snapshot.NewBlobs(blobs, 0)}
}

func rendered(t *testing.T, r *Renderer, f Files, spec Spec) map[ID]string {
	t.Helper()
	out, err := r.Render(t.Context(), f, Kustomization{Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	all := map[ID]string{}
	if out.Err != nil {
		all[ID{}] = "error"
	}
	for _, o := range out.Objects {
		all[o.ID()] = string(o.JSON)
	}
	return all
}

// TestListsBuildAlike holds entry-by-entry builds against builds at once.
func TestListsBuildAlike(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	composed := 0
	for n := range 60 {
		files := randomList(rng)
		f := filesOf(files)
		parts, whole := NewRenderer(), NewRenderer()
		whole.atOnce = true
		spec := Spec{Path: "list"}
		got, want := rendered(t, parts, f, spec), rendered(t, whole, f, spec)
		if !maps.Equal(got, want) {
			t.Fatalf("list %d: %s\nentry by entry %v\nat once        %v", n, dump(files), got, want)
		}
		out, err := parts.Render(t.Context(), f, Kustomization{Spec: spec})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.parts) > 0 {
			composed++
		}
		// An edit of one file: the same again.
		for p := range files {
			if strings.HasSuffix(p, "workload.yaml") {
				edited := f.With(p, []byte(strings.Replace(files[p], ":1", ":2", 1)))
				if got, want := rendered(t, parts, edited, spec), rendered(t, whole, edited, spec); !maps.Equal(got, want) {
					t.Fatalf("list %d with %s edited: entry by entry %v, at once %v", n, p, got, want)
				}
				break
			}
		}
	}
	if composed < 15 || composed > 58 {
		t.Errorf("%d of 60 lists were built entry by entry: the test does not try both ways", composed)
	}
}

func dump(files map[string]string) string {
	var b strings.Builder
	for p, data := range files {
		fmt.Fprintf(&b, "-- %s --\n%s", p, data)
	}
	return b.String()
}

// randomList is a folder "list" of up to six entries, each with one of the
// things that may reach beyond it.
func randomList(rng *rand.Rand) map[string]string {
	files := map[string]string{}
	var entries strings.Builder
	for i := range 2 + rng.IntN(5) {
		dir := fmt.Sprintf("list/e%d", i)
		fmt.Fprintf(&entries, "- e%d\n", i)
		ns := "ns" + fmt.Sprint(rng.IntN(2))
		name := fmt.Sprintf("app%d", i)
		if rng.IntN(12) == 0 {
			name = "app0" // the same object again, perhaps
		}
		kus := "resources: [workload.yaml]\n"
		files[dir+"/workload.yaml"] = fmt.Sprintf("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %s, namespace: %s}\nspec: {template: {spec: {serviceAccountName: sa, containers: [{name: a, image: \"r/%s:1\", envFrom: [{configMapRef: {name: settings}}]}]}}}\n", name, ns, name)
		switch rng.IntN(14) {
		case 0:
			kus += "configMapGenerator: [{name: settings, namespace: " + ns + ", literals: [a=b]}]\n"
		case 1:
			kus += "namePrefix: x-\n"
		case 2, 3:
			kus += "namespace: moved\n"
		case 4:
			kus += "images: [{name: r/" + name + ", newTag: \"7\"}]\n"
		case 5:
			kus += "commonLabels: {team: a}\n"
		case 6:
			files[dir+"/workload.yaml"] += "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: b" + name + "}\nroleRef: {kind: ClusterRole, name: r, apiGroup: rbac.authorization.k8s.io}\nsubjects: [{kind: ServiceAccount, name: sa, namespace: " + ns + "}]\n"
		case 7:
			files[dir+"/workload.yaml"] += "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: sa, namespace: " + ns + "}\n"
			kus += "namespace: moved\n"
		case 8:
			files[dir+"/workload.yaml"] += "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: " + ns + ", annotations: {kustomize.config.k8s.io/needs-hash: \"true\"}}\n"
		case 9:
			kus = "resources: [workload.yaml, ../../shared]\n"
			files["shared/kustomization.yaml"] = "resources: [cm.yaml]\n"
			files["shared/cm.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared}\n"
		}
		files[dir+"/kustomization.yaml"] = kus
	}
	files["list/kustomization.yaml"] = "resources:\n" + entries.String()
	switch rng.IntN(10) {
	case 0:
		files["list/kustomization.yaml"] += "namespace: all\n"
	case 1:
		files["list/kustomization.yaml"] += "patches: [{target: {kind: Deployment}, patch: '[{op: add, path: /spec/replicas, value: 3}]'}]\n"
	case 2:
		files["list/kustomization.yaml"] += "images: [{name: r/app1, newTag: \"9\"}]\ncommonAnnotations: {a: b}\nlabels: [{pairs: {x: y}, includeSelectors: true}]\n"
	case 3:
		files["list/kustomization.yaml"] += "patches: [{patch: '{apiVersion: apps/v1, kind: Deployment, metadata: {name: app1, namespace: ns1}, spec: {replicas: 2}}'}]\n"
	}
	return files
}
