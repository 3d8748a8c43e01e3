package executor_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"ferry/plugins/api"
	"ferry/plugins/flux/executor"
	"ferry/plugins/flux/fluxtest"
)

const config = `
impersonate: {user: "ferry:{{.ID}}"}
limits: {time: 20s, output: 4096}
wait: 20s
rules:
  - {users: [U1, READER], clusters: [prod, stage], resources: ["*"], namespaces: [flux-system, apps]}
  - {users: [U1], clusters: [prod, stage], verbs: [reconcile, suspend, resume], resources: ["*"], namespaces: [flux-system, apps]}
  - {roles: [admins], clusters: ["*"], verbs: ["*", suspend, resume], resources: ["*"], namespaces: ["*"]}
  - {users: [APPS], clusters: ["*"], verbs: [get, tree, reconcile], resources: [kustomizations], namespaces: [apps]}
`

const (
	kustomize = "kustomize.toolkit.fluxcd.io/v1"
	source    = "source.toolkit.fluxcd.io/v1"
	helm      = "helm.toolkit.fluxcd.io/v2"
	image     = "image.toolkit.fluxcd.io/v1"
	digits    = "0123456789abcdef0123456789abcdef01234567"
)

func ks(name string) string {
	return fluxtest.Path(kustomize, "flux-system", "kustomizations", name)
}

func ready(message string) string {
	return fmt.Sprintf("{type: Ready, status: 'True', reason: Succeeded, message: %q}", message)
}

// cluster is a Flux with a few objects.
func cluster(t *testing.T) *fluxtest.Server {
	t.Helper()
	s := fluxtest.New(t)
	s.Put(fluxtest.Path(source, "flux-system", "gitrepositories", "fleet"),
		"{spec: {}, status: {artifact: {revision: 'main@sha1:"+digits+"'}, conditions: ["+ready("stored artifact")+"]}}")
	s.Put(ks("flux-system"), `{spec: {sourceRef: {kind: GitRepository, name: fleet}}, status: {lastAppliedRevision: "main@sha1:`+digits+`", conditions: [`+ready("applied")+`],
inventory: {entries: [{id: flux-system_flux-system_kustomize.toolkit.fluxcd.io_Kustomization, v: v1}, {id: flux-system_fleet_source.toolkit.fluxcd.io_GitRepository, v: v1},
 {id: _apps__Namespace, v: v1}, {id: flux-system_podinfo_kustomize.toolkit.fluxcd.io_Kustomization, v: v1}, {id: _ns__view_rbac.authorization.k8s.io_ClusterRole, v: v1},
 {id: kube-system_hidden_kustomize.toolkit.fluxcd.io_Kustomization, v: v1}, {id: flux-system_away_kustomize.toolkit.fluxcd.io_Kustomization, v: v1},
 {id: flux-system_deleted_kustomize.toolkit.fluxcd.io_Kustomization, v: v1}]}}}`)
	s.Put(ks("podinfo"), `{metadata: {labels: {app: web, kustomize.toolkit.fluxcd.io/name: flux-system, kustomize.toolkit.fluxcd.io/namespace: flux-system}},
spec: {sourceRef: {kind: GitRepository, name: fleet}}, status: {lastAppliedRevision: "main@sha1:`+digits+`", lastHandledReconcileAt: long ago, observedGeneration: 1, conditions: [`+ready("Applied revision: main@sha1:"+digits)+`],
inventory: {entries: [{id: apps_podinfo_apps_Deployment, v: v1}, {id: apps_api_helm.toolkit.fluxcd.io_HelmRelease, v: v2}]}}}`)
	s.Put(ks("away"), `{spec: {kubeConfig: {secretRef: {name: edge}}}, status: {conditions: [`+ready("applied")+`], inventory: {entries: [{id: edge_web_helm.toolkit.fluxcd.io_HelmRelease, v: v2}]}}}`)
	s.Put(fluxtest.Path(helm, "apps", "helmreleases", "api"), `{spec: {chart: {spec: {chart: api, sourceRef: {kind: HelmRepository, name: charts, namespace: flux-system}}}},
status: {helmChart: flux-system/apps-api, history: [{chartName: api, chartVersion: 1.2.3}], conditions: [{type: Ready, status: 'False', reason: UpgradeFailed, message: "timed out\nwaiting"}],
inventory: {entries: [{id: apps_api_apps_Deployment, v: v1}]}}}`)
	s.Put(fluxtest.Path(source, "flux-system", "helmrepositories", "charts"), "{spec: {type: oci}}")
	s.Put(fluxtest.Path(source, "flux-system", "helmcharts", "apps-api"), "{spec: {}, status: {artifact: {revision: 1.2.3}, conditions: ["+ready("pulled")+"]}}")
	s.Put(fluxtest.Path(image, "apps", "imagepolicies", "api"), "{spec: {}, status: {latestRef: {name: example.com/api, tag: 1.2.3}, conditions: ["+ready("resolved")+"]}}")
	s.Flux = func(path string, o fluxtest.Object) { handle(s, path, o, "") }
	return s
}

