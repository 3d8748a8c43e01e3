package flux

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"ferry/e2e/testbed"
)

func web(image string) map[string]string {
	return map[string]string{"apps/web.yaml": strings.Replace(deployment, "web:1", "web:"+image, 1)}
}

func TestFlux(t *testing.T) {
	w := newWorld(t)
	t.Run("reconcile with its source", w.reconcile)
	t.Run("suspended: nothing happens; resumed: it comes", w.suspend)
	t.Run("a helm release", w.release)
	t.Run("tree and get", w.show)
	t.Run("what fails says why", w.fail)
	t.Run("RBAC has the last word", w.lastWord)
	t.Run("a cluster that is away", w.away)
}

func (w *world) image(t *testing.T) string {
	t.Helper()
	image, err := w.DeploymentImage(t.Context(), "shop", "web")
	must(t, err)
	return image
}

func (w *world) reconcile(t *testing.T) {
	commit := w.push(web("2"))
	s := w.say("WRITER", "reconcile kustomization apps --with-source on prod")
	if s.err != nil || s.result.Failed || s.asked != "" || !strings.HasPrefix(s.result.Title, "prod: Kustomization flux-system/apps is ready at main@sha1:"+commit+", was at main@sha1:") {
		t.Errorf("%+v", s)
	}
	if got := w.image(t); got != "example.com/web:2" {
		t.Errorf("it runs %s", got)
	}
}

// suspend stops one Kustomization while the one that applies it goes on: when that has
// come to a commit, the other had its chance.
func (w *world) suspend(t *testing.T) {
	s := w.say("WRITER", "suspend ks apps on prod")
	if s.err != nil || s.result.Failed || !strings.HasPrefix(s.asked, "Shall I suspend kustomization apps in namespace flux-system on prod,") ||
		!strings.Contains(s.out, "Kustomization flux-system/flux-system applies it, and ends this if Git says `suspend: false`\nUndo: `flux resume kustomization apps -n flux-system on prod`; who may: users POOR, READER, WRITER\n") {
		t.Errorf("%+v", s)
	}
	commit := w.push(web("3"))
	if s := w.say("WRITER", "reconcile ks flux-system --with-source on prod"); s.result.Failed || !strings.Contains(s.result.Title, "is ready at main@sha1:"+commit) {
		t.Errorf("%+v", s)
	}
	if s := w.say("WRITER", "reconcile ks apps on prod"); !s.result.Failed || s.out != "Kustomization flux-system/apps is suspended: resume it first\n" {
		t.Errorf("%+v", s)
	}
	if got := w.image(t); got != "example.com/web:2" {
		t.Errorf("it runs %s though it is suspended", got)
	}
	s = w.say("READER", "get kustomizations on prod")
	if s.result.Title != "flux get on prod: all 1 ready, 1 suspended" || !strings.Contains(s.out, "flux-system   main@sha1:"+commit+"   False       True    Applied revision: main@sha1:") {
		t.Errorf("%+v", s)
	}
	s = w.say("WRITER", "resume ks apps on prod")
	if s.err != nil || s.result.Failed || !strings.HasPrefix(s.result.Title, "prod: Kustomization flux-system/apps is ready at main@sha1:"+commit+", was at") {
		t.Errorf("%+v", s)
	}
	if got := w.image(t); got != "example.com/web:3" {
		t.Errorf("it runs %s", got)
	}
}

func (w *world) release(t *testing.T) {
	s := w.say("WRITER", "reconcile hr gateway -n shop --with-source on prod")
	for _, part := range []string{"HelmRepository flux-system/charts is ready", "HelmChart flux-system/shop-gateway is ready at 6.5.3", "HelmRelease shop/gateway is ready at podinfo@6.5.3"} {
		if s.err != nil || s.result.Failed || !strings.Contains(s.out, part) {
			t.Errorf("%+v lacks %q", s, part)
		}
	}
}

