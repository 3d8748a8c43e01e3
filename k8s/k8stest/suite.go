// Package k8stest is the conformance suite of the fleet: what package k8s
// promises, said to any API server with one call of Suite. It runs against the
// simulated one with every test run and against a real one in e2e; where they
// differ, one of them is wrong.
//
// A cluster for it runs workload controllers (Deployments get pods, of which
// those whose tag contains "broken" cannot pull their image and all others
// become ready) and serves Flux's kinds, but runs no Flux: the suite writes the
// statuses of Flux's objects itself. Each case works in namespaces of its own
// and takes away what it made, so that all may share one cluster.
package k8stest

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"ferry/internal/deploy"
	"ferry/k8s"
)

// Cluster is a cluster to be tested on.
type Cluster struct {
	// Kubeconfig is the path of a kubeconfig whose current context may do
	// everything.
	Kubeconfig string
	// Limited is one whose user may list and watch Deployments, and nothing
	// else (on a real cluster: a ClusterRole, and `as:` in a copy of the
	// kubeconfig); empty skips the cases about permissions.
	Limited string
	// Down makes the API server unreachable for everybody, Up reachable again;
	// nil skips the cases about that.
	Down, Up func() error
	// Hang, if any, lets connections and requests be taken and not answered,
	// until Up.
	Hang func() error
}

// patience bounds what must come about; it is for slow machines, not expected.
const patience = 30 * time.Second

// one is the name of the only cluster in most cases.
const one deploy.Cluster = "one"

// Suite runs every case on a cluster. newCluster is called once per case.
func Suite(t *testing.T, newCluster func(t *testing.T) Cluster) {
	for _, c := range []struct {
		name string
		run  func(*bench)
	}{
		{"lists apps with their versions", listsApps},
		{"sees changes and deletions", seesChanges},
		{"looks only where it is told", looksWhereTold},
		{"judges health", judgesHealth},
		{"unknown owners are of unknown health", unknownOwners},
		{"a release is one app", releaseIsOneApp},
		{"a release without workloads", releaseWithoutWorkloads},
		{"a name in two namespaces", nameTwice},
		{"tells what is declared", tellsDeclared},
		{"follows a rollout", followsRollout},
		{"follows a release", followsRelease},
		{"follows a value of any kind", followsAnyKind},
		{"asks Flux to reconcile", asksToReconcile},
		{"suspends image automation", suspendsAutomation},
		{"goes stale and comes back", goesStale},
		{"notices silence", noticesSilence},
		{"one server under two names", oneServerTwice},
		{"lives with few permissions", fewPermissions},
		{"checks what it needs", checksNeeds},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(newBench(t, newCluster(t))) })
	}
}

// bench is what a case works with.
type bench struct {
	*testing.T
	cluster Cluster
	api     dynamic.Interface
	prefix  string // of namespaces
}

func newBench(t *testing.T, c Cluster) *bench {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst, config.WarningHandler = 200, 400, rest.NoWarnings{}
	api, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return &bench{T: t, cluster: c, api: api, prefix: unique()}
}

// fleet runs a fleet of the one cluster until the case ends. Times are short,
// so that cases about silence are.
func (b *bench) fleet(options k8s.Options) *k8s.Fleet {
	b.Helper()
	if len(options.Clusters) == 0 {
		options.Clusters = []k8s.Member{{Name: one, Kubeconfig: b.cluster.Kubeconfig}}
	}
	options.Probe, options.RetryMax, options.Rediscover = 500*time.Millisecond, time.Second, 300*time.Millisecond
	if options.Answer == 0 {
		options.Answer = 2 * time.Second
	}
	if testing.Verbose() {
		options.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	fleet, err := k8s.New(options)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- fleet.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				b.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			b.Error("Run did not end")
		}
	})
	return fleet
}

// synced is fleet, waited for.
func (b *bench) synced(options k8s.Options) *k8s.Fleet {
	b.Helper()
	fleet := b.fleet(options)
	b.fresh(fleet)
	return fleet
}

func (b *bench) fresh(fleet *k8s.Fleet) {
	b.Helper()
	b.eventually("the cluster is fresh", func() (bool, any) {
		s := fleet.Clusters()[0]
		return !s.Stale && s.Synced, s
	})
}

// eventually waits until something holds; saw is told if it never does.
func (b *bench) eventually(what string, holds func() (ok bool, saw any)) {
	b.Helper()
	end := time.Now().Add(patience)
	for {
		ok, saw := holds()
		if ok {
			return
		}
		if time.Now().After(end) {
			b.Fatalf("%s: it did not come about; last was %+v", what, saw)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// app waits until the app of that name is as wanted.
func (b *bench) app(fleet *k8s.Fleet, name string, wanted func(deploy.AppState) bool) deploy.AppState {
	b.Helper()
	var found deploy.AppState
	b.eventually(name, func() (bool, any) {
		all := fleet.Find(one, name)
		if len(all) != 1 {
			return false, all
		}
		found = all[0]
		return wanted(found), found
	})
	return found
}
