package changes

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ferry/plugins/sources/cluster/clustertest"
)

const (
	deploys = "/apis/apps/v1/deployments"
	secrets = "/api/v1/secrets"
	config1 = "kinds: [apps/v1/deployments, v1/secrets]\n"
)

func deploy(name, image string, generation int) string {
	return fmt.Sprintf(`{"kind":"Deployment","metadata":{"name":%q,"namespace":"a","generation":%d,"annotations":{"deployment.kubernetes.io/revision":"%d"},
"managedFields":[{"manager":"kubectl","time":"2024-01-01T00:00:00Z"},{"manager":"kube-controller-manager","time":"2025-01-01T00:00:00Z","subresource":"status"}]},
"spec":{"replicas":2,"template":{"spec":{"containers":[{"name":"side","image":"s:1"},{"name":"app","image":%q}]}}},"status":{"observedGeneration":%d}}`, name, generation, generation, image, generation)
}

func secretOf(value string) string {
	return fmt.Sprintf(`{"kind":"Secret","metadata":{"name":"db","namespace":"a","annotations":{"copy":%q}},"data":{"password":%q,"user":"c2FtZQ=="}}`, value, value)
}

// TestChanges changes things while it watches, while it does not, and after what was
// before is forgotten; each change is told once.
func TestChanges(t *testing.T) {
	s := clustertest.New(t)
	s.Put(deploys, deploy("web", "app:1", 1))
	s.Put(deploys, deploy("api", "app:1", 1))
	l := clustertest.Listen(t, Source{}, s, config1)
	s.Put(deploys, deploy("probe", "app:1", 1))
	s.AwaitLists(t, 2)
	s.Put(deploys, strings.Replace(deploy("web", "app:1", 6), `"deployment.kubernetes.io/revision":"6"`, "", 1))
	s.Put(deploys, deploy("web", "app:1", 7)) // generation, revision and status: nothing that matters
	s.Put(deploys, deploy("web", "app:2", 8))
	e := l.Await(t, "Deployment a/web changed by kubectl", 1)
	if want := "~ spec.template.spec.containers[name=app].image: app:1 → app:2"; e.Text != want || e.About != "prod/Deployment/a/web/changes" || !e.Moment {
		t.Errorf("%s: %s, want %s", e.About, e.Text, want)
	}

	l.Stop(t)
	s.Put(deploys, deploy("web", "app:3", 9))
	s.Put(deploys, deploy("web", "app:3", 10))
	s.Delete(deploys, "a", "api")
	l.Start(t)
	l.Await(t, "Deployment a/api was deleted", 1)
	if e = l.Await(t, "Deployment a/web changed", 2); !strings.HasSuffix(e.Text, "app:2 → app:3") {
		t.Errorf("after a restart it tells %q", e.Text)
	}

	l.Stop(t)
	s.Put(deploys, deploy("web", "app:4", 11))
	s.Put(deploys, deploy("new", "app:4", 1))
	s.Delete(deploys, "a", "probe")
	s.Forget()
	l.Start(t)
	if e = l.Await(t, "Deployment a/web changed", 3); e.Text != "It changed while nobody watched, and what it was before is not known any more." {
		t.Errorf("after everything is forgotten it tells %q", e.Text)
	}
	l.Await(t, "Deployment a/new was created", 1)
	l.Await(t, "Deployment a/probe was deleted", 1)
	s.Forget() // while it watches: what it knows it still knows
	s.Put(deploys, deploy("web", "app:5", 12))
	if e = l.Await(t, "Deployment a/web changed", 4); !strings.HasSuffix(e.Text, "app:4 → app:5") {
		t.Errorf("it tells %q", e.Text)
	}
	l.Stop(t)
	l.Start(t)
	s.Put(deploys, deploy("last", "app:5", 1))
	l.Await(t, "Deployment a/last was created", 1)
	got := slices.DeleteFunc(l.Titles(), func(s string) bool { return strings.Contains(s, "probe was created") })
	if len(got) != 8 {
		t.Errorf("it told %q", got)
	}
}

// TestSecrets: nothing of a value, nor of its length, leaves this source.
func TestSecrets(t *testing.T) {
	s := clustertest.New(t)
	s.Put(secrets, secretOf("aHVudGVyMQ=="))
	l := clustertest.Listen(t, Source{}, s, config1)
	s.AwaitLists(t, 2)
	s.Put(secrets, secretOf("aHVudGVyMg=="))
	e := l.Await(t, "Secret a/db changed", 1)
	if want := "~ data.password has another value (hidden)\n~ metadata.annotations.copy has another value (hidden)"; e.Text != want {
		t.Errorf("%q, want %q", e.Text, want)
	}
	l.Stop(t)
	s.Put(secrets, strings.Replace(secretOf("aHVudGVyMg=="), `"user":"c2FtZQ=="`, `"more":"c2FtZQ=="`, 1))
	l.Start(t)
	if e = l.Await(t, "Secret a/db changed", 2); e.Text != "+ data.more (hidden)\n- data.user (hidden)" {
		t.Errorf("%q", e.Text)
	}
	for _, e := range l.Events() {
		if all := fmt.Sprint(e) + string(e.Object); strings.Contains(all, "aHVudGVy") || strings.Contains(all, "hunter") || strings.Contains(all, "c2Ft") {
			t.Errorf("it shows %s", all)
		}
	}
}

func TestDiff(t *testing.T) {
	before := map[string]string{"a": "1", "b": "x", "c": "same", "s": hidden + "1", "text": "one\ntwo\nthree"}
	after := map[string]string{"b": "y", "c": "same", "d": "", "s": hidden + "2", "text": "one\n2\nthree", "z": strings.Repeat("ü", 200)}
	want := "- a: 1\n~ b: x → y\n+ d: \"\"\n~ s has another value (hidden)\n~ text: two → 2\n… and 1 more"
	if got := diff(before, after, 5); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := diff(nil, map[string]string{"z": strings.Repeat("ü", 200)}, 9); got != "+ z: "+strings.Repeat("ü", 80)+"…" {
		t.Error(got)
	}
}

func TestIgnore(t *testing.T) {
	c := config{Ignore: []string{"spec.replicas", "metadata.annotations*", "spec.*.image"}}
	for field, want := range map[string]bool{
		"spec.replicas": true, "spec.replicasets": false, "metadata.annotations[a/b]": true, "metadata.labels.a": false,
		"spec.template.spec.containers[name=app].image": true, "spec.template.spec.containers[name=app].imagePullPolicy": false,
	} {
		if got := c.ignores(field); got != want {
			t.Errorf("%s: %v", field, got)
		}
	}
}

func TestSingular(t *testing.T) {
	for resource, want := range map[string]string{"deployments": "Deployment", "configmaps": "ConfigMap", "ingresses": "Ingress", "helmreleases": "HelmRelease", "networkpolicies": "NetworkPolicy", "cronjobs": "CronJob"} {
		if got := singular(resource); got != want {
			t.Errorf("%s: %s", resource, got)
		}
	}
}