func (w *world) show(t *testing.T) {
	s := w.say("READER", "tree kustomization flux-system on prod")
	lines := strings.Split(s.out, "\n")
	for i, want := range []string{
		"Kustomization/flux-system/flux-system  ready, main@sha1:", "└── Kustomization/flux-system/apps  ready, main@sha1:", "    ├── Namespace/shop", "    ├── Deployment/shop/web",
		"    └── HelmRelease/shop/gateway  ready, podinfo@6.5.3", "        └── Deployment/shop/gateway",
	} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d of\n%s is not %q", i+1, s.out, want)
		}
	}
	if s := w.say("READER", "get all -A on prod"); s.result.Title != "flux get on prod: all 6 ready" || !strings.Contains(s.out, "helmrelease/gateway") {
		t.Errorf("%+v", s)
	}
	if s := w.say("READER", "get ks app on prod"); !strings.HasSuffix(s.out, "there is no kustomization \"app\" in namespace flux-system; did you mean apps?\n") {
		t.Errorf("%+v", s)
	}
	if s := w.say("READER", "get images on prod"); !strings.HasSuffix(s.out, "there is no image automation on this cluster: it serves nothing of image.toolkit.fluxcd.io\n") {
		t.Errorf("%+v", s)
	}
}

func (w *world) fail(t *testing.T) {
	w.push(map[string]string{"apps/kustomization.yaml": "resources: [nowhere.yaml]\n"})
	s := w.say("WRITER", "reconcile ks apps --with-source on prod")
	if s.err != nil || !s.result.Failed || !strings.Contains(s.out, "Kustomization flux-system/apps is not ready at main@sha1:") || !strings.Contains(s.out, "BuildFailed: ") {
		t.Errorf("%+v", s)
	}
	if s := w.say("READER", "get all -A --status-selector ready=false on prod"); s.result.Title != "flux get on prod: 1 of 1 not ready" || !strings.Contains(s.out, "kustomization/apps") {
		t.Errorf("%+v", s)
	}
	commit := w.push(map[string]string{"apps/kustomization.yaml": "resources: [namespace.yaml, web.yaml, gateway.yaml]\n"})
	if s := w.say("WRITER", "reconcile ks apps --with-source on prod"); s.result.Failed || !strings.Contains(s.result.Title, "is ready at main@sha1:"+commit) {
		t.Errorf("%+v", s)
	}
}

// lastWord asks as people whom ferry's rules let and the cluster does not.
func (w *world) lastWord(t *testing.T) {
	s := w.say("READER", "suspend ks apps on prod")
	if s.err != nil || !s.result.Failed || !strings.Contains(s.out, `the cluster's RBAC says no: kustomizations.kustomize.toolkit.fluxcd.io "apps" is forbidden: User "ferry:READER" cannot patch resource`) {
		t.Errorf("%+v", s)
	}
	s = w.say("POOR", "get ks on prod")
	if s.err != nil || !s.result.Failed || !strings.Contains(s.out, `User "ferry:POOR" cannot list resource "kustomizations"`) {
		t.Errorf("%+v", s)
	}
	apps, err := w.Get(t.Context(), testbed.Kustomization, "flux-system", "apps")
	must(t, err)
	if suspended, _, _ := unstructured.NestedBool(apps.Object, "spec", "suspend"); suspended {
		t.Error("it is suspended by somebody who may not")
	}
}

func (w *world) away(t *testing.T) {
	s := w.say("WRITER", "reconcile source git flux-system on *")
	if s.err != nil || s.result.Title != "flux reconcile failed on away, and went well on prod" || !strings.Contains(s.out, "\naway: the cluster does not answer: ") && !strings.HasPrefix(s.out, "away: the cluster does not answer: ") {
		t.Errorf("%+v", s)
	}
	s = w.say("READER", "get ks on away,prod")
	if s.err != nil || !s.result.Failed || !strings.Contains(s.out, "== prod ==\nNAME ") || !strings.Contains(s.out, "== away ==\naway: the cluster does not answer: ") {
		t.Errorf("%+v", s)
	}
}
