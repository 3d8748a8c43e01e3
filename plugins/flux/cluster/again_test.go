package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ferry/plugins/flux/fluxtest"
	"ferry/plugins/flux/line"
	"ferry/plugins/kubectl/rules"
)

// TestWhoIsAskedAgain drives the tries by the clock of a bubble.
func TestWhoIsAskedAgain(t *testing.T) {
	said := func(code int) error {
		return apierrors.NewGenericServerResponse(code, "get", schema.GroupResource{}, "", "etcdserver: leader changed", 0, true)
	}
	for name, c := range map[string]struct {
		err   error
		again bool
	}{
		"storage is (re)initializing": {apierrors.NewTooManyRequests("storage is (re)initializing", 1), true},
		"no leader":                   {said(http.StatusInternalServerError), true},
		"starting":                    {said(http.StatusServiceUnavailable), true},
		"refused":                     {fmt.Errorf("dial: %w", syscall.ECONNREFUSED), true},
		"reset":                       {fmt.Errorf("read: %w", syscall.ECONNRESET), true},
		"not there":                   {said(http.StatusNotFound), false},
		"forbidden":                   {said(http.StatusForbidden), false},
		"not built":                   {said(http.StatusNotImplemented), false},
		"too late":                    {context.DeadlineExceeded, false},
	} {
		for _, times := range []int{2, 1000} {
			synctest.Test(t, func(t *testing.T) {
				began, asked := time.Now(), 0
				out, err := patiently(t.Context(), func() (string, error) {
					if asked++; asked <= times {
						return "", c.err
					}
					return "right", nil
				})
				took := time.Since(began)
				switch {
				case !c.again && (asked != 1 || !errors.Is(err, c.err)):
					t.Errorf("%s: asked %d times: %v", name, asked, err)
				case c.again && times == 2 && (out != "right" || err != nil || took < 3*soonest || took > 5*soonest):
					t.Errorf("%s: %q, %v after %s", name, out, err, took)
				case c.again && times == 1000 && (!errors.Is(err, c.err) || asked < 3 || took > moment):
					t.Errorf("%s: asked %d times in %s: %v", name, asked, took, err)
				}
			})
		}
	}
}

func TestWhoStopsWaitingIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), soonest/2)
		defer cancel()
		began := time.Now()
		if _, err := patiently(ctx, func() (int, error) { return 0, syscall.ECONNREFUSED }); !errors.Is(err, syscall.ECONNREFUSED) || time.Since(began) != soonest/2 {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// TestEveryQuestionIsAskedAgain has a cluster that answers each of them wrongly once, in
// a way that client-go tells its caller.
func TestEveryQuestionIsAskedAgain(t *testing.T) {
	s := fluxtest.New(t)
	path := fluxtest.Path("kustomize.toolkit.fluxcd.io/v1", "apps", "kustomizations", "web")
	s.Put(path, "{spec: {}}")
	var mu sync.Mutex
	told := map[string]int{}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		question := r.Method + " " + r.URL.Path
		told[question]++
		first := told[question] == 1
		mu.Unlock()
		if first {
			http.Error(w, "etcdserver: leader changed", http.StatusInternalServerError)
			return
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	c, err := Connect([]byte(strings.ReplaceAll(string(s.Kubeconfig()), s.URL, front.URL)), rules.Grant{
		Scopes: []rules.Scope{{Resources: []string{"*"}, Namespaces: []string{"*"}}},
		Writes: []rules.Write{{Method: "PATCH", Resource: "kustomizations.kustomize.toolkit.fluxcd.io", Namespace: "apps", Name: "web"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ks, _ := line.Named("Kustomization", line.Kustomize)
	o, err := c.Get(t.Context(), ks, "apps", "web")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Patch(t.Context(), o, map[string]any{"spec": map[string]any{"suspend": true}}); err != nil {
		t.Error(err)
	}
	if all, err := c.List(t.Context(), ks, "apps", ""); err != nil || len(all) != 1 || !all[0].Suspended() {
		t.Errorf("%v, %v", all, err)
	}
	if len(told) != 5 { // the group, its version, the object, its patch, the list
		t.Errorf("asked %v", told)
	}
}
