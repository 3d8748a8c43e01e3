package delivery_test

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"ferry/internal/deploy"
)

// shape is a repository as teams keep them: of a hundred apps, half stand in
// bases with an overlay on each of ten clusters, which one Flux Kustomization
// lists; the other half have a folder and a Flux Kustomization of their own, on
// four clusters each. A fifth of the files is nothing that Flux reads.
type shape struct {
	files    map[string]string
	clusters []deploy.Cluster
	apps     int
	// declared is what the clusters would tell of themselves.
	declared []deploy.Declared
	peers    time.Duration // what a clone and a build of all clusters took
}

const shapedClusters = 10

// shaped makes a repository of about n files and n/20 apps; what is no app's is
// filled up with documents, so that there are exactly n.
func shaped(t testing.TB, n int) *shape {
	t.Helper()
	s := &shape{files: map[string]string{}, apps: n / 20}
	for c := range shapedClusters {
		s.cluster(c)
	}
	for a := range s.apps {
		if a%2 == 0 {
			s.overlaid(a)
		} else {
			s.apart(a)
		}
	}
	for c := range shapedClusters {
		s.list(c)
	}
	if len(s.files) > n {
		t.Fatalf("%d apps take %d files, more than %d", s.apps, len(s.files), n)
	}
	for i := 0; len(s.files) < n; i++ {
		s.files[fmt.Sprintf("docs/team%d/note%d.md", i%23, i)] = fmt.Sprintf("# Note %d\n\n", i) + strings.Repeat("What the team decided, and why it did.\n", 40)
	}
	for c := range s.clusters {
		s.declare(t, c)
	}
	return s
}

func shapedApp(a int) string     { return fmt.Sprintf("app%04d", a) }
func shapedCluster(c int) string { return fmt.Sprintf("c%d", c) }
func shapedTeam(a int) string    { return fmt.Sprintf("team%d", a%9) }
func shapedRelease(a int) bool   { return a%3 != 0 } // the others are plain workloads
func runsApart(a, c int) bool    { return (a/2+c)%shapedClusters < 4 }
func shapedFolder(a, c int) string {
	return path.Join("services", shapedCluster(c), shapedTeam(a), shapedApp(a))
}

// cluster is what is once per cluster: Flux itself, and what it starts from.
func (s *shape) cluster(c int) {
	name := shapedCluster(c)
	s.clusters = append(s.clusters, deploy.Cluster(name))
	home := path.Join("clusters", name)
	s.files[home+"/flux-system/gotk-components.yaml"] = components(fmt.Sprintf("2.%d.0", 5+c%2))
	s.files[home+"/flux-system/gotk-sync.yaml"] = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: flux-system, namespace: flux-system}\n" +
		"spec: {interval: 1m, url: 'ssh://git@127.0.0.1/acme/fleet', ref: {branch: main}, secretRef: {name: flux-system}}\n---\n" + flux("flux-system", "interval: 10m, prune: true, path: ./"+home)
	s.files[home+"/flux-system/kustomization.yaml"] = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- gotk-components.yaml\n- gotk-sync.yaml\n"
	s.files[home+"/settings.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cluster-settings, namespace: flux-system}\ndata: {CLUSTER: " + name + ", DOMAIN: " + name + ".example.com}\n"
	s.files[home+"/apps.yaml"] = flux("apps", "interval: 10m, prune: true, path: ./apps/"+name+", postBuild: {substituteFrom: [{kind: ConfigMap, name: cluster-settings}]}")
	s.files[home+"/services.yaml"] = flux("services", "interval: 10m, prune: true, path: ./services/"+name)
}

