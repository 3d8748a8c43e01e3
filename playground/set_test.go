package main

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// TestASetGoesInWaves asks the unmodified ferry for 40 apps on three clusters. One app
// cannot start on the second of them: the first wave is one commit and healthy, the
// second one commit with one failure, and the third cluster is never touched. ferry is
// killed in between, and goes on.
func TestASetGoesInWaves(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles ferry, which takes more than -short allows")
	}
	const apps = 40
	r := openWith(t, Options{Ferry: compileFerry(t), Fleet: "armada"})
	r.slack.SetRateLimits(false)
	eventually(t, func() bool { return r.ferry.state() == "running" })
	began, before := time.Now(), r.files(t)
	thread := r.say(t, "promote all from stage to prod-*")
	id := ""
	eventually(t, func() bool {
		said := strings.Join(r.thread(t, thread), "\n")
		if m := regexp.MustCompile("`confirm ([a-z0-9]+)` begins it").FindStringSubmatch(said); m != nil {
			id = m[1]
		}
		return id != ""
	})
	planned := time.Since(began)
	if shown := r.thread(t, thread)[0]; !strings.Contains(shown, "120 changes in 3 waves, one commit each: prod-ca; then prod-eu; then prod-us.") || !strings.Contains(shown, "app00  1.0.0 → 2.0.0  1.0.0 → 2.0.0  1.0.0 → 2.0.0") {
		t.Errorf("it shows\n%s", shown)
	}
	commits := func() int {
		log, err := r.repo().Log(branch)
		if err != nil {
			t.Fatal(err)
		}
		return len(log)
	}
	if n := commits(); n != 1 {
		t.Fatalf("%d commits before it is confirmed", n)
	}
	confirmed := time.Now()
	r.say(t, "confirm "+id)
	var first, second time.Duration
	eventually(t, func() bool {
		n := commits()
		if n > 1 && first == 0 {
			first = time.Since(confirmed)
			for _, state := range []string{"kill", "start"} { // in the middle of the first wave
				if code := r.call(t, "POST", "/playground/ferry", fmt.Sprintf(`{"state":%q}`, state), nil); code != http.StatusOK {
					t.Errorf("%s: %d", state, code)
				}
			}
		}
		if n > 2 && second == 0 {
			second = time.Since(confirmed)
		}
		return len(r.thread(t, thread)) == 2
	})
	t.Logf("%d changes planned and shown after %s; commits %s and %s after the confirmation, the account %s after it", 3*apps, planned, first, second, time.Since(confirmed))
	said := r.thread(t, thread)
	for _, want := range []string{
		"❌ Wave 2 of 3 failed: 39 of 40 apps are healthy on prod-eu, prod-us is untouched\n", "*app17 on prod-eu* (`2.0.0`): ", "Wave 1 of 3 (prod-ca): healthy, 40 changes.",
		"Untouched: prod-us.", "`rollback app17 on prod-eu` brings it back", "app17  2.0.0  healthy  failed   untouched",
	} {
		if !strings.Contains(said[1], want) {
			t.Errorf("%q is not in\n%s", want, said[1])
		}
	}
	r.committed(t, id, before)
	r.runs(t, apps)
	r.records(t, apps)
}

// committed sees to it that each wave is one commit, which changes nothing but the
// versions of its cluster.
func (r *running) committed(t *testing.T, id string, before map[string]string) {
	t.Helper()
	log, err := r.repo().Log(branch)
	if err != nil || len(log) != 3 {
		t.Fatalf("%d commits, want the seed and two waves: %v", len(log), err)
	}
	for i, cluster := range []string{"prod-eu", "prod-ca"} {
		m := log[i].Message
		if !strings.HasPrefix(m, "promote 40 apps on "+cluster+"\n") || strings.Count(m, fmt.Sprintf("\nFerry-Wave: %s/%d\n", id, 2-i)) == 0 || strings.Count(m, "Ferry-App: ") != 40 {
			t.Errorf("the message of %s is\n%.400s", cluster, m)
		}
	}
	changed := 0
	for path, now := range r.files(t) {
		want := before[path]
		if strings.HasPrefix(path, "apps/prod-ca/app") || strings.HasPrefix(path, "apps/prod-eu/app") {
			want = strings.Replace(want, "newTag: 1.0.0", "newTag: 2.0.0", 1)
			changed++
		}
		if now != want {
			t.Errorf("%s is\n%s", path, now)
		}
	}
	if changed != 80 {
		t.Errorf("%d files are of the two waves", changed)
	}
}

// files are those of the branch.
func (r *running) files(t *testing.T) map[string]string {
	t.Helper()
	dir, out := filepath.Join(t.TempDir(), "clone"), map[string]string{}
	if said, err := exec.CommandContext(t.Context(), "git", "clone", "-q", r.repo().Dir(), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, "/.git/") {
			return err
		}
		data, err := os.ReadFile(path)
		out[strings.TrimPrefix(path, dir+"/")] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// runs asks the clusters what their pods are made of.
func (r *running) runs(t *testing.T, apps int) {
	t.Helper()
	for _, c := range r.clusters {
		config, err := clientcmd.RESTConfigFromKubeConfig([]byte(c.Kubeconfig()))
		if err != nil {
			t.Fatal(err)
		}
		k, err := kubernetes.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		all, err := k.AppsV1().Deployments("armada").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want := ":2.0.0"
		if c.Name() == "prod-us" {
			want = ":1.0.0"
		}
		right := 0
		for _, d := range all.Items {
			if strings.HasSuffix(d.Spec.Template.Spec.Containers[0].Image, want) {
				right++
			}
		}
		if right != apps {
			t.Errorf("%d of %d on %s run %s", right, len(all.Items), c.Name(), want)
		}
	}
}

// records asks ferry what it remembers of apps: of the one that failed, and of each
// fourth, since it says no more than a message a second in a channel.
func (r *running) records(t *testing.T, apps int) {
	t.Helper()
	for i := range apps {
		app := fmt.Sprintf("app%02d", i)
		if i%4 != 0 && app != "app17" {
			continue
		}
		thread := r.say(t, "history "+app)
		eventually(t, func() bool { return len(r.thread(t, thread)) == 1 })
		said, eu := r.thread(t, thread)[0], "healthy"
		if app == "app17" {
			eu = "failed"
		}
		for cluster, outcome := range map[string]string{"prod-ca": "healthy", "prod-eu": eu} {
			if !regexp.MustCompile(`(?m)^.*` + cluster + `.*1\.0\.0 → 2\.0\.0.*` + outcome).MatchString(said) {
				t.Errorf("it does not remember that %s is %s on %s:\n%s", app, outcome, cluster, said)
			}
		}
		if strings.Contains(said, "prod-us") {
			t.Errorf("it remembers %s on prod-us:\n%s", app, said)
		}
	}
}
