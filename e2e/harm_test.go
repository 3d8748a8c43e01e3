package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"ferry/e2e/local"
	"ferry/e2e/testbed"
	"ferry/playground/chaos/point"
	"ferry/playground/chaos/process"
	"ferry/playground/slack"
)

// harm is a ferry that is killed: between it and the world stands a killer, in every way.
type harm struct {
	*world
	dir    string
	rand   *rand.Rand
	tally  *point.Tally
	killer *point.Killer
	ferry  *process.Process
	room   *room
	out    io.Writer
	asked  int
	struck []string // of this episode
}

// newHarm builds ferry with the tag chaos and puts the killer before everybody whom it talks to.
func newHarm(t *testing.T, w *world, seed uint64) *harm {
	t.Helper()
	h := &harm{world: w, dir: t.TempDir(), rand: rand.New(rand.NewPCG(seed, 0)), out: t.Output()}
	table, err := point.Read("../docs/effects.md")
	must(t, err)
	binary, err := local.Ferry(t.Context(), h.dir, "-tags", "chaos")
	must(t, err)
	log, err := os.Create(filepath.Join(h.dir, "ferry.log"))
	must(t, err)
	t.Cleanup(func() { must(t, log.Close()) })
	h.ferry = &process.Process{Binary: binary, Log: log}
	t.Cleanup(func() { must(t, h.ferry.End(syscall.SIGKILL)) })
	h.tally = point.NewTally(table)
	h.killer = point.NewKiller(h.tally, table.Spots(func(string) bool { return true }), [2]uint64{seed, 1}, func() {
		_ = h.ferry.End(syscall.SIGKILL) // the next start tells
	})
	people := local.Workspace()
	people.OnAck = h.killer.Ack
	// Slack's minutes are too long to be waited for, and so few tries too few for a ferry that is killed every second.
	people.Retries, people.DisconnectGrace = slices.Repeat([]time.Duration{time.Second}, 100), time.Second
	for i := range side {
		people.Channels = append(people.Channels, slack.Channel{ID: fmt.Sprintf("C0DEPLOYS%d", i), Name: strings.TrimPrefix(place(i), "#")})
	}
	h.room, err = openRoom(people, func(api http.Handler) http.Handler { return h.killer.Around(point.OfSlack, api) }, t.Cleanup)
	must(t, err)
	must(t, h.configure(t))
	return h
}

// configure writes what a user would, with each address that of a killer.
func (h *harm) configure(t *testing.T) error {
	github, hooks := httptest.NewServer(h.killer.Around(point.OfGitHub, h.github)), httptest.NewServer(h.killer)
	for _, s := range []*httptest.Server{github, hooks} {
		t.Cleanup(s.Close)
	}
	var text strings.Builder
	text.WriteString("clusters:\n")
	for name, way := range map[string]string{"prod": "pull_request", "stage": "direct"} {
		file, err := h.before(t, h.running()[name])
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "  %s: {file: %s, delivery: %s}\n", name, file, way)
	}
	text.WriteString(os.Expand(hunted, func(name string) string {
		return map[string]string{"SLACK": h.room.url, "GITHUB": github.URL, "STATE": filepath.Join(h.dir, "ferry.db")}[name]
	}))
	file := filepath.Join(h.dir, "config.yaml")
	h.ferry.Env = append(os.Environ(), "SERVICE_CONFIG_FILE_PATH="+file, "SLACK_BOT_TOKEN="+local.BotToken, "SLACK_APP_TOKEN="+local.AppToken,
		"GITHUB_API_TOKEN="+githubToken, "FERRY_CHAOS="+hooks.URL)
	return os.WriteFile(file, []byte(text.String()), 0o600)
}

const hunted = `bot: {admins: [alice]}
namespaces: [podinfo, team, batch]
repo: {owner: acme, name: fleet, branch: main, pull_requests: {labels: [promotion], reviewers: [ana]}}
slack: {base_url: $SLACK/api/}
github: {base_url: $GITHUB/api/v3/}
registries: {lookup: off}
state: {file: $STATE}
timeouts: {rollout: 2m, grace: 2s, drain: 500ms}
`

// before puts a killer before a cluster's API server, and returns a kubeconfig that leads there.
func (h *harm) before(t *testing.T, cluster *testbed.Cluster) (string, error) {
	config, err := clientcmd.LoadFromFile(cluster.FerryKubeconfig())
	if err != nil {
		return "", fmt.Errorf("read kubeconfig: %w", err)
	}
	at := config.Clusters[cluster.Name]
	if at == nil {
		return "", errors.New("the kubeconfig has no cluster " + cluster.Name)
	}
	target, err := url.Parse(at.Server)
	if err != nil {
		return "", fmt.Errorf("read the address of %s: %w", cluster.Name, err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(at.CertificateAuthorityData)
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
		FlushInterval: -1, // watches
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	server := httptest.NewTLSServer(h.killer.Around(point.OfCluster, proxy))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	at.Server = server.URL
	at.CertificateAuthorityData = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	file := filepath.Join(h.dir, cluster.Name+".kubeconfig")
	return file, clientcmd.WriteToFile(*config, file)
}

// tail is the end of ferry's log.
func (h *harm) tail() string { return (&bot{log: h.ferry.Log.Name()}).tail(40) }