// overlaid is an app in a base with an overlay on each cluster.
func (s *shape) overlaid(a int) {
	name, base := shapedApp(a), "base/"+shapedApp(a)
	manifest := "release.yaml"
	if shapedRelease(a) {
		s.files[base+"/release.yaml"] = helmRelease(a, "1.0.0", "1.0.0", shapedTeam(a))
	} else {
		manifest = "deployment.yaml"
		s.files[base+"/deployment.yaml"] = webDeployment(a, "1.0.0") + "---\n" + webService(a)
	}
	s.files[base+"/kustomization.yaml"] = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- " + manifest + "\n"
	s.files[base+"/README.md"] = "# " + name + "\n"
	for c := range shapedClusters {
		at := path.Join("apps", shapedCluster(c), name)
		kus := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- ../../../" + base + "\n"
		if !shapedRelease(a) {
			s.files[at+"/kustomization.yaml"] = kus + fmt.Sprintf("images:\n- name: ghcr.io/acme/%s\n  newTag: 1.%d.%d # the one of %s\n", name, c, a, shapedCluster(c))
			continue
		}
		s.files[at+"/kustomization.yaml"] = kus + "patches:\n- path: patch.yaml\n"
		s.files[at+"/patch.yaml"] = fmt.Sprintf("apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: %s\n  namespace: %s\nspec:\n  chart:\n    spec:\n      version: 3.%d.%d\n  values:\n    host: %s.${DOMAIN}\n",
			name, shapedTeam(a), c, a, name)
	}
}

// apart is an app with a Flux Kustomization of its own on some clusters.
func (s *shape) apart(a int) {
	name := shapedApp(a)
	for c := range shapedClusters {
		if !runsApart(a, c) {
			continue
		}
		at, tag, more := shapedFolder(a, c), fmt.Sprintf("2.%d.%d", c, a), ""
		if a%10 == 1 { // its version is a variable
			more, tag = ", postBuild: {substitute: {VERSION: '"+tag+"'}}", "${VERSION}"
		}
		s.files[at+"/ks.yaml"] = flux(name, "interval: 30m, prune: true, wait: true, timeout: 5m, path: ./"+at+"/app"+more)
		s.files[at+"/app/release.yaml"] = helmRelease(a, "3.0.0", tag, shapedTeam(a))
		if a%4 == 1 {
			s.files[at+"/app/kustomization.yaml"] = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- ./release.yaml\n"
		}
	}
}

// list writes the kustomizations that name what runs on a cluster.
func (s *shape) list(c int) {
	name := shapedCluster(c)
	var apps, teams strings.Builder
	services := map[string]*strings.Builder{}
	for a := range s.apps {
		team := shapedTeam(a)
		switch {
		case a%2 == 0:
			fmt.Fprintf(&apps, "- %s\n", shapedApp(a))
		case runsApart(a, c):
			if services[team] == nil {
				services[team] = &strings.Builder{}
				fmt.Fprintf(&teams, "- %s\n", team)
			}
			fmt.Fprintf(services[team], "- ./%s/ks.yaml\n", shapedApp(a))
		}
	}
	head := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"
	s.files["apps/"+name+"/kustomization.yaml"] = head + apps.String()
	s.files["services/"+name+"/kustomization.yaml"] = head + teams.String()
	for team, list := range services {
		s.files[path.Join("services", name, team, "kustomization.yaml")] = head + list.String()
	}
}

// declare makes what a cluster tells of itself out of its files.
func (s *shape) declare(t testing.TB, c int) {
	t.Helper()
	d := deploy.Declared{Cluster: s.clusters[c], Known: true}
	home := "clusters/" + shapedCluster(c)
	files := []string{home + "/flux-system/gotk-sync.yaml", home + "/apps.yaml", home + "/services.yaml"}
	for a := range s.apps {
		if a%2 == 1 && runsApart(a, c) {
			files = append(files, shapedFolder(a, c)+"/ks.yaml")
		}
	}
	for _, file := range files {
		for doc := range strings.SplitSeq(s.files[file], "---\n") {
			if !strings.Contains(doc, "kind: Kustomization\n") {
				continue
			}
			data, err := yaml.YAMLToJSON([]byte(doc))
			if err != nil {
				t.Fatal(err)
			}
			var k struct {
				Metadata deploy.Ref
				Spec     struct{ Path string }
			}
			if err := json.Unmarshal(data, &k); err != nil {
				t.Fatal(err)
			}
			k.Metadata.Kind = "Kustomization"
			one := deploy.Kustomization{
				Cluster: d.Cluster, Ref: k.Metadata, Path: k.Spec.Path, Object: data,
				SourceRef: deploy.Ref{Kind: "GitRepository", Namespace: "flux-system", Name: "flux-system"},
				Source:    deploy.Source{URL: "ssh://git@127.0.0.1/acme/fleet", Branch: "main"},
			}
			if one.Ref.Name == "apps" {
				one.Substitutes = []deploy.Substitute{{
					Ref:    deploy.Ref{Kind: "ConfigMap", Namespace: "flux-system", Name: "cluster-settings"},
					Values: map[string]string{"CLUSTER": shapedCluster(c), "DOMAIN": shapedCluster(c) + ".example.com"},
				}}
			}
			d.Kustomizations = append(d.Kustomizations, one)
		}
	}
	s.declared = append(s.declared, d)
}

