package executor_test

import (
	"strings"
	"testing"

	"ferry/plugins/flux/fluxtest"
)

func TestGet(t *testing.T) {
	prod := cluster(t)
	for _, c := range []struct{ line, title, want string }{
		{"get kustomizations on prod", "flux get on prod: all 3 ready", `NAME          REVISION             SUSPENDED   READY   MESSAGE
away                               False       True    applied
flux-system   main@sha1:01234567   False       True    applied
podinfo       main@sha1:01234567   False       True    Applied revision: main@sha1:01234567
`},
		{"get ks podinfo on prod", "flux get on prod: all 1 ready", `NAME      REVISION             SUSPENDED   READY   MESSAGE
podinfo   main@sha1:01234567   False       True    Applied revision: main@sha1:01234567
`},
		{"get hr -n apps on prod", "flux get on prod: 1 of 1 not ready", `NAME   REVISION    SUSPENDED   READY   MESSAGE
api    api@1.2.3   False       False   UpgradeFailed: timed out waiting
`},
		{"get sources on prod", "flux get on prod: all 3 ready", `NAME                  REVISION             SUSPENDED   READY   MESSAGE
gitrepository/fleet   main@sha1:01234567   False       True    stored artifact

NAME                    REVISION   SUSPENDED   READY   MESSAGE
helmrepository/charts              False       True    an address alone: Flux has nothing to fetch

NAME                 REVISION   SUSPENDED   READY   MESSAGE
helmchart/apps-api   1.2.3      False       True    pulled
`},
		{"get all -n apps --status-selector ready=FALSE on prod", "flux get on prod: 1 of 1 not ready", `NAME              REVISION    SUSPENDED   READY   MESSAGE
helmrelease/api   api@1.2.3   False       False   UpgradeFailed: timed out waiting
`},
		{"get images -n apps on prod", "flux get on prod: all 1 ready", `NAME              REVISION                SUSPENDED   READY   MESSAGE
imagepolicy/api   example.com/api:1.2.3   False       True    resolved
`},
		{"get all --status-selector ready=unknown on prod", "flux get on prod: nothing like that", "nothing of Flux's like that in namespace flux-system; -n names another, -A means all\n"},
		{"get source oci on prod", "flux get on prod: nothing there", "no ocirepositories in namespace flux-system; -n names another, -A means all\n"},
	} {
		out, result, err := say(t, "READER", c.line, at("prod", prod))
		if err != nil || result.Failed || result.Title != c.title || out != c.want {
			t.Errorf("%s: %+v, %v\n%s", c.line, result, err, out)
		}
	}
}

func TestGetEverywhere(t *testing.T) {
	prod := cluster(t)
	prod.Merge(ks("podinfo"), "{spec: {suspend: true}}")
	r := request("U9", "get ks -A on prod", at("prod", prod))
	if _, _, err := say(t, "READER", r.Line, r.Clusters...); err == nil || err.Error() != "no rule lets you get kustomizations.kustomize.toolkit.fluxcd.io in all namespaces on prod" {
		t.Errorf("-A by somebody who may not: %v", err)
	}
	out, result := asAdmin(t, r.Line, prod)
	if !strings.HasPrefix(out, "NAMESPACE     NAME ") || !strings.Contains(out, "flux-system   podinfo       main@sha1:01234567   True        True    Applied revision: main@sha1:01234567\n") || result != "flux get on prod: all 2 ready, 1 suspended" {
		t.Errorf("%s\n%s", result, out)
	}
	out, _, err := say(t, "APPS", "get all -n apps on prod", at("prod", prod))
	if err != nil || !strings.Contains(out, "no kustomizations in namespace apps") || !strings.Contains(out, "not asked, for no rule lets you: gitrepositories, ") {
		t.Errorf("out = %q, %v", out, err)
	}
}

