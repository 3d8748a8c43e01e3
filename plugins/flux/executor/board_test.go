package executor_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ferry/plugins/flux/executor"
	"ferry/plugins/flux/fluxtest"
)

// hang makes a server silent until the test is over.
func hang(t *testing.T, s *fluxtest.Server) {
	t.Helper()
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	s.Deny = func(string) bool { <-over; return true }
}

// TestOneThatHangs checks that it holds up nobody, and is ended.
func TestOneThatHangs(t *testing.T) {
	prod, stage := cluster(t), cluster(t)
	hang(t, prod)
	r := request("READER", "get ks podinfo on prod,stage", at("prod", prod), at("stage", stage))
	r.Config = []byte(strings.Replace(config, "time: 20s", "time: 5s", 1))
	var out bytes.Buffer
	result, err := executor.New("test").Execute(t.Context(), r, &out)
	if err != nil || !result.Failed || !strings.HasPrefix(out.String(), "== stage ==\nNAME ") || !strings.HasSuffix(out.String(), "== prod ==\nprod: the cluster does not answer in time: context deadline exceeded\n") {
		t.Errorf("out = %q, %+v, %v", out.String(), result, err)
	}
}

func TestLongOutputIsCut(t *testing.T) {
	prod := cluster(t)
	for i := range 200 {
		prod.Put(ks(fmt.Sprintf("team-%03d", i)), "{spec: {}}")
	}
	out, result, err := say(t, "READER", "get ks on prod", at("prod", prod))
	head, last, _ := strings.Cut(out, "… ")
	if err != nil || result.Failed || len(head) > 4096 || !strings.HasSuffix(head, "Flux has not looked at it yet\n") || !strings.HasSuffix(last, " KiB more: ask for less, for example with -n or --status-selector ready=false\n") {
		t.Errorf("%d bytes, then %q; %+v, %v", len(head), last, result, err)
	}
	prod.Flux = func(path string, o fluxtest.Object) {
		for i := range 200 {
			prod.Merge(path, fmt.Sprintf("{status: {conditions: [{type: Reconciling, status: 'True', reason: Progressing, message: 'step %d of very many small ones'}]}}", i))
		}
		handle(prod, path, o, "")
	}
	out, result, err = say(t, "U1", "reconcile ks podinfo on prod", at("prod", prod))
	if err != nil || result.Failed || len(out) > 4300 || strings.Count(out, "… there is more\n") != 1 || !strings.Contains(result.Title, "is ready") {
		t.Errorf("%d bytes, the last %q; %+v, %v", len(out), out[max(0, len(out)-80):], result, err)
	}
}

// TestNobodyReads checks that work ends when what it says is not taken any more.
func TestNobodyReads(t *testing.T) {
	prod := cluster(t)
	prod.Flux = nil // it would be waited for
	gone, begin := errors.New("nobody is there"), time.Now()
	_, err := executor.New("test").Execute(t.Context(), request("U1", "reconcile ks podinfo on prod", at("prod", prod)), deaf{gone})
	if took := time.Since(begin); !errors.Is(err, gone) || took > 15*time.Second {
		t.Errorf("it ended after %s with %v", took, err)
	}
}

type deaf struct{ err error }

func (d deaf) Write([]byte) (int, error) { return 0, d.err }