func helmRelease(a int, chart, tag, team string) string {
	name := shapedApp(a)
	return fmt.Sprintf(`apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: %[1]s
  namespace: %[4]s
spec:
  interval: 1h
  chart:
    spec:
      chart: app-template
      version: %[2]s
      sourceRef: {kind: HelmRepository, name: acme, namespace: flux-system}
  install: {remediation: {retries: 3}}
  upgrade: {cleanupOnFail: true, remediation: {strategy: rollback, retries: 3}}
  values:
    controllers:
      %[1]s:
        annotations: {reloader.stakater.com/auto: "true"}
        containers:
          app:
            image:
              repository: ghcr.io/acme/%[1]s
              tag: "%[3]s"
            env: {TZ: Europe/Berlin, PORT: "8080", LOG_LEVEL: info}
            probes: {liveness: {enabled: true}, readiness: {enabled: true}}
            resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {memory: 256Mi}}
    service:
      app: {controller: %[1]s, ports: {http: {port: 8080}}}
    persistence:
      tmp: {type: emptyDir, globalMounts: [{path: /tmp}]}
`, name, chart, tag, team)
}

func webDeployment(a int, tag string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: %[1]s
  namespace: %[3]s
  labels: {app.kubernetes.io/name: %[1]s}
spec:
  replicas: 2
  selector: {matchLabels: {app.kubernetes.io/name: %[1]s}}
  template:
    metadata: {labels: {app.kubernetes.io/name: %[1]s}}
    spec:
      containers:
      - name: %[1]s
        image: ghcr.io/acme/%[1]s:%[2]s
        ports: [{name: http, containerPort: 8080}]
        resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {memory: 256Mi}}
`, shapedApp(a), tag, shapedTeam(a))
}

func webService(a int) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: %[1]s, namespace: %[2]s}\nspec: {selector: {app.kubernetes.io/name: %[1]s}, ports: [{name: http, port: 80, targetPort: http}]}\n", shapedApp(a), shapedTeam(a))
}

// components is about as large as what `flux install --export` writes: a dozen
// definitions, controllers and the permissions that they need.
func components(version string) string {
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: Namespace\nmetadata: {name: flux-system, labels: {app.kubernetes.io/part-of: flux, app.kubernetes.io/version: v" + version + "}}\n")
	for d := range 12 {
		fmt.Fprintf(&b, "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: kinds%[1]d.acme.toolkit.fluxcd.io\n  labels: {app.kubernetes.io/part-of: flux, app.kubernetes.io/version: v%[2]s}\nspec:\n"+
			"  group: acme.toolkit.fluxcd.io\n  names: {kind: Kind%[1]d, listKind: Kind%[1]dList, plural: kinds%[1]d, singular: kind%[1]d}\n  scope: Namespaced\n  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema:\n      openAPIV3Schema:\n        type: object\n        properties:\n", d, version)
		for p := range 110 {
			fmt.Fprintf(&b, "          field%d:\n            description: |-\n              What the field stands for, told at some length, as the definitions of\n              a controller do for every one of their fields.\n            maxLength: 253\n            minLength: 1\n            type: string\n", p)
		}
	}
	for _, controller := range []string{"helm", "kustomize", "notification", "source"} {
		fmt.Fprintf(&b, "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: %s-controller, namespace: flux-system, labels: {app.kubernetes.io/part-of: flux}}\n", controller)
		fmt.Fprintf(&b, "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %[1]s-controller, namespace: flux-system, labels: {app.kubernetes.io/part-of: flux}}\nspec: {selector: {matchLabels: {app: %[1]s-controller}}, template: {metadata: {labels: {app: %[1]s-controller}}, spec: {containers: [{name: manager, image: 'ghcr.io/fluxcd/%[1]s-controller:v%[2]s'}]}}}\n", controller, version)
	}
	b.WriteString("---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: cluster-reconciler-flux-system, labels: {app.kubernetes.io/part-of: flux}}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\nsubjects: [{kind: ServiceAccount, name: kustomize-controller, namespace: flux-system}]\n")
	return b.String()
}
