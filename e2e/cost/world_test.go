package cost

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ferry/e2e/testbed"
	"ferry/playground/github"
	"ferry/playground/slack"
)

// world is one API server, a local Slack and GitHub, and the webhook.
type world struct {
	t       testing.TB
	cluster *testbed.Cluster
	slack   *slack.Server
	hook    *hook
	bin     string // folder of ferry and of plugins/
	// addresses of Slack and GitHub
	slackURL, githubURL string
}

const namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"

func newWorld(t testing.TB) *world {
	t.Helper()
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(bin, "plugins", "index.yaml")); err != nil {
		t.Fatalf("make build first: %v", err)
	}
	w := &world{t: t, hook: newHook(t), bin: bin}
	w.chat()
	w.forge()
	if w.cluster, err = testbed.Start(t.Context(), testbed.Options{Name: "prod", NoFlux: true, Progress: t.Output()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := w.cluster.Apply(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	return w
}

const (
	botToken    = "xoxb-e2e"
	appToken    = "xapp-e2e"
	githubToken = "e2e-token"
	channel     = "C0OPS"
)

// chat opens a Slack without limits on messages: what is measured here is ferry.
func (w *world) chat() {
	server, err := slack.New(slack.Options{
		Users:    []slack.User{{ID: "U0ALICE", Name: "alice"}},
		Channels: []slack.Channel{{ID: channel, Name: "ops"}},
		Apps: []slack.App{{
			ID: "A0FERRY", Name: "ferry", BotUserID: "U0FERRY", BotToken: botToken, AppToken: appToken,
			Scopes: []string{
				"commands", "chat:write", "app_mentions:read", "im:history", "channels:history", "groups:history", "im:write",
				"channels:read", "groups:read", "users:read", "usergroups:read", "files:write",
			},
		}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Run(ctx) // it ends because it is told to
	}()
	served := httptest.NewServer(server)
	w.t.Cleanup(func() {
		cancel()
		<-done
		served.CloseClientConnections()
		served.Close()
	})
	w.slack, w.slackURL = server, served.URL
}

func (w *world) forge() {
	server, err := github.New(github.Options{
		Dir:          w.t.TempDir(),
		Repositories: []github.Repository{{Owner: "acme", Name: "fleet", Seed: os.DirFS("../testdata/repo")}},
		Tokens:       map[string]github.Token{githubToken: {Login: "ferry-bot", Access: github.WriteAccess}},
		HourlyLimit:  1 << 20,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	served := httptest.NewServer(server)
	w.t.Cleanup(func() {
		served.Close()
		if err := server.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.githubURL = served.URL
}

// ordinary is the configuration of every ferry here.
const ordinary = `clusters: {prod: {file: $KUBECONFIG}}
bot: {admins: [alice]}
namespaces: [shop]
repo: {owner: acme, name: fleet}
slack: {base_url: $SLACK/api/}
github: {base_url: $GITHUB/api/v3/}
registries: {lookup: off}
state: {file: $DIR/ferry.db}
http: {address: "127.0.0.1:0"}
`

// ferry starts one with the rest of its configuration.
func (w *world) ferry(dir, rest string) *program {
	w.t.Helper()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("http://127.0.0.1:9/nobody"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	text := os.Expand(ordinary+rest, func(name string) string {
		return map[string]string{
			"KUBECONFIG": w.cluster.FerryKubeconfig(), "ADMIN": w.cluster.Kubeconfig(), "SLACK": w.slackURL, "GITHUB": w.githubURL, "DIR": dir,
			"HOOK": w.hook.url, "PLUGINS": filepath.Join(w.bin, "plugins"), "CHANNEL": channel, "SECRET": secret,
		}[name]
	})
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "SERVICE_CONFIG_FILE_PATH=" + file,
		"SLACK_BOT_TOKEN=" + botToken, "SLACK_APP_TOKEN=" + appToken, "GITHUB_API_TOKEN=" + githubToken,
	}
	return start(w.t, dir, env, filepath.Join(w.bin, "ferry"))
}

// event is an Event as a kubelet writes it.
func event(name string, number int) *corev1.Event {
	pod := fmt.Sprintf("web-7d9f8b6c5-%05d", number)
	now := metav1.Now()
	return &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: name, Namespace: "shop"},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: pod, UID: "0a1b2c3d-0000-4000-8000-000000000000", APIVersion: "v1", FieldPath: "spec.containers{web}"},
		Reason:         "Unhealthy", Message: "Readiness probe failed: Get \"http://10.0.0.1:8080/ready\" of " + pod + ": connection refused", Type: corev1.EventTypeWarning,
		Source: corev1.EventSource{Component: "kubelet", Host: "node-1"}, FirstTimestamp: now, LastTimestamp: now, Count: 1,
		ReportingController: "kubelet", ReportingInstance: "node-1",
	}
}

// happen makes Events at a rate and returns when each was begun to be written.
func (w *world) happen(prefix string, count, perSecond int) map[string]time.Time {
	w.t.Helper()
	var mu sync.Mutex
	begun, next := map[string]time.Time{}, 0
	began := time.Now()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= count {
					return
				}
				time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(perSecond))))
				name := fmt.Sprintf("web.%s.%05d", prefix, i)
				mu.Lock()
				begun[name] = time.Now()
				mu.Unlock()
				if _, err := w.cluster.Typed.CoreV1().Events("shop").Create(w.t.Context(), event(name, i), metav1.CreateOptions{}); err != nil {
					w.t.Errorf("write an Event: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
	return begun
}

// awake waits until what is planted arrives.
func (w *world) awake(p *program, name string) {
	w.t.Helper()
	for n, end := 0, time.Now().Add(2*time.Minute); time.Now().Before(end); n++ {
		planted := w.happen(fmt.Sprintf("%s.probe%d", name, n), 1, 1)
		if came := w.hook.await(planted, time.Second); len(came) == 1 {
			return
		}
		select {
		case <-p.ended:
			w.t.Fatalf("%s ended: %v\n%s", name, p.how, p.tail())
		default:
		}
	}
	w.t.Fatalf("%s brings nothing; its log ends:\n%s", name, p.tail())
}

// forget takes away what was written, so that nobody has more to list than another.
func (w *world) forget() {
	w.t.Helper()
	if err := w.cluster.Typed.CoreV1().Events("").DeleteCollection(w.t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil && !strings.Contains(err.Error(), "the server does not allow this method") {
		w.t.Fatal(err)
	}
}

// rest lets time go by in which nothing is to happen: what is measured is that.
func (w *world) rest(how time.Duration) {
	select {
	case <-time.After(how):
	case <-w.t.Context().Done():
	}
}
