package k8s_test

import (
	"context"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"ferry/k8s/k8stest"
	"ferry/playground/cluster/apiserver"
	"ferry/playground/cluster/workload"
)

// simulated is a simulated API server with workload controllers and without
// Flux, behind a door that can be shut.
type simulated struct {
	store  *apiserver.Store
	server *httptest.Server
	state  atomic.Int32
	shut   chan struct{}
}

const (
	up = iota
	down
	hanging
)

// newSimulated is a cluster with workload controllers.
func newSimulated(t testing.TB, uid string) *simulated {
	s := newServer(t, uid)
	controller := workload.New(s.store, workload.Options{Start: 50 * time.Millisecond})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- controller.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// newServer is the API server alone.
func newServer(t testing.TB, uid string) *simulated {
	s := &simulated{store: apiserver.NewStore(1000, append(apiserver.Builtin(), apiserver.Flux()...)...), shut: make(chan struct{})}
	for _, name := range []string{"default", "kube-system"} {
		namespace := map[string]any{"metadata": map[string]any{"name": name, "uid": uid}}
		if _, err := s.store.Create(s.store.Resource(schema.GroupResource{Resource: "namespaces"}), namespace); err != nil {
			t.Fatal(err)
		}
	}
	inner := apiserver.NewServer(s.store, apiserver.User{Name: "admin", Token: "admin"},
		apiserver.User{Name: "limited", Token: "limited", Deny: []apiserver.Rule{
			{Resources: []string{
				"pods", "replicasets.apps", "statefulsets.apps", "daemonsets.apps", "configmaps", "secrets", "namespaces",
				"kustomizations.kustomize.toolkit.fluxcd.io", "helmreleases.helm.toolkit.fluxcd.io",
				"gitrepositories.source.toolkit.fluxcd.io", "helmrepositories.source.toolkit.fluxcd.io",
				"imageupdateautomations.image.toolkit.fluxcd.io",
			}},
		}})
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch s.state.Load() {
		case down:
			panic(http.ErrAbortHandler)
		case hanging:
			select {
			case <-s.shut:
			case <-r.Context().Done():
			}
			return
		}
		inner.ServeHTTP(w, r)
	}))
	s.server.EnableHTTP2 = true
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.server.StartTLS()
	t.Cleanup(func() {
		close(s.shut)
		s.server.CloseClientConnections()
		s.server.Close()
	})
	return s
}

func (s *simulated) kubeconfig(t testing.TB, user string) string {
	config := api.NewConfig()
	config.Clusters["c"] = &api.Cluster{
		Server:                   s.server.URL,
		CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.server.Certificate().Raw}),
	}
	config.AuthInfos["u"] = &api.AuthInfo{Token: user}
	config.Contexts["here"] = &api.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "here"
	path := filepath.Join(t.TempDir(), user)
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s *simulated) become(state int32) func() error {
	return func() error {
		s.state.Store(state)
		if state == down {
			s.server.CloseClientConnections()
		}
		return nil
	}
}

func TestSuiteOnSimulatedClusters(t *testing.T) {
	k8stest.Suite(t, func(t *testing.T) k8stest.Cluster {
		s := newSimulated(t, "one")
		return k8stest.Cluster{
			Kubeconfig: s.kubeconfig(t, "admin"), Limited: s.kubeconfig(t, "limited"),
			Down: s.become(down), Up: s.become(up), Hang: s.become(hanging),
		}
	})
}

func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
