package executor_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/flux/executor"
	"ferry/plugins/flux/fluxtest"
)

func TestReconcile(t *testing.T) {
	prod := cluster(t)
	out, result, err := say(t, "U1", "reconcile kustomization podinfo on prod", at("prod", prod))
	want := "Kustomization flux-system/podinfo: Flux is asked\nKustomization flux-system/podinfo: building\nKustomization flux-system/podinfo is ready at main@sha1:fedcba98, was at main@sha1:01234567\n"
	if err != nil || out != want || result.Failed || result.Title != "prod: Kustomization flux-system/podinfo is ready at main@sha1:fedcba98, was at main@sha1:01234567" {
		t.Errorf("out = %q, %+v, %v", out, result, err)
	}
	for _, r := range prod.Asked() {
		if !strings.HasSuffix(r, " as ferry:U1") || strings.HasPrefix(r, "PATCH") && r != "PATCH "+ks("podinfo")+" as ferry:U1" {
			t.Errorf("asked %s", r)
		}
	}
}

func TestReconcileWithSource(t *testing.T) {
	prod := cluster(t)
	out, result, err := say(t, "U1", "reconcile ks podinfo --with-source on prod", at("prod", prod))
	first, second := strings.Index(out, "GitRepository flux-system/fleet is ready at main@sha1:fedcba98, was at"), strings.Index(out, "Kustomization flux-system/podinfo: Flux is asked")
	if err != nil || result.Failed || first < 0 || second < first {
		t.Errorf("out = %q, %+v, %v", out, result, err)
	}
	out, result, err = say(t, "U1", "reconcile hr api -n apps --with-source on prod", at("prod", prod))
	for _, part := range []string{"HelmRepository flux-system/charts is an address alone", "HelmChart flux-system/apps-api is ready", "HelmRelease apps/api is ready at api@1.2.3"} {
		if err != nil || result.Failed || !strings.Contains(out, part) {
			t.Errorf("out = %q lacks %q, %+v, %v", out, part, result, err)
		}
	}
	prod.Flux = func(path string, o fluxtest.Object) { handle(prod, path, o, "no such branch") }
	out, result, err = say(t, "U1", "reconcile ks podinfo --with-source on prod", at("prod", prod))
	if err != nil || !result.Failed || !strings.HasSuffix(out, "GitRepository flux-system/fleet is not ready at main@sha1:01234567: BuildFailed: no such branch; Kustomization flux-system/podinfo was not asked\n") {
		t.Errorf("out = %q, %+v, %v", out, result, err)
	}
	prod.Put(fluxtest.Path(kustomize, "apps", "kustomizations", "shop"), "{spec: {sourceRef: {kind: GitRepository, name: fleet, namespace: flux-system}}}")
	prod.Asked()
	out, result, err = say(t, "APPS", "reconcile ks shop -n apps --with-source on prod", at("prod", prod))
	if err != nil || !result.Failed || out != "no rule lets you reconcile its source, the GitRepository/flux-system/fleet: leave out --with-source\n" {
		t.Errorf("out = %q, %+v, %v", out, result, err)
	}
	if asked := prod.Asked(); slices.ContainsFunc(asked, func(r string) bool { return !strings.HasPrefix(r, "GET ") || strings.Contains(r, "gitrepositories") }) {
		t.Errorf("asked %q", asked)
	}
}

func TestReconcileThatFails(t *testing.T) {
	prod := cluster(t)
	prod.Flux = func(path string, o fluxtest.Object) { handle(prod, path, o, "kustomization.yaml not found") }
	out, result, err := say(t, "U1", "reconcile ks podinfo on prod", at("prod", prod))
	if err != nil || !result.Failed || result.Title != "flux reconcile failed on prod" ||
		!strings.HasSuffix(out, "\nKustomization flux-system/podinfo is not ready at main@sha1:01234567: BuildFailed: kustomization.yaml not found\n") {
		t.Errorf("out = %q, %+v, %v", out, result, err)
	}
	prod.Merge(ks("podinfo"), "{spec: {suspend: true}}")
	out, result, _ = say(t, "U1", "reconcile ks podinfo on prod", at("prod", prod))
	if !result.Failed || out != "Kustomization flux-system/podinfo is suspended: resume it first\n" {
		t.Errorf("out = %q, %+v", out, result)
	}
}

