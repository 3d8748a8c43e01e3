package host

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"ferry/plugins/api"
)

// guest is a source that the first kubeconfig does not let in.
type guest struct{}

func (guest) Info() api.Info { return api.Info{Name: "guest", Version: "1"} }

func (guest) Stream(ctx context.Context, r api.StreamRequest, emit func(api.Event) error) error {
	if string(r.Kubeconfig) == "key 1" {
		return errors.New("the API server no longer takes the credentials")
	}
	if err := emit(api.Event{ID: string(r.Kubeconfig), Title: r.Cluster}); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// TestAStreamIsOpenedWithTheWayInReadAnew: what has changed since the one before holds,
// and the process goes on.
func TestAStreamIsOpenedWithTheWayInReadAnew(t *testing.T) {
	t.Parallel()
	var reads atomic.Int32
	came := make(chan api.Event, 1)
	b := animal("guest", api.KindSource)
	b.Clusters = func(context.Context) ([]api.Cluster, error) {
		return []api.Cluster{{Name: "prod", Kubeconfig: fmt.Appendf(nil, "key %d", reads.Add(1))}}, nil
	}
	h := run(t, Options{Pause: 300 * time.Millisecond, Bindings: []Binding{b}, Events: func(_ context.Context, _ string, e api.Event) error {
		came <- e
		return nil
	}})
	first := wait(t, h, "guest", "told why its stream ended", func(s State) bool {
		return s.Err == "the API server no longer takes the credentials" // which it keeps when it streams again
	})
	select {
	case e := <-came:
		if e.ID != "key 2" || e.Title != "prod" {
			t.Errorf("it is let in with %q to %q", e.ID, e.Title)
		}
	case <-time.After(time.Minute):
		t.Fatal("it is not let in")
	}
	if s := wait(t, h, "guest", "streaming", func(s State) bool { return s.Events == 1 }); s.PID != first.PID || s.Why != "" {
		t.Errorf("it is %+v", s)
	}
}
