package botkube

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ferry/internal/chat"
	"ferry/plugins/api"
	"ferry/plugins/host"
)

// TestUnmodifiedPlugins runs Botkube's own, of version 1.14, as they were built: from
// the folder FERRY_BOTKUBE_PLUGINS, in which they are called <type>_<name>.
func TestUnmodifiedPlugins(t *testing.T) {
	dir := os.Getenv("FERRY_BOTKUBE_PLUGINS")
	if dir == "" {
		t.Skip("FERRY_BOTKUBE_PLUGINS names no folder")
	}
	theirs := func(name, kind string, change ...func(*host.Binding, *Dialect)) host.Binding {
		b := bound(name, kind, change...)
		b.Find = func(context.Context) (host.File, error) {
			return host.File{Path: filepath.Join(dir, kind+"_"+name)}, nil
		}
		return b
	}
	server := httptest.NewServer(http.HandlerFunc(configMaps))
	t.Cleanup(server.Close)
	way := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: x, clusters: [{name: c, cluster: {server: %q}}], users: [{name: u, user: {}}], contexts: [{name: x, context: {cluster: c, user: u}}]}`, server.URL)
	to := newTaken()
	h := run(t, host.Options{Events: to.take, Bindings: []host.Binding{
		theirs("echo", api.KindExecutor), theirs("kubectl", api.KindExecutor, in("prod", way), func(b *host.Binding, d *Dialect) {
			b.Config = []byte("defaultNamespace: default\n")
			d.RBAC = &RBAC{User: Subject{Type: Static, Values: []string{"jane"}}}
		}),
		theirs("cm-watcher", api.KindSource, in("prod", way), func(b *host.Binding, d *Dialect) {
			b.Config = []byte("configMap: {name: cm-1, namespace: default, event: ADDED}\n")
			d.RBAC = &RBAC{Group: Subject{Type: Static, Values: []string{"readers"}}}
		}),
	}})
	if _, out, err := execute(t, h, line("echo", "hello"), nil); err != nil || !strings.Contains(out, "echo hello") {
		t.Errorf("echo: %q, %v", out, err)
	}
	if r, _, err := execute(t, h, line("echo", "help"), nil); err != nil || r.Title != "`echo` has no help" {
		t.Errorf("echo help: %+v, %v", r, err)
	}
	if _, out, err := execute(t, h, line("kubectl", "help"), nil); err != nil || !strings.Contains(out, "Supported Commands:") {
		t.Errorf("kubectl help: %q, %v", out, err)
	}
	talk := &Talk{Text: "kubectl", User: "U1", Thread: "1.2", Channel: "C1"}
	if _, _, err := execute(t, h, line("kubectl", ""), talk); err != nil || len(talk.Shown) != 1 || len(talk.Shown[0].Controls) != 1 || len(talk.Shown[0].Controls[0].Options) < 5 || talk.Shown[0].Controls[0].Kind != chat.OneOf {
		t.Errorf("kubectl: %+v, %v", talk.Shown, err)
	}
	e := to.wait(t, 1)[0]
	if !strings.Contains(e.Title, "cm-1") {
		t.Errorf("%+v", e)
	}
}

// configMaps is an API server with one ConfigMap.
func configMaps(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.Header.Get("Impersonate-User") != nobody || r.Header.Get("Impersonate-Group") != "readers" {
		http.Error(w, "{}", http.StatusForbidden)
		return
	}
	const one = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"cm-1","namespace":"default","resourceVersion":"2"}}`
	if r.URL.Query().Get("watch") == "" {
		fmt.Fprintf(w, `{"apiVersion":"v1","kind":"ConfigMapList","metadata":{"resourceVersion":"1"},"items":[]}`)
		return
	}
	fmt.Fprintf(w, `{"type":"ADDED","object":%s}`+"\n", one)
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}