// TestFluxDoesNotAnswer waits as long as the line says, and tells two ways of not
// coming to an end from each other.
func TestFluxDoesNotAnswer(t *testing.T) {
	prod := cluster(t)
	prod.Flux = nil
	out, result, err := say(t, "U1", "reconcile ks podinfo --timeout 1s on prod", at("prod", prod))
	if err != nil || !result.Failed || !strings.HasSuffix(out, "Kustomization flux-system/podinfo: Flux has not taken it up within 1s: is its controller running? `flux get kustomization podinfo -n flux-system on prod` shows how it goes on\n") {
		t.Errorf("out = %q, %+v, %v", out, result, err)
	}
	prod.Flux = func(path string, _ fluxtest.Object) {
		prod.Merge(path, `{status: {conditions: [{type: Reconciling, status: "True", reason: Progressing, message: waiting for health}, {type: Ready, status: Unknown, reason: Progressing, message: waiting for health}]}}`)
	}
	out, result, err = say(t, "U1", "reconcile ks podinfo --timeout 1s on prod", at("prod", prod))
	if err != nil || !result.Failed || !strings.Contains(out, "podinfo: waiting for health\n") || !strings.Contains(out, "Flux has not done with it within 1s, and goes on (Progressing: waiting for health);") {
		t.Errorf("out = %q, %+v, %v", out, result, err)
	}
}

