package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const goesBack = developers + `rollbacks: [{name: production, clusters: ["prod-*"], on_failure: auto, soak: 2s}]
`

// TestASetThatFailsGoesBack asks the unmodified ferry for an app on three clusters, on
// the second of which it cannot start. Who may not begin that does not use up the
// button for those who may; the app goes back on the second cluster by itself, and on
// it alone. Then a set that waits gives way.
func TestASetThatFailsGoesBack(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles ferry, which takes more than -short allows")
	}
	r := openWith(t, Options{Ferry: compileFerry(t), Fleet: "armada", Gates: goesBack})
	r.slack.SetRateLimits(false)
	eventually(t, func() bool { return r.ferry.state() == "running" })
	b := &besieged{running: r, t: t}

	thread := r.say(t, "promote app17 from stage to prod-*")
	b.planned(thread)
	b.click("eve")
	b.spoken(thread, "⛔ You may not promote app17 on 3 clusters now, for 3 reasons\n")
	if log, err := r.repo().Log(branch); err != nil || len(log) != 1 {
		t.Fatalf("%d commits, %v", len(log), err)
	}
	b.click("bob")
	b.spoken(thread, fmt.Sprintf("job %s · confirmed by bob", b.id))
	account := b.spoken(thread, "❌ Wave 2 of 3 failed: app17 is not healthy on prod-eu, prod-us is untouched\n")
	if said := strings.Join(b.thread(t, thread), "\n"); strings.Contains(said, "is confirmed by") {
		t.Errorf("the press is answered twice:\n%s", said)
	}
	for _, want := range []string{
		"*app17 on prod-eu*: ferry goes back to `1.0.0`, the last version seen healthy there: job ", "`2.0.0` is held back on prod-eu: `release app17 on prod-eu because …` ends that.",
		"Wave 1 of 3 (prod-ca): healthy, 1 change.", "Untouched: prod-us.", "app17  2.0.0  healthy  failed   untouched",
	} {
		if !strings.Contains(account, want) {
			t.Errorf("%q is not in\n%s", want, account)
		}
	}
	failed := time.Now()
	b.spoken(thread, "app17 `1.0.0` is back on prod-eu and healthy\n")
	t.Logf("app17 is back on prod-eu %s after the account", time.Since(failed))
	for cluster, want := range map[string]string{"prod-ca": "2.0.0", "prod-eu": "1.0.0", "prod-us": "1.0.0"} {
		if got := r.runsOn(t, cluster, "app17"); got != "registry.acme.example/app17:"+want {
			t.Errorf("%s runs %s", cluster, got)
		}
	}
	log, err := r.repo().Log(branch)
	if err != nil || len(log) != 4 || !strings.Contains(log[0].Message, "rollback") {
		t.Errorf("%d commits, want the seed, two waves and a rollback: %v", len(log), err)
	}
	b.answers("status "+b.id, ": failed")
	b.answers("holds", "app17 on prod-eu")

	thread = r.say(t, "promote app03 from stage to prod-*")
	b.planned(thread)
	r.say(t, "promote app03@2.0.0 to prod-us")
	said := b.spoken(thread, "This gave way to job ")
	if !regexp.MustCompile("^ℹ️ This gave way to job [a-z0-9]+\nNothing was changed\\.\nWhile it waited, somebody asked to: Promote app03 to `2.0.0` on prod-us\\.").MatchString(said) {
		t.Errorf("it gives way with\n%s", said)
	}
}

// planned waits for the plan of a set and its button.
func (b *besieged) planned(thread string) {
	b.t.Helper()
	eventually(b.t, func() bool {
		all, err := b.slack.Messages("C0DEPLOY", thread)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, m := range all {
			if id := regexp.MustCompile("`confirm ([a-z0-9]+)` begins it").FindStringSubmatch(m.Text); id != nil {
				b.question, b.id = m, id[1]
				return true
			}
		}
		return false
	})
}

// spoken waits until ferry has said so in a thread, and returns all of that message.
func (b *besieged) spoken(thread, words string) (said string) {
	b.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		all := b.thread(b.t, thread)
		for _, said := range all {
			if strings.Contains(said, words) {
				return said
			}
		}
		if time.Now().After(end) {
			b.t.Fatalf("ferry did not say %q, but\n%s", words, strings.Join(all, "\n---\n"))
		}
	}
}

// answers asks, and waits for an answer with those words.
func (b *besieged) answers(text, words string) {
	b.t.Helper()
	b.spoken(b.running.say(b.t, text), words)
}

// runsOn is the image of an app of the armada on a cluster.
func (r *running) runsOn(t *testing.T, cluster, app string) string {
	t.Helper()
	for _, c := range r.clusters {
		if c.Name() != cluster {
			continue
		}
		config, err := clientcmd.RESTConfigFromKubeConfig([]byte(c.Kubeconfig()))
		if err != nil {
			t.Fatal(err)
		}
		k, err := kubernetes.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		d, err := k.AppsV1().Deployments("armada").Get(t.Context(), app, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return d.Spec.Template.Spec.Containers[0].Image
	}
	return ""
}
