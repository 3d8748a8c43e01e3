package e2e

import (
	"context"
	"errors"
	"testing"
	"time"

	"ferry/e2e/testbed"
	"ferry/k8s/k8stest"
)

// TestFleetConformance holds the fleet against a real API server; the simulated one passes the same suite in the root
// module. Flux does not run, because the suite plays its part.
func TestFleetConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("real clusters take more than -short allows")
	}
	cluster, err := testbed.Start(t.Context(), testbed.Options{Name: "fleet", Dir: logDir(t, "fleet"), NoFlux: true, Progress: t.Output()})
	must(t, err)
	t.Cleanup(func() { must(t, cluster.Stop()) })
	must(t, serveImageAutomation(t.Context(), cluster))
	t.Run("a suspension ends by what Git says", func(t *testing.T) { suspensionEnds(t, cluster) })
	k8stest.Suite(t, func(t *testing.T) k8stest.Cluster {
		return k8stest.Cluster{
			Kubeconfig: cluster.Kubeconfig(),
			Limited:    cluster.LimitedKubeconfig(),
			Down:       func() error { cluster.Down(); return nil },
			Up:         func() error { return serveAgain(cluster) },
			Hang:       cluster.Freeze,
		}
	})
}

// serveAgain ends whatever kept the API server from answering.
func serveAgain(cluster *testbed.Cluster) error {
	if cluster.Serving() {
		return cluster.Thaw()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(cluster.Up(ctx), ctx.Err())
}
