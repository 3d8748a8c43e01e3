package seed

import (
	"fmt"
	"strings"
)

// The armada: apps for sets, on stage and in three production clusters. Stage is one
// version ahead.
const (
	armadaApps = 40
	armadaNew  = "2.0.0"
	armadaOld  = "1.0.0"
	// ArmadaFails is the image that cannot be pulled on ArmadaFailsOn alone: its
	// registry is not reached from there.
	ArmadaFails   = "registry.acme.example/app17:2.0.0"
	ArmadaFailsOn = "prod-eu"
)

// armadaSettings are what the armada's configuration has beside the usual.
const armadaSettings = `timeouts: {grace: 2s}
waves:
- {name: production, clusters: ["prod-*"], order: [[prod-ca], [prod-eu], ["*"]], soak: 3s}
`

// armada makes the files: a folder for each app on each cluster.
func armada() map[string]string {
	files := map[string]string{}
	for i := range armadaApps {
		app := fmt.Sprintf("app%02d", i)
		files["apps/base/"+app+"/kustomization.yaml"] = "resources:\n  - deployment.yaml\n"
		files["apps/base/"+app+"/deployment.yaml"] = strings.ReplaceAll(armadaDeployment, "APP", app)
	}
	for _, cluster := range armadaClusters() {
		version := armadaOld
		if cluster == "stage" {
			version = armadaNew
		}
		files["clusters/"+cluster+"/flux-system/kustomization.yaml"] = "resources:\n  - gotk-sync.yaml\n"
		files["clusters/"+cluster+"/flux-system/gotk-sync.yaml"] = strings.ReplaceAll(armadaSync, "CLUSTER", cluster)
		files["clusters/"+cluster+"/apps.yaml"] = strings.ReplaceAll(armadaSource, "CLUSTER", cluster)
		files["apps/"+cluster+"/namespace.yaml"] = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: armada\n"
		list := "resources:\n  - namespace.yaml\n"
		for i := range armadaApps {
			app := fmt.Sprintf("app%02d", i)
			files["apps/"+cluster+"/"+app+"/kustomization.yaml"] = fmt.Sprintf("namespace: armada\nresources:\n  - ../../base/%s\nimages:\n  - name: registry.acme.example/%s\n    newTag: %s # on %s\n", app, app, version, cluster)
			list += "  - " + app + "\n"
		}
		files["apps/"+cluster+"/kustomization.yaml"] = list
	}
	return files
}

func armadaClusters() []string { return []string{"prod-ca", "prod-eu", "prod-us", "stage"} }

const armadaSync = `apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: flux-system
  namespace: flux-system
spec:
  interval: 1m0s
  ref:
    branch: main
  url: ` + URL + `
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: flux-system
  namespace: flux-system
spec:
  interval: 10m0s
  path: ./clusters/CLUSTER
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
`

const armadaSource = `apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: apps
  namespace: flux-system
spec:
  interval: 10m
  retryInterval: 1m
  timeout: 5m
  sourceRef:
    kind: GitRepository
    name: flux-system
  path: ./apps/CLUSTER
  prune: true
`

const armadaDeployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: APP
  namespace: armada
spec:
  replicas: 1
  revisionHistoryLimit: 1
  selector:
    matchLabels:
      app: APP
  template:
    metadata:
      labels:
        app: APP
    spec:
      containers:
        - name: APP
          image: registry.acme.example/APP
`
