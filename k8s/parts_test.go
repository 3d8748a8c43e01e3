package k8s

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"pgregory.net/rapid"

	"ferry/internal/deploy"
)

func TestImages(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0f", 32)
	for ref, want := range map[string]deploy.Image{
		"web":                               {Repository: "web"},
		"web:17.0.0":                        {Repository: "web", Tag: "17.0.0"},
		"localhost:5000/team/web":           {Repository: "localhost:5000/team/web"},
		"localhost:5000/team/web:1.2.3":     {Repository: "localhost:5000/team/web", Tag: "1.2.3"},
		"web@" + digest:                     {Repository: "web", Digest: digest},
		"localhost:5000/web:1.0@" + digest:  {Repository: "localhost:5000/web", Tag: "1.0", Digest: digest},
		"localhost:5000/web@" + digest:      {Repository: "localhost:5000/web", Digest: digest},
		"registry.example.com/a/b/c:latest": {Repository: "registry.example.com/a/b/c", Tag: "latest"},
		"":                                  {},
	} {
		want.Container = "c"
		if got := parseImage("c", ref); got != want {
			t.Errorf("%s is %+v, want %+v", ref, got, want)
		}
	}
}

func TestImagesComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ref := rapid.StringMatching(`([a-z0-9.-]+(:[0-9]+)?/)?[a-z0-9/_-]+(:[A-Za-z0-9._-]+)?(@sha256:[0-9a-f]{8})?`).Draw(t, "ref")
		if got := parseImage("c", ref).String(); got != ref {
			t.Fatalf("%s became %s", ref, got)
		}
	})
}

// TestReleaseVersions has the ways in which releases of real repositories carry
// the version that people mean.
func TestReleaseVersions(t *testing.T) {
	image := func(container, tag string) deploy.Image {
		return deploy.Image{Container: container, Repository: "r/" + container, Tag: tag}
	}
	for name, c := range map[string]struct {
		release release
		images  []deploy.Image
		want    deploy.Version
		field   deploy.FieldKind
	}{
		"a chart of its own":            {release{chart: "podinfo", version: "6.5.4"}, []deploy.Image{image("podinfo", "6.5.5")}, "6.5.4", deploy.FieldChart},
		"app-template, called like it":  {release{chart: "app-template", version: "3.5.1"}, []deploy.Image{image("proxy", "1.30"), image("sonarr", "4.0.9")}, "4.0.9", deploy.FieldImage},
		"app-template, called app":      {release{chart: "app-template", version: "3.5.1"}, []deploy.Image{image("app", "4.0.9"), image("proxy", "1.30")}, "4.0.9", deploy.FieldImage},
		"app-template, nothing runs":    {release{chart: "app-template", version: "3.5.1"}, nil, "3.5.1", deploy.FieldChart},
		"app-template, a digest alone":  {release{chart: "app-template", version: "3.5.1"}, []deploy.Image{{Container: "app", Digest: "sha256:a"}}, "sha256:a", deploy.FieldImage},
		"a name that has a library's":   {release{chart: "my-app-template", version: "3.5.1"}, []deploy.Image{image("app", "4.0.9")}, "3.5.1", deploy.FieldChart},
		"a chart from Git":              {release{chart: "web", version: "0.1.0", source: deploy.Ref{Kind: "GitRepository"}}, []deploy.Image{image("web", "7.0.1")}, "7.0.1", deploy.FieldImage},
		"a chart from a HelmRepository": {release{chart: "web", version: "0.1.0", source: deploy.Ref{Kind: "HelmRepository"}}, []deploy.Image{image("web", "7.0.1")}, "0.1.0", deploy.FieldChart},
		"no chart known":                {release{version: "0.1.0"}, []deploy.Image{image("web", "7.0.1")}, "0.1.0", deploy.FieldChart},
	} {
		c.release.name = "sonarr"
		if v, f := releaseVersion(&c.release, c.images); v != c.want || f != c.field {
			t.Errorf("%s: %s %s, want %s %s", name, f, v, c.field, c.want)
		}
	}
}