// handle does as Flux does when it is asked: it says that it is under way, and then
// that it is done, or why not.
func handle(s *fluxtest.Server, path string, o fluxtest.Object, failure string) {
	meta, _ := o["metadata"].(fluxtest.Object)
	annotations, _ := meta["annotations"].(fluxtest.Object)
	spec, _ := o["spec"].(fluxtest.Object)
	if spec["suspend"] == true || annotations["reconcile.fluxcd.io/requestedAt"] == nil {
		return
	}
	generation := fmt.Sprint(meta["generation"])
	s.Merge(path, `{status: {conditions: [{type: Reconciling, status: "True", reason: Progressing, message: building}, {type: Ready, status: Unknown, reason: Progressing, observedGeneration: `+generation+`}]}}`)
	done := `{type: Ready, status: "True", reason: Succeeded, message: applied, observedGeneration: ` + generation + `}`
	revision := `main@sha1:` + strings.Repeat("fedcba98", 5)
	if failure != "" {
		done = fmt.Sprintf(`{type: Ready, status: "False", reason: BuildFailed, message: %q, observedGeneration: %s}, {type: Reconciling, status: "True", reason: ProgressingWithRetry}`, failure, generation)
		revision = "main@sha1:" + digits
	}
	s.Merge(path, fmt.Sprintf(`{status: {lastHandledReconcileAt: %q, lastAppliedRevision: %q, artifact: {revision: %q}, conditions: [%s]}}`,
		annotations["reconcile.fluxcd.io/requestedAt"], revision, revision, done))
}

func at(name string, s *fluxtest.Server) api.Cluster {
	return api.Cluster{Name: name, Kubeconfig: s.Kubeconfig()}
}

func request(user, line string, clusters ...api.Cluster) api.ExecuteRequest {
	return api.ExecuteRequest{Binding: "flux", Line: line, Config: []byte(config), Clusters: clusters, User: api.User{ID: user}}
}

// say runs a line, and presses the button if there is one.
func say(t *testing.T, user, line string, clusters ...api.Cluster) (string, api.Result, error) {
	t.Helper()
	e, r := executor.New("test"), request(user, line, clusters...)
	var out bytes.Buffer
	result, err := e.Execute(t.Context(), r, &out)
	if err == nil && result.Confirm != "" && out.Len() == 0 {
		r.Confirmed = true
		result, err = e.Execute(t.Context(), r, &out)
	}
	return out.String(), result, err
}

// asAdmin runs a line as somebody who may see everything.
func asAdmin(t *testing.T, line string, s *fluxtest.Server) (out, title string) {
	t.Helper()
	r := request("U9", line, at("prod", s))
	r.User.Roles = []string{"admins"}
	var text bytes.Buffer
	result, err := executor.New("test").Execute(t.Context(), r, &text)
	if err != nil {
		t.Errorf("%s: %v", line, err)
	}
	return text.String(), result.Title
}
