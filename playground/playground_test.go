package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const patience = time.Minute

// TestMain lets this test's binary be the ferry that is started.
func TestMain(m *testing.M) {
	switch os.Getenv("PLAYGROUND_TEST_FERRY") {
	case "":
		os.Exit(m.Run())
	case "fail":
		fmt.Fprintln(os.Stderr, "config.yaml:3: unknown key")
		os.Exit(2)
	case "serve":
		for _, name := range []string{"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "GITHUB_API_TOKEN"} {
			if os.Getenv(name) == "" {
				os.Exit(3)
			}
		}
		config, err := os.ReadFile(os.Getenv("SERVICE_CONFIG_FILE_PATH"))
		if err != nil || !bytes.Contains(config, []byte("prod: {file:")) {
			os.Exit(4)
		}
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		fmt.Fprintln(os.Stderr, "level=ERROR msg=ready pid=", os.Getpid())
		<-ctx.Done()
	}
}

// shared is a writer that others may read meanwhile.
type shared struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

type running struct {
	*Playground
	out, err *shared
	stop     func() error
}

func open(t *testing.T, ferry string) *running {
	t.Helper()
	t.Setenv("PLAYGROUND_TEST_FERRY", ferry)
	o := Options{}
	if ferry != "" {
		o.Ferry = os.Args[0]
	}
	return openWith(t, o)
}

func openWith(t *testing.T, o Options) *running {
	t.Helper()
	r := &running{out: &shared{}, err: &shared{}}
	o.Addr, o.Out, o.Err = "127.0.0.1:0", r.out, r.err
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Playground = p
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	once := sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	r.stop = once
	t.Cleanup(func() { _ = once() })
	return r
}

func (r *running) call(t *testing.T, method, path, body string, into any) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+botToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err == nil && into != nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		t.Fatalf("%s %s: %v: %s", method, path, err, raw)
	}
	return response.StatusCode
}

func TestEverythingOnOnePort(t *testing.T) {
	r := open(t, "")
	var state State
	if code := r.call(t, "GET", "/playground/state", "", &state); code != http.StatusOK {
		t.Fatal(code)
	}
	if len(state.Clusters) != 3 || len(state.Users) != 4 || !state.Users[0].Admin || state.Users[1].Admin || len(state.Channels) != 2 {
		t.Errorf("state: %+v", state)
	}
	var auth struct{ OK bool }
	if r.call(t, "POST", "/api/auth.test", "", &auth); !auth.OK {
		t.Error("the local Slack does not know the bot token")
	}
	written, err := os.ReadFile(filepath.Join(r.options.Dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for mirror, path := range map[string]string{
		`"ghcr.io": "` + r.url + `/ghcr.io"`:                                              "/v2/ghcr.io/stefanprodan/podinfo/manifests/6.5.4",
		`"https://charts.bitnami.com/bitnami": "` + r.url + `/playground/charts/bitnami"`: "/playground/charts/bitnami/index.yaml",
	} {
		if code := r.call(t, "GET", path, "", nil); code != http.StatusOK || !strings.Contains(string(written), mirror) {
			t.Errorf("%s: %d, and the configuration is\n%s", path, code, written)
		}
	}
	dir := filepath.Join(t.TempDir(), "clone")
	if out, err := exec.Command("git", "clone", "-q", state.Repo.CloneURL, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "apps/prod/podinfo/kustomization.yaml")); err != nil {
		t.Error(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", state.Clusters[0].Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	k, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.CoreV1().Namespaces().Get(t.Context(), "kube-system", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	if code := r.call(t, "POST", "/playground/cluster/prod", `{"state":"down"}`, nil); code != http.StatusOK {
		t.Error(code)
	}
	if r.call(t, "GET", "/playground/state", "", &state); state.Clusters[0].State != "down" {
		t.Errorf("%+v", state.Clusters[0])
	}
	for path, body := range map[string]string{
		"/playground/cluster/prod": `{"state":"gone"}`, "/playground/cluster/nowhere": `{"state":"up"}`,
		"/playground/ferry": `{"state":"kill"}`,
	} {
		if code := r.call(t, "POST", path, body, nil); code < 400 {
			t.Errorf("%s %s: %d", path, body, code)
		}
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(r.options.Dir); !os.IsNotExist(err) {
		t.Errorf("%s is left behind: %v", r.options.Dir, err)
	}
	if !strings.Contains(r.out.String(), r.url) || !strings.Contains(r.out.String(), "@ferry promote podinfo@6.5.4 to prod") {
		t.Error(r.out.String())
	}
}

func TestPushReachesTheClusters(t *testing.T) {
	r := open(t, "")
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(r.clusters[0].Kubeconfig()))
	if err != nil {
		t.Fatal(err)
	}
	k, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	w, err := k.AppsV1().Deployments("podinfo").Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	path := "apps/prod/podinfo/kustomization.yaml"
	content, err := r.repo().ReadFile(branch, path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.repo().Commit(branch, "a push", map[string]string{path: strings.Replace(content, "6.5.3", "6.5.4", 1)}); err != nil {
		t.Fatal(err)
	}
	for e := range w.ResultChan() {
		raw, _ := json.Marshal(e.Object)
		if strings.Contains(string(raw), "podinfo:6.5.4") {
			return
		}
	}
	t.Error("the push did not reach prod")
}

func TestFerryIsKilledAndStarted(t *testing.T) {
	r := open(t, "serve")
	ready := func(times int) func() bool {
		return func() bool { return strings.Count(r.err.String(), "level=ERROR msg=ready") >= times }
	}
	eventually(t, ready(1))
	var state State
	eventually(t, func() bool { // the process may speak before whoever started it has noted that it did
		r.call(t, "GET", "/playground/state", "", &state)
		return state.Ferry == "running"
	})
	if code := r.call(t, "POST", "/playground/ferry", `{"state":"kill"}`, nil); code != http.StatusOK {
		t.Error(code)
	}
	if r.call(t, "GET", "/playground/state", "", &state); state.Ferry != "stopped" {
		t.Errorf("ferry is %s", state.Ferry)
	}
	if code := r.call(t, "POST", "/playground/ferry", `{"state":"start"}`, nil); code != http.StatusOK {
		t.Error(code)
	}
	eventually(t, ready(2))
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

// eventually polls: what another process writes cannot be waited for otherwise.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come about")
		}
	}
}

func TestFerryThatDoesNotStart(t *testing.T) {
	t.Setenv("PLAYGROUND_TEST_FERRY", "fail")
	p, err := New(Options{Addr: "127.0.0.1:0", Ferry: os.Args[0], Out: io.Discard, Err: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.Run(ctx); err == nil || !strings.Contains(err.Error(), "config.yaml:3: unknown key") {
		t.Errorf("%v", err)
	}
	if _, err := New(Options{Addr: "127.0.0.1:0", Ferry: "/nowhere/ferry", Out: io.Discard, Err: io.Discard}); err == nil {
		t.Error("a ferry that is not there")
	}
}