// TestALibraryChartsAppIsItsImages gathers an app from its records.
func TestALibraryChartsAppIsItsImages(t *testing.T) {
	s, name := newStore(), key{"media", "sonarr"}
	s.releases[name] = &release{key: name, targetNamespace: "media", chart: "app-template", version: "3.5.1"}
	s.workloads[name] = &workload{kind: "Deployment", key: name, release: name, images: []deploy.Image{{Container: "app", Repository: "r/sonarr", Tag: "4.0.9"}}}
	all := gather(s, "prod", nil)
	if len(all) != 1 || all[0].Version != "4.0.9" || all[0].Field != deploy.FieldImage || all[0].Chart != "app-template" || all[0].ChartVersion != "3.5.1" {
		t.Errorf("apps are %+v", all)
	}
}

// TestWhatStandsWhileFluxIsAtWork: the workloads and the release of an app tell, and
// not the Kustomization that applies it.
func TestWhatStandsWhileFluxIsAtWork(t *testing.T) {
	ready, busy := deploy.Condition{Status: "True", Observed: true}, deploy.Condition{Status: "Unknown", Reason: "Progressing", Observed: true}
	for name, c := range map[string]struct {
		kustomization, release deploy.Condition // no release if it has no status
		ready                  int32
		health                 deploy.Health
		stands                 bool
	}{
		"all is well":                       {ready, deploy.Condition{}, 1, deploy.Healthy, true},
		"Flux is at work":                   {busy, deploy.Condition{}, 1, deploy.Progressing, true},
		"Flux is at work, and so is it":     {busy, deploy.Condition{}, 0, deploy.Progressing, false},
		"a release":                         {busy, ready, 1, deploy.Progressing, true},
		"a release that Helm is at work on": {ready, busy, 1, deploy.Progressing, false},
		"a release that is not ready":       {busy, ready, 0, deploy.Progressing, false},
	} {
		s, apps, web := newStore(), key{"flux-system", "apps"}, key{"apps", "web"}
		s.kustomizations[apps] = &declaration{condition: c.kustomization}
		w := &workload{kind: "Deployment", key: web, kustomization: apps, generation: 1, observed: 1, desired: 1, updated: 1, total: 1, ready: c.ready, available: c.ready}
		if c.release.Status != "" {
			s.releases[web] = &release{key: web, targetNamespace: "apps", kustomization: apps, state: deploy.ReleaseState{Ready: c.release}}
			w.release, w.kustomization = web, key{}
		}
		s.workloads[web] = w
		if all := gather(s, "prod", nil); len(all) != 1 || all[0].Health != c.health || all[0].Stands != c.stands {
			t.Errorf("%s: %+v", name, all)
		}
	}
}

func TestRunningContainersThatAreNotReady(t *testing.T) {
	for raw, want := range map[string]string{
		`{"ready":false,"state":{"running":{"startedAt":"2026-01-01T00:00:00Z"}}}`:         deploy.NotReady,
		`{"ready":true,"state":{"running":{}}}`:                                            "",
		`{"state":{"running":{}}}`:                                                         "",
		`{"ready":false,"state":{"waiting":{"reason":"ContainerCreating"}}}`:               "",
		`{"ready":false,"state":{"running":{}},"lastState":{"terminated":{"exitCode":1}}}`: "Error",
	} {
		p := &pod{}
		if err := json.Unmarshal([]byte(`{"status":{"containerStatuses":[`+raw+`]}}`), p); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, p := range problems(p, true) {
			got += p.Reason
		}
		if got != want {
			t.Errorf("%s tells %q, want %q", raw, got, want)
		}
	}
}