func TestCancelled(t *testing.T) {
	prod := cluster(t)
	ctx, cancel := context.WithCancel(t.Context())
	prod.Flux = func(string, fluxtest.Object) { cancel() }
	_, err := executor.New("test").Execute(ctx, request("U1", "reconcile ks podinfo on prod", at("prod", prod)), &bytes.Buffer{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

// TestDeletedMeanwhile checks that nobody waits for what is gone.
func TestDeletedMeanwhile(t *testing.T) {
	prod := cluster(t)
	prod.Flux = func(path string, _ fluxtest.Object) { prod.Delete(path) }
	out, result, err := say(t, "U1", "reconcile ks podinfo on prod", at("prod", prod))
	if err != nil || !result.Failed || !strings.HasSuffix(out, "Kustomization flux-system/podinfo: it was deleted meanwhile\n") {
		t.Errorf("out = %q, %+v, %v", out, result, err)
	}
}

// TestWithoutWatch follows an object that may be read and not watched.
func TestWithoutWatch(t *testing.T) {
	prod := cluster(t)
	prod.Deny = func(r string) bool {
		return r == "GET /apis/"+kustomize+"/namespaces/flux-system/kustomizations as ferry:U1"
	}
	out, result, err := say(t, "U1", "reconcile ks podinfo on prod", at("prod", prod))
	if err != nil || result.Failed || !strings.Contains(out, "is ready at main@sha1:fedcba98") {
		t.Errorf("out = %q, %+v, %v", out, result, err)
	}
}

// TestSomebodyElseAsks checks that a request that took the place of ours counts.
func TestSomebodyElseAsks(t *testing.T) {
	prod := cluster(t)
	prod.Flux = func(path string, _ fluxtest.Object) {
		prod.Merge(path, "{metadata: {annotations: {reconcile.fluxcd.io/requestedAt: theirs}}}")
		handle(prod, path, prod.Object(path), "")
	}
	out, result, err := say(t, "U1", "reconcile ks podinfo on prod", at("prod", prod))
	if err != nil || result.Failed || !strings.Contains(out, "is ready at main@sha1:fedcba98") {
		t.Errorf("out = %q, %+v, %v", out, result, err)
	}
}

func TestSuspendAndResume(t *testing.T) {
	prod := cluster(t)
	e, ask := executor.New("test"), request("U1", "suspend kustomization podinfo on prod", at("prod", prod))
	var out bytes.Buffer
	result, err := e.Execute(t.Context(), ask, &out)
	if err != nil || result.Confirm != "Shall I suspend kustomization podinfo in namespace flux-system on prod, so that Flux leaves it as it is until somebody resumes it?" || len(prod.Asked()) > 0 {
		t.Fatalf("%q, %+v, %v", out.String(), result, err)
	}
	ask.Confirmed = true
	for _, meddle := range []func(*api.ExecuteRequest){
		func(r *api.ExecuteRequest) { r.User.ID = "READER" },
		func(r *api.ExecuteRequest) { r.Line = "suspend kustomization flux-system on prod" },
		func(r *api.ExecuteRequest) {
			r.Config = []byte(strings.Replace(config, "wait:", "namespace: apps\nwait:", 1))
		},
	} {
		other := ask
		meddle(&other)
		if _, err := e.Execute(t.Context(), other, &out); !api.IsRefusal(err) || len(prod.Asked()) > 0 {
			t.Errorf("%s by %s is done, which nobody confirmed: %v", other.Line, other.User.ID, err)
		}
	}
	ask.User = api.User{ID: "U9", Roles: []string{"admins"}} // somebody else presses, as themselves
	result, err = e.Execute(t.Context(), ask, &out)
	want := "Kustomization flux-system/podinfo is suspended at main@sha1:01234567: Flux leaves it as it is\n" +
		"Kustomization flux-system/flux-system applies it, and ends this if Git says `suspend: false`\n" +
		"Undo: `flux resume kustomization podinfo -n flux-system on prod`; who may: role admins; user U1\n"
	if err != nil || result.Failed || out.String() != want || result.Title != "prod: Kustomization flux-system/podinfo is suspended at main@sha1:01234567: Flux leaves it as it is" {
		t.Errorf("out = %q, %+v, %v", out.String(), result, err)
	}
	if spec, _ := prod.Object(ks("podinfo"))["spec"].(fluxtest.Object); spec["suspend"] != true || spec["sourceRef"] == nil {
		t.Errorf("spec = %v", spec)
	}
	if asked := prod.Asked(); !slices.Contains(asked, "PATCH "+ks("podinfo")+" as ferry:U9") {
		t.Errorf("asked %q", asked)
	}
	if _, err := e.Execute(t.Context(), ask, &out); !api.IsRefusal(err) {
		t.Errorf("confirmed once, done twice: %v", err)
	}
	again, result, err := say(t, "U1", "suspend kustomization podinfo on prod", at("prod", prod))
	if err != nil || result.Failed || !strings.HasPrefix(again, "Kustomization flux-system/podinfo is suspended already\n") {
		t.Errorf("out = %q, %+v, %v", again, result, err)
	}
	back, result, err := say(t, "U1", "resume ks podinfo away on prod", at("prod", prod))
	if err != nil || result.Failed || !strings.Contains(back, "podinfo is ready at main@sha1:fedcba98, was at main@sha1:01234567\n") || !strings.Contains(back, "Kustomization flux-system/away is not suspended\n") {
		t.Errorf("out = %q, %+v, %v", back, result, err)
	}
	if spec, _ := prod.Object(ks("podinfo"))["spec"].(fluxtest.Object); spec["suspend"] != nil {
		t.Errorf("spec = %v", spec)
	}
}

func TestSeveralClusters(t *testing.T) {
	prod, stage := cluster(t), cluster(t)
	gone := at("stage", stage)
	stage.Close()
	begin := time.Now()
	out, result, err := say(t, "U1", "reconcile source git fleet on *", at("prod", prod), gone, api.Cluster{Name: "lab"})
	if err != nil || !result.Failed || result.Title != "flux reconcile failed on stage, and went well on prod" || time.Since(begin) > 10*time.Second {
		t.Errorf("%+v, %v", result, err)
	}
	for _, part := range []string{"prod: GitRepository flux-system/fleet is ready at main@sha1:fedcba98", "stage: the cluster does not answer: ", "\nnot asked, for no rule lets you: lab\n"} {
		if !strings.Contains(out, part) {
			t.Errorf("out = %q lacks %q", out, part)
		}
	}
	out, result, err = say(t, "U1", "get kustomizations on stage,prod", at("prod", prod), gone)
	if err != nil || !result.Failed || !strings.HasPrefix(out, "== prod ==\nNAME ") || !strings.Contains(out, "== stage ==\nstage: the cluster does not answer: ") {
		t.Errorf("out = %q, %+v, %v", out, result, err)
	}
	if _, _, err := say(t, "U1", "suspend ks podinfo on *", at("prod", prod)); err == nil || err.Error() != "what is changed is changed on clusters that are named: … on prod" {
		t.Errorf("suspended everywhere: %v", err)
	}
}

// TestCheck: what a schema cannot say is said before the first line.
func TestCheck(t *testing.T) {
	t.Parallel()
	const rule = "impersonate: {user: a}\nrules: [{users: ['*'], clusters: ['*'], verbs: ['*', reconcile"
	for config, want := range map[string]string{
		rule + "]}]": "", rule + ", delete]}]": `there is no "delete" here; there is reconcile, suspend, resume, get, tree`, rule + "]}]\nwait: 2h": "wait: more than nothing",
	} {
		err := executor.New("v1").Check(t.Context(), api.CheckRequest{Config: []byte(config)})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", config, err, want)
		}
	}
}