func TestTree(t *testing.T) {
	prod := cluster(t)
	out, result, err := say(t, "READER", "tree kustomization flux-system on prod", at("prod", prod))
	want := `Kustomization/flux-system/flux-system  ready, main@sha1:01234567
├── GitRepository/flux-system/fleet  ready, main@sha1:01234567
├── Namespace/apps
├── Kustomization/flux-system/podinfo  ready, main@sha1:01234567
│   ├── Deployment/apps/podinfo
│   └── HelmRelease/apps/api  not ready, api@1.2.3: UpgradeFailed: timed out waiting
│       └── Deployment/apps/api
├── ClusterRole/ns:view
├── Kustomization/kube-system/hidden  (no rule lets you see it)
├── Kustomization/flux-system/away  ready
│   └── (in the cluster of its kubeConfig:)
│       └── HelmRelease/edge/web
└── Kustomization/flux-system/deleted  (is gone)
`
	if err != nil || result.Failed || out != want || result.Title != "flux tree on prod: 1 of 5 not ready" {
		t.Errorf("%+v, %v\n%s", result, err, out)
	}
	for _, r := range prod.Asked() {
		if strings.Contains(r, "kube-system") || strings.Contains(r, "edge") {
			t.Errorf("asked %s", r)
		}
	}
	out, _, _ = say(t, "READER", "tree ks podinfo --compact on prod", at("prod", prod))
	if want := "Kustomization/flux-system/podinfo  ready, main@sha1:01234567\n└── HelmRelease/apps/api  not ready, api@1.2.3: UpgradeFailed: timed out waiting\n"; out != want {
		t.Errorf("%s", out)
	}
	prod.Merge(ks("podinfo"), "{status: {inventory: {entries: [{id: flux-system_flux-system_kustomize.toolkit.fluxcd.io_Kustomization, v: v1}]}}}")
	if out, _, err = say(t, "READER", "tree ks podinfo on prod", at("prod", prod)); err != nil || strings.Count(out, "flux-system/podinfo") != 2 {
		t.Errorf("two that apply each other: %v\n%s", err, out)
	}
}

func TestWhatIsNotThere(t *testing.T) {
	prod := cluster(t)
	prod.Put(fluxtest.Path(kustomize, "apps", "kustomizations", "shop"), "{spec: {}}")
	for line, want := range map[string]string{
		"get ks podinof on prod":            `there is no kustomization "podinof" in namespace flux-system; did you mean podinfo?`,
		"reconcile ks whatever on prod":     `there is no kustomization "whatever" in namespace flux-system; there are away, flux-system, podinfo`,
		"reconcile ks shop on prod":         `there is no kustomization "shop" in namespace flux-system; there are away, flux-system, podinfo`,
		"reconcile source bucket x on prod": `there is no source bucket "x" in namespace flux-system, which has none`,
	} {
		out, result, err := say(t, "U1", line, at("prod", prod))
		if err != nil || !result.Failed || !strings.HasSuffix(out, want+"\n") {
			t.Errorf("%s: %q, %+v, %v", line, out, result, err)
		}
	}
	if out, _ := asAdmin(t, "tree ks shop on prod", prod); !strings.HasSuffix(out, "; there is one in namespace apps\n") {
		t.Errorf("%s", out)
	}
}

func TestClustersOfOtherSorts(t *testing.T) {
	bare, old := cluster(t), cluster(t)
	bare.Kinds = map[string][]string{}
	old.Kinds = map[string][]string{"source.toolkit.fluxcd.io/v1": {"gitrepositories"}, "source.toolkit.fluxcd.io/v1beta2": {"gitrepositories", "buckets"}}
	old.Put(fluxtest.Path("source.toolkit.fluxcd.io/v1beta2", "flux-system", "buckets", "old"), "{spec: {}, status: {conditions: ["+ready("stored")+"]}}")
	for _, c := range []struct {
		on         *fluxtest.Server
		line, want string
	}{
		{bare, "get all on prod", "there is no Flux on this cluster: it serves nothing of source.toolkit.fluxcd.io"},
		{bare, "reconcile ks podinfo on prod", "there is no Flux on this cluster: it serves nothing of kustomize.toolkit.fluxcd.io"},
		{bare, "get images on prod", "there is no image automation on this cluster: it serves nothing of image.toolkit.fluxcd.io"},
		{old, "get source oci on prod", "Flux on this cluster has no ocirepositories: it is of another version"},
	} {
		out, result, err := say(t, "U1", c.line, at("prod", c.on))
		if err != nil || !result.Failed || !strings.Contains(out, c.want) {
			t.Errorf("%s: %q, %+v, %v", c.line, out, result, err)
		}
	}
	out, result, err := say(t, "U1", "get sources on prod", at("prod", old))
	if err != nil || result.Failed || !strings.Contains(out, "gitrepository/fleet") || !strings.Contains(out, "bucket/old") {
		t.Errorf("%q, %+v, %v", out, result, err)
	}
}

func TestRBACHasTheLastWord(t *testing.T) {
	prod := cluster(t)
	prod.Deny = func(r string) bool { return strings.HasPrefix(r, "PATCH ") }
	out, result, err := say(t, "U1", "suspend ks podinfo on prod", at("prod", prod))
	if want := "the cluster's RBAC says no: it is forbidden: User \"ferry:U1\" cannot do that\n"; err != nil || !result.Failed || out != want {
		t.Errorf("out = %q, %+v, %v", out, result, err)
	}
}