func TestWorkloadHealth(t *testing.T) {
	good := workload{kind: "Deployment", key: key{"a", "web"}, generation: 2, observed: 2, desired: 2, updated: 2, ready: 2, available: 2, total: 2, complete: true}
	for name, c := range map[string]struct {
		change func(*workload)
		want   deploy.Health
		says   string
	}{
		"all there":              {func(*workload) {}, deploy.Healthy, ""},
		"scaled to zero":         {func(w *workload) { w.desired, w.updated, w.ready, w.available, w.total = 0, 0, 0, 0, 0 }, deploy.Healthy, ""},
		"nobody reported":        {func(w *workload) { w.observed = 0 }, deploy.Unknown, "no controller"},
		"status of older spec":   {func(w *workload) { w.generation = 3 }, deploy.Progressing, "not seen"},
		"old replica left":       {func(w *workload) { w.total, w.complete = 3, false }, deploy.Progressing, "2 of 2"},
		"under way":              {func(w *workload) { w.updated, w.complete = 1, false }, deploy.Progressing, "1 of 2"},
		"fell over after":        {func(w *workload) { w.ready, w.available = 1, 1 }, deploy.Degraded, "1 of 2"},
		"ready, not yet long so": {func(w *workload) { w.available, w.complete = 1, false }, deploy.Progressing, ""},
		"gave up":                {func(w *workload) { w.stuck = "ProgressDeadlineExceeded: x" }, deploy.Degraded, "ProgressDeadlineExceeded"},
		"paused":                 {func(w *workload) { w.updated, w.paused = 0, true }, deploy.Suspended, "paused"},
	} {
		w := good
		c.change(&w)
		if got := workloadHealth(&w); got.health != c.want || !strings.Contains(got.reason, c.says) {
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		}
	}
}

func TestConditionsAreOfTheirGeneration(t *testing.T) {
	r := deploy.Ref{Kind: "HelmRelease", Namespace: "a", Name: "web"}
	for want, all := range map[deploy.Health][]deploy.Condition{
		deploy.Healthy:     {{Status: "True", Observed: true}},
		deploy.Unknown:     {{}, {Status: "Unknown", Reason: "Odd", Observed: true}},
		deploy.Progressing: {{Status: "True"}, {Status: "False"}, {Status: "Unknown", Reason: "Progressing", Observed: true}, {Status: "False", Reason: "DependencyNotReady", Observed: true}},
		deploy.Degraded:    {{Status: "False", Reason: "UpgradeFailed", Observed: true}},
	} {
		for _, c := range all {
			if got := conditionHealth(r, c); got.health != want {
				t.Errorf("%+v is %s, want %s", c, got.health, want)
			}
		}
	}
}

func TestWorstIsTold(t *testing.T) {
	h, reason := worst(verdict{}, verdict{deploy.Progressing, "p"}, verdict{deploy.Unknown, "u"}, verdict{deploy.Degraded, "d"}, verdict{deploy.Suspended, "s"})
	if h != deploy.Degraded || reason != "d" {
		t.Errorf("worst is %s, %q", h, reason)
	}
	if h, _ := worst(verdict{deploy.Healthy, ""}, verdict{}); h != deploy.Healthy {
		t.Errorf("nothing bad is %s", h)
	}
}

