package events

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ferry/e2e/local"
	"ferry/e2e/testbed"
	"ferry/playground/chaos/process"
	"ferry/playground/slack"
)

const channel = "C0DEPLOYS"

// house is the unmodified ferry with its source of events, before a local Slack.
type house struct {
	*process.Process
	dir, plugins string
	slack        *slack.Server
}

// startClusters brings up bare clusters side by side, each with a namespace.
func startClusters(t *testing.T, names ...string) []*testbed.Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("real clusters take more than -short allows")
	}
	out, errs := make([]*testbed.Cluster, len(names)), make([]error, len(names))
	var starts sync.WaitGroup
	for i, name := range names {
		starts.Go(func() {
			out[i], errs[i] = testbed.Start(t.Context(), testbed.Options{Name: name, Bare: true, Progress: t.Output()})
			if errs[i] == nil {
				errs[i] = makeNamespace(t.Context(), out[i], namespace)
			}
		})
	}
	starts.Wait()
	for _, c := range out {
		if c != nil {
			t.Cleanup(func() { must(t, c.Stop()) })
		}
	}
	must(t, errors.Join(errs...))
	return out
}

func makeNamespace(ctx context.Context, c *testbed.Cluster, name string) error {
	_, err := c.Typed.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// newHouse builds ferry, its source and its notifiers, and configures them: the clusters, and what the test says of plugins.sources and
// alerts. before stands before Slack.
func newHouse(t *testing.T, clusters []*testbed.Cluster, before func(http.Handler) http.Handler, rules string) *house {
	t.Helper()
	h := &house{dir: t.TempDir()}
	binary, err := local.Ferry(t.Context(), h.dir)
	must(t, err)
	index := filepath.Join(h.dir, "index")
	h.plugins = filepath.Join(h.dir, "plugins")
	must(t, os.Mkdir(index, 0o700))
	must(t, local.Sources(t.Context(), index, "events"))
	must(t, local.Notifiers(t.Context(), index, "elasticsearch", "log", "webhook-notifier"))
	if out, err := exec.CommandContext(t.Context(), binary, "plugin", "index", index).CombinedOutput(); err != nil {
		t.Fatalf("index the plugins: %v\n%s", err, out)
	}
	server, url, err := local.Slack(local.Workspace(), before, t.Cleanup)
	must(t, err)
	h.slack = server
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := l.Addr().String()
	must(t, l.Close())
	text := &strings.Builder{}
	text.WriteString("clusters:\n")
	for _, c := range clusters {
		fmt.Fprintf(text, "  %s: {file: %s}\n", c.Name, c.Kubeconfig())
	}
	fmt.Fprintf(text, ordinary, url, h.dir, address, h.plugins, index)
	text.WriteString(rules)
	config := filepath.Join(h.dir, "config.yaml")
	must(t, os.WriteFile(config, []byte(text.String()), 0o600))
	h.Process = &process.Process{Binary: binary, Log: logFile(t), Env: append(os.Environ(), "SERVICE_CONFIG_FILE_PATH="+config,
		"SLACK_BOT_TOKEN="+local.BotToken, "SLACK_APP_TOKEN="+local.AppToken, "GITHUB_API_TOKEN=e2e-token")}
	t.Cleanup(func() { must(t, h.End(syscall.SIGKILL)) })
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("ferry's log ends:\n%s", h.tail(40))
		}
	})
	return h
}

// ordinary is a user's configuration. Nobody promotes anything here, and ferry does without a GitHub.
const ordinary = `bot: {admins: [alice]}
namespaces: [shop]
repo: {owner: acme, name: fleet, branch: main}
slack: {base_url: %s/api/}
github: {base_url: "http://127.0.0.1:9/api/v3/"}
registries: {lookup: off}
state: {file: %s/ferry.db}
http: {address: %s}
plugins:
  dir: %s
  repositories: {local: {index: %s}}
`

// logFile takes ferry's log, which is kept where $FERRY_E2E_LOGS says.
func logFile(t *testing.T) *os.File {
	t.Helper()
	folder := os.Getenv("FERRY_E2E_LOGS")
	if folder == "" {
		folder = t.TempDir()
	}
	log, err := os.Create(filepath.Join(folder, t.Name()+".ferry.log"))
	must(t, err)
	t.Cleanup(func() { must(t, log.Close()) })
	return log
}

func (h *house) tail(lines int) string {
	text, err := os.ReadFile(h.Log.Name())
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// pluginPIDs are the processes that run from the plugins' folder now.
func (h *house) pluginPIDs() (out []int) {
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return nil
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, filepath.Join(h.plugins, "run")+"/") {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
				out = append(out, pid)
			}
		}
	}
	slices.Sort(out)
	return out
}

// told are ferry's messages in the channel; those of threads are left out.
func (h *house) told(t *testing.T) (out []slack.Message) {
	t.Helper()
	all, err := h.slack.Messages(channel, "")
	must(t, err)
	for _, m := range all {
		if m.AppID != "" && !m.Deleted && (m.ThreadTS == "" || m.ThreadTS == m.TS) {
			out = append(out, m)
		}
	}
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
