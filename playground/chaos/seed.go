package main

import (
	"fmt"
	"strings"
	"testing/fstest"
)

// The repository: apps whose version each cluster has in an overlay of its own,
// some of which could take it from the base, and some whose version stands in the
// base.
const (
	direct   = "stage"  // its changes are committed
	proposed = "prod"   // its changes go through pull requests
	canary   = "wave-a" // the first wave of sets, which are committed
	others   = "wave-b" // the second one
	waves    = "wave-*" // both
	shared   = 12       // apps p00, p01, …: each is pinned once; and u00, u01, …: each is unpinned once
	together = 4        // apps w00, w01, …: clusters share the version
	retreats = 3        // apps b00, b01, … and f00, f01, …: go back by themselves; and s00, s01, …: in waves

	space = "chaos" // their namespace
	image = "ghcr.io/acme/"
	first = "1.0.0"
)

// ordinary are the apps that each cluster has a version of: those that anybody may
// promote, and those that others have to approve.
func ordinary(plain int) (out []string) {
	for i := range plain {
		out = append(out, fmt.Sprintf(plainApps+"%02d", i))
	}
	for i := range plain / 2 {
		out = append(out, fmt.Sprintf(gatedApps+"%02d", i), fmt.Sprintf(doubleApps+"%02d", i))
	}
	return out
}

// seedAt returns the files; url is where the repository is, plain how many ordinary
// apps there are.
func seedAt(url string, plain int) fstest.MapFS {
	files := fstest.MapFS{}
	add := func(path, format string, args ...any) {
		files[path] = &fstest.MapFile{Data: fmt.Appendf(nil, format, args...)}
	}
	lists := map[string]*strings.Builder{}
	for _, cluster := range clusters() {
		lists[cluster] = new(strings.Builder)
		add("clusters/"+cluster+"/flux-system/kustomization.yaml", "resources:\n- gotk-sync.yaml\n")
		add("clusters/"+cluster+"/flux-system/gotk-sync.yaml", fluxSync, url, cluster)
		add("clusters/"+cluster+"/apps.yaml", fluxApps, cluster)
		add("apps/"+cluster+"/namespace.yaml", "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: %s\n", space)
	}
	for _, app := range ordinary(plain) {
		add("apps/base/"+app+"/deployment.yaml", deployment, app, space, app, app, app, image+app+":0.0.0")
		add("apps/base/"+app+"/kustomization.yaml", "resources:\n  - deployment.yaml\n")
		for _, cluster := range []string{direct, proposed} {
			add("apps/"+cluster+"/"+app+"/kustomization.yaml", fluxOverlay, app, image+app, first)
			fmt.Fprintf(lists[cluster], "  - %s\n", app)
		}
	}
	for _, t := range retreating() {
		add("apps/base/"+t.app+"/deployment.yaml", deployment, t.app, space, t.app, t.app, t.app, image+t.app+":0.0.0")
		add("apps/base/"+t.app+"/kustomization.yaml", "resources:\n  - deployment.yaml\n")
		add("apps/"+t.cluster+"/"+t.app+"/kustomization.yaml", fluxOverlay, t.app, image+t.app, first)
		fmt.Fprintf(lists[t.cluster], "  - %s\n", t.app)
	}
	for i := range shared {
		app := fmt.Sprintf("u%02d", i)
		add("apps/base/"+app+"/deployment.yaml", deployment, app, space, app, app, app, image+app+":"+first)
		add("apps/base/"+app+"/kustomization.yaml", "resources:\n  - deployment.yaml\n")
		for _, cluster := range []string{direct, proposed} {
			add("apps/"+cluster+"/"+app+"/kustomization.yaml", fluxOverlay, app, image+app, first)
			fmt.Fprintf(lists[cluster], "  - %s\n", app)
		}
	}
	for _, app := range sharing() {
		add("apps/base/"+app+"/deployment.yaml", deployment, app, space, app, app, app, image+app+":"+first)
		add("apps/base/"+app+"/kustomization.yaml", "resources:\n  - deployment.yaml\n")
		for _, cluster := range []string{direct, proposed} {
			add("apps/"+cluster+"/"+app+"/kustomization.yaml", "namespace: %s\nresources:\n  - ../../base/%s\n", space, app)
			fmt.Fprintf(lists[cluster], "  - %s\n", app)
		}
	}
	for cluster, list := range lists {
		add("apps/"+cluster+"/kustomization.yaml", "resources:\n  - namespace.yaml\n%s", list)
	}
	return files
}

// clusters are all of them.
func clusters() []string { return []string{direct, proposed, canary, others} }

// retreating are the targets that go back by themselves, and those of sets.
func retreating() (out []target) {
	for i := range retreats {
		out = append(out, target{direct, fmt.Sprintf(backApps+"%02d", i)}, target{direct, fmt.Sprintf(soakApps+"%02d", i)}, target{direct, fmt.Sprintf(setApps+"%02d", i)},
			target{canary, fmt.Sprintf(setApps+"%02d", i)}, target{others, fmt.Sprintf(setApps+"%02d", i)})
	}
	return out
}

// sharing are the apps whose version stands in the base alone.
func sharing() (out []string) {
	for i := range shared {
		out = append(out, fmt.Sprintf("p%02d", i))
	}
	for i := range together {
		out = append(out, fmt.Sprintf("w%02d", i))
	}
	return out
}

const fluxSync = `apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: flux-system
  namespace: flux-system
spec:
  interval: 1m0s
  ref:
    branch: main
  url: %s
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: flux-system
  namespace: flux-system
spec:
  interval: 10m0s
  path: ./clusters/%s
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
`

const fluxApps = `apiVersion: kustomize.toolkit.fluxcd.io/v1
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
  path: ./apps/%s
  prune: true
`

const fluxOverlay = `namespace: chaos
resources:
  - ../../base/%s
images:
  - name: %s
    newTag: %s
# owner: nobody
`

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: %s
  namespace: %s
spec:
  replicas: 1
  revisionHistoryLimit: 1
  selector:
    matchLabels:
      app: %s
  template:
    metadata:
      labels:
        app: %s
    spec:
      containers:
        - name: %s
          image: %s
`