func TestTroubleOfContainers(t *testing.T) {
	for raw, want := range map[string]string{
		`{}`:                       "",
		`{"state":{"running":{}}}`: "",
		`{"state":{"waiting":{"reason":"ContainerCreating"}}}`:                                                                                 "",
		`{"state":{"waiting":{"reason":"ImagePullBackOff","message":"no such tag"}}}`:                                                          "ImagePullBackOff|no such tag",
		`{"state":{"waiting":{"reason":"CrashLoopBackOff","message":"back-off"}},"lastState":{"terminated":{"exitCode":2,"reason":"Error"}}}`:  "CrashLoopBackOff|back-off: Error: exit code 2",
		`{"state":{"terminated":{"exitCode":137,"reason":"OOMKilled"}}}`:                                                                       "OOMKilled|exit code 137",
		`{"state":{"terminated":{"exitCode":0,"reason":"Completed"}}}`:                                                                         "",
		`{"state":{"running":{}},"lastState":{"terminated":{"exitCode":1,"message":"config missing"}}}`:                                        "Error|exit code 1: config missing",
		`{"state":{"waiting":{"reason":"PodInitializing"}},"lastState":{"terminated":{"exitCode":3,"reason":"Error"}}}`:                        "Error|exit code 3",
		`{"state":{"waiting":{"reason":"CreateContainerConfigError","message":"secret \"x\" not found"}}}`:                                     "CreateContainerConfigError|secret \"x\" not found",
		`{"state":{"waiting":{"reason":"ErrImagePull"}},"lastState":{"terminated":{"exitCode":0}}}`:                                            "ErrImagePull|",
		`{"state":{"waiting":{"reason":"CrashLoopBackOff"}},"lastState":{"terminated":{"exitCode":1,"reason":"Error","message":"panic: oh"}}}`: "CrashLoopBackOff|Error: exit code 1: panic: oh",
	} {
		var c container
		if err := json.Unmarshal([]byte(raw), &c); err != nil {
			t.Fatal(err)
		}
		reason, message := trouble(c)
		got := reason + "|" + message
		if reason == "" {
			got = ""
		}
		if got != want {
			t.Errorf("%s tells %q, want %q", raw, got, want)
		}
	}
}

func TestPointers(t *testing.T) {
	var o bare
	if err := json.Unmarshal([]byte(`{"metadata":{"name":"x"},"spec":{"a/b":{"~":["no",{"v":41}]},"f":1.10,"t":true,"n":null}}`), &o); err != nil {
		t.Fatal(err)
	}
	for pointer, want := range map[string]string{"/spec/a~1b/~0/1/v": "41", "/spec/a~1b/~0/0": "no", "/spec/f": "1.10", "/spec/t": "true", "/metadata/name": "x"} {
		if got, ok := pointed(o.Content, pointer); !ok || got != want {
			t.Errorf("%s leads to %q, %v; want %q", pointer, got, ok, want)
		}
	}
	for _, pointer := range []string{"", "spec", "/spec", "/spec/n", "/spec/a~1b/~0/2", "/spec/a~1b/~0/-1", "/spec/f/x", "/nothing"} {
		if got, ok := pointed(o.Content, pointer); ok {
			t.Errorf("%q leads to %q", pointer, got)
		}
	}
}

func TestCurrentPods(t *testing.T) {
	p := &pod{}
	p.Metadata.Labels = map[string]string{labelTemplateHash: "new"}
	w := &workload{kind: "Deployment", revision: "3", generation: 5, observed: 5}
	hashes := map[string]string{"2": "old", "3": "new"}
	if !isCurrent(p, w, hashes) {
		t.Error("a pod of the newest ReplicaSet is current")
	}
	if p.Metadata.Labels[labelTemplateHash] = "old"; isCurrent(p, w, hashes) {
		t.Error("a pod of an older ReplicaSet is not")
	}
	p.Metadata.Labels[labelTemplateHash] = "new"
	if w.generation = 6; isCurrent(p, w, hashes) {
		t.Error("before the controller saw the newest template no pod is of it")
	}
}

func TestSameServerNeedsNoUID(t *testing.T) {
	i := newIdentities(false)
	i.learn("a", "", "https://x:6443", time.Now())
	i.learn("b", "u", "https://x:6443", time.Now())
	i.learn("c", "v", "https://y:6443", time.Now())
	i.learn("d", "", "https://z:6443", time.Now())
	for name, want := range map[deploy.Cluster]deploy.Cluster{"a": "b", "b": "a", "c": "", "d": "", "e": ""} {
		if got, _ := i.conflict(name); got != want {
			t.Errorf("%s is the same as %q, want %q", name, got, want)
		}
	}
}

func TestNotReadyNamesWhatIsMissing(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte("[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed"))
	}))
	defer server.Close()
	c, err := newClient(access{config: &rest.Config{Host: server.URL}}, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ready(t.Context()); err == nil || err.Error() != "it says that it is not ready: etcd failed: reason withheld" {
		t.Errorf("ready: %v", err)
	}
}
