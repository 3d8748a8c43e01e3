package executor_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"ferry/plugins/api"
)

// TestNothingComesWithTheEnvironment fills the plugin's own environment and home
// with everything that kubectl would look at.
func TestNothingComesWithTheEnvironment(t *testing.T) {
	prod := newFake(t)
	var hits atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer elsewhere.Close()
	e := one(t)
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".kube"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"config": string(kubeconfig(elsewhere.URL)),
		"kuberc": "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\ndefaults:\n- command: get\n  options:\n  - {name: output, default: yaml}\naliases:\n- {name: getn, command: get, prependArgs: [secrets]}\n",
	} {
		if err := os.WriteFile(filepath.Join(home, ".kube", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script := filepath.Join(home, "kubectl-nonsense")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho a plugin of kubectl\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"HOME": home, "PATH": home, "KUBECONFIG": filepath.Join(home, ".kube", "config"), "KUBERC": filepath.Join(home, ".kube", "kuberc"), "KUBECTL_KUBERC": "true",
		"KUBECACHEDIR": home, "KUBERNETES_MASTER": elsewhere.URL, "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1", "POD_NAMESPACE": "kube-system",
		"KUBECTL_EXTERNAL_DIFF": script, "KUBE_EDITOR": script, "HTTP_PROXY": elsewhere.URL, "http_proxy": elsewhere.URL, "ALL_PROXY": elsewhere.URL, "KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "true",
		"LC_ALL": "de_DE.UTF-8", "KUBE_FEATURE_ClientsAllowCBOR": "true", "KUBE_FEATURE_ClientsPreferCBOR": "true",
	} {
		t.Setenv(name, value)
	}
	cluster := api.Cluster{Name: "prod", Kubeconfig: kubeconfig(prod.URL)}
	out, result, err := run(t, e, request("U1", "get pods -o name on prod", cluster))
	if err != nil || result.Failed || out != "pod/web-1\n" {
		t.Errorf("out = %q, %+v, %v", out, result, err)
	}
	out, _, err = run(t, e, request("U1", "get pods on prod", cluster))
	if err != nil || strings.Contains(out, "apiVersion") {
		t.Errorf("preferences are read: %q, %v", out, err)
	}
	for _, line := range []string{"getn on prod", "nonsense on prod"} {
		if out, _, err := run(t, e, request("U1", line, cluster)); err == nil || out != "" {
			t.Errorf("%s: %q, %v", line, out, err)
		}
		if out := child1(t, e, []string{strings.Fields(line)[0]}, kubeconfig(prod.URL)); !strings.Contains(out, "unknown command") {
			t.Errorf("%s without the guard: %q", line, out)
		}
	}
	if hits.Load() > 0 {
		t.Errorf("another server was asked %d times", hits.Load())
	}
	for _, folder := range []string{home, filepath.Join(home, ".kube")} {
		if left, err := filepath.Glob(filepath.Join(folder, "*")); err != nil || len(left) != 2 {
			t.Errorf("something was written: %q, %v", left, err)
		}
	}
}

// TestNoProgramLogsIn checks that a kubeconfig which would start one is refused.
func TestNoProgramLogsIn(t *testing.T) {
	const config = `{clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}], users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: touch, args: [/tmp/never], interactiveMode: Never}}}], contexts: [{name: c, context: {cluster: c, user: u}}], current-context: c}`
	out, result, err := run(t, one(t), request("U1", "get pods on prod", api.Cluster{Name: "prod", Kubeconfig: []byte(config)}))
	if err != nil || !result.Failed || !strings.Contains(out, "give it a token or a certificate") {
		t.Errorf("out = %q, %+v, %v", out, result, err)
	}
}
