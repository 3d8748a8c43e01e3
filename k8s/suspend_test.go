package k8s_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/k8s"
)

const (
	images      = "/apis/image.toolkit.fluxcd.io"
	imagesGroup = `{"name":"image.toolkit.fluxcd.io","versions":[{"version":"v1beta2"},{"version":"v1beta1"}],"preferredVersion":{"version":"v1beta2"}}`
	withKind    = `{"resources":[{"name":"imageupdateautomations/status","kind":"ImageUpdateAutomation"},{"name":"imageupdateautomations","kind":"ImageUpdateAutomation"}]}`
	withoutKind = `{"resources":[{"name":"imagepolicies","kind":"ImagePolicy"}]}`
)

// TestSuspendByWhatIsServed: the version is the one that the cluster serves the
// kind under, and what is missing is told apart.
func TestSuspendByWhatIsServed(t *testing.T) {
	object := "/namespaces/x/imageupdateautomations/updates"
	for name, c := range map[string]struct {
		served map[string]string // by path; what is not there is not found
		want   string            // the path that is patched
		kind   fault.Kind
	}{
		"the preferred version": {map[string]string{images: imagesGroup, images + "/v1beta2": withKind, images + "/v1beta1": withKind}, images + "/v1beta2" + object, ""},
		"an older one":          {map[string]string{images: imagesGroup, images + "/v1beta2": withoutKind, images + "/v1beta1": withKind}, images + "/v1beta1" + object, ""},
		"a version is gone":     {map[string]string{images: imagesGroup, images + "/v1beta1": withKind}, images + "/v1beta1" + object, ""},
		"no such kind":          {map[string]string{images: imagesGroup, images + "/v1beta2": withoutKind}, "", fault.NotFound},
		"no such group":         {nil, "", fault.NotFound},
		"nonsense":              {map[string]string{images: "{"}, "", fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			var patched []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if r.Method == http.MethodPatch {
					body, err := io.ReadAll(r.Body)
					if want := `{"metadata":{"annotations":{"ferry/suspended-by":"j1"}},"spec":{"suspend":true}}`; err != nil || string(body) != want || r.Header.Get("Content-Type") != "application/merge-patch+json" {
						t.Errorf("%v %s %v", err, body, r.Header)
					}
					patched = append(patched, r.URL.Path)
				} else if c.served[r.URL.Path] == "" {
					w.WriteHeader(http.StatusNotFound)
				}
				_, _ = io.WriteString(w, c.served[r.URL.Path])
			}))
			defer server.Close()
			err := plainFleet(t, server.URL).SuspendAutomation(t.Context(), "one", deploy.Ref{Kind: "ImageUpdateAutomation", Namespace: "x", Name: "updates"}, "j1")
			if c.kind != "" {
				if !fault.Is(err, c.kind) || len(patched) > 0 {
					t.Errorf("%v, patched %q", err, patched)
				}
				return
			}
			if err != nil || !slices.Equal(patched, []string{c.want}) {
				t.Errorf("%v, patched %q", err, patched)
			}
		})
	}
}

// plainFleet is a fleet of one server, not run.
func plainFleet(t *testing.T, server string) *k8s.Fleet {
	t.Helper()
	config := api.NewConfig()
	config.Clusters["one"] = &api.Cluster{Server: server}
	config.Contexts["one"] = &api.Context{Cluster: "one"}
	path := filepath.Join(t.TempDir(), "config")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	fleet, err := k8s.New(k8s.Options{Clusters: []k8s.Member{{Name: "one", Kubeconfig: path}}})
	if err != nil {
		t.Fatal(err)
	}
	return fleet
}
