package app

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checkout writes files into a folder.
func checkout(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const declares = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: apps, namespace: flux-system}\nspec: {path: apps/CLUSTER, sourceRef: {kind: GitRepository, name: flux-system}}\n"

// sharedCheckout are two clusters that take the version of web from one base.
func sharedCheckout() map[string]string {
	return map[string]string{
		"clusters/prod/apps.yaml": strings.Replace(declares, "CLUSTER", "prod", 1), "clusters/stage/apps.yaml": strings.Replace(declares, "CLUSTER", "stage", 1),
		"base/kustomization.yaml": "resources: [web.yaml]\n", "apps/prod/kustomization.yaml": "resources: [../../base]\n", "apps/stage/kustomization.yaml": "resources: [../../base]\n",
		"base/web.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: x}\nspec: {template: {spec: {containers: [{name: web, image: \"web:1.0.0\"}]}}}\n",
	}
}

// offlineRun runs `ferry plan` on a folder.
func offlineRun(dir string, args ...string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	p := Process{Out: &stdout, Err: &stderr}
	code = p.plan(context.Background(), append([]string{"--repo", dir, "--cluster", "clusters/prod", "--app", "web"}, args...))
	return code, stdout.String(), stderr.String()
}

func TestPlanPinsAndUnpins(t *testing.T) {
	t.Parallel()
	dir := checkout(t, sharedCheckout())
	if code, _, errs := offlineRun(dir, "--unpin"); code != exitRefused || !strings.Contains(errs, "web on clusters/prod has no pin") {
		t.Fatalf("nothing to unpin: %d, %s", code, errs)
	}
	if code, out, errs := offlineRun(dir, "--version", "1.0.1", "--pin", "--write"); code != exitOK || !strings.Contains(out, "+    newTag: 1.0.1") {
		t.Fatalf("pin: %d, %s%s", code, out, errs)
	}
	code, out, _ := offlineRun(dir, "--unpin", "-o", "json")
	var refused jsonPlan
	if err := json.Unmarshal([]byte(out), &refused); err != nil || code != exitRefused || refused.Refused == nil || refused.Refused.Kind != "behind" || len(refused.Refused.Choices) != 2 {
		t.Fatalf("unpin before the base: %d, %s, %v", code, out, err)
	}
	base := filepath.Join(dir, "base/web.yaml")
	if err := os.WriteFile(base, []byte(strings.Replace(sharedCheckout()["base/web.yaml"], "1.0.0", "1.0.1", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	code, out, errs := offlineRun(dir, "--unpin", "--write")
	if now, err := os.ReadFile(filepath.Join(dir, "apps/prod/kustomization.yaml")); err != nil || code != exitOK || string(now) != sharedCheckout()["apps/prod/kustomization.yaml"] ||
		!strings.Contains(out, "-    newTag: 1.0.1") || !strings.Contains(errs, "It takes `1.0.1` from `base/web.yaml:4`") {
		t.Errorf("unpin: %d, %s, %s, %s, %v", code, now, out, errs, err)
	}
}

func TestPlanWithTheOthers(t *testing.T) {
	t.Parallel()
	dir := checkout(t, sharedCheckout())
	code, out, _ := offlineRun(dir, "--version", "1.0.1", "-o", "json")
	var refused jsonPlan
	if err := json.Unmarshal([]byte(out), &refused); err != nil || code != exitRefused || refused.Refused == nil || strings.Join(refused.Refused.Sharing, " ") != "clusters/stage/x/web" {
		t.Fatalf("%d, %s, %v", code, out, err)
	}
	for _, with := range []string{"clusters/stage", "./clusters/stage/=x/web"} {
		if code, out, errs := offlineRun(dir, "--version", "1.0.1", "--with", with); code != exitOK || !strings.Contains(out, "+++ b/base/web.yaml") {
			t.Errorf("with %s: %d, %s%s", with, code, out, errs)
		}
	}
	if code, _, errs := offlineRun(dir, "--version", "1.0.1", "--with", "clusters/stage=api"); code != exitRefused || !strings.Contains(errs, "no app api on clusters/stage") {
		t.Errorf("with another app: %d, %s", code, errs)
	}
}

func TestPlanTagOnly(t *testing.T) {
	t.Parallel()
	files := sharedCheckout()
	files["apps/stage/kustomization.yaml"] = "resources: []\n"
	files["base/web.yaml"] = strings.Replace(files["base/web.yaml"], "web:1.0.0", "web:1.0.0@sha256:"+strings.Repeat("1", 64), 1)
	dir := checkout(t, files)
	if code, _, errs := offlineRun(dir, "--version", "1.0.1"); code != exitRefused || !strings.Contains(errs, "is at a digest: a new tag alone would change nothing") {
		t.Errorf("untold: %d, %s", code, errs)
	}
	if code, out, errs := offlineRun(dir, "--version", "1.0.1", "--tag-only"); code != exitOK || !strings.Contains(out, `image: "web:1.0.1"}`) {
		t.Errorf("told: %d, %s%s", code, out, errs)
	}
}

func TestPlanUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"--unpin", "--version", "1"}, {"--unpin", "--pin"}, {"--version", "1", "--pin", "--with", "x"}} {
		if code, _, errs := offlineRun(t.TempDir(), args...); code != exitUsage || !strings.Contains(errs, "ferry plan:") {
			t.Errorf("%v: %d, %s", args, code, errs)
		}
	}
}
