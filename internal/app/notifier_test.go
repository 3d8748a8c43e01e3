package app

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ferry/internal/fault"
	"ferry/plugins/api"
	"ferry/plugins/host"
	"ferry/plugins/sink"
)

// paging knows the outcomes of some deliveries.
type paging struct {
	known map[string]api.Outcome // by ID
	err   error
	got   []api.Notification
}

func (p *paging) Deliver(_ context.Context, name string, ns []api.Notification, known func(int, api.Outcome)) error {
	if name != "pager" {
		return fault.New(fault.NotFound, "another", "")
	}
	p.got = append(p.got, ns...)
	for i := range ns {
		if o, ok := p.known[ns[i].ID]; ok {
			known(i, o)
		}
	}
	return p.err
}

// TestNotifiersAreSinks: what a plugin says of each of several deliveries is told of
// that one, and what it said nothing of failed as the call did.
func TestNotifiersAreSinks(t *testing.T) {
	cut := errors.New("cut")
	gone := fault.New(fault.Unavailable, "it died", "")
	p := &paging{err: gone, known: map[string]api.Outcome{
		"there": {Receipt: api.Receipt{Ref: "m1"}}, "refused": {Err: api.Fail(cut)}, "held": {Err: api.ErrHeld},
		"later": {Err: api.Again(cut, time.Minute)}, "again": {Err: api.Again(api.Fail(cut), 0)},
	}}
	judge := map[string]func(sink.Result) bool{
		"there":   func(r sink.Result) bool { return r.Err == nil && r.Receipt.Ref == "m1" },
		"refused": func(r sink.Result) bool { return sink.IsRefused(r.Err) },
		"held":    func(r sink.Result) bool { return errors.Is(r.Err, sink.ErrHeld) },
		"later":   func(r sink.Result) bool { return sink.Wait(r.Err) == time.Minute && !sink.IsRefused(r.Err) },
		"again": func(r sink.Result) bool {
			return r.Err != nil && !errors.Is(r.Err, gone) && !sink.IsRefused(r.Err) && sink.Wait(r.Err) == 0
		},
		"unknown": func(r sink.Result) bool { return errors.Is(r.Err, gone) && !sink.IsRefused(r.Err) },
	}
	var ds []sink.Delivery
	for id := range judge {
		ds = append(ds, sink.Delivery{ID: id})
	}
	s := &notifier{name: "pager", to: "C1", ask: func() notifying { return p }}
	for i, r := range s.DeliverAll(t.Context(), ds) {
		if !judge[ds[i].ID](r) {
			t.Errorf("%s: %+v", ds[i].ID, r)
		}
		if n := p.got[i]; n.ID != ds[i].ID || n.To != "C1" {
			t.Errorf("asked for %+v", n)
		}
	}
	s.broke.Store(false)
	if r, err := s.Deliver(t.Context(), sink.Delivery{ID: "there"}); err != nil || r.Ref != "m1" {
		t.Errorf("one alone: %+v, %v", r, err)
	}
}

// TestNothingOfADeliveryIsForgotten on its way into the contract's words.
func TestNothingOfADeliveryIsForgotten(t *testing.T) {
	at := time.Unix(5, 0)
	d := sink.Delivery{
		ID: "i/2", Key: "i", Order: "o", Ref: "r", Revision: 2, At: at, Opened: at.Add(-time.Hour), State: "resolved", Severity: "critical", Title: "T", Text: "x", Count: 3, Firing: 4,
		Things: 5, Repeat: 6, Labels: map[string]string{"a": "b"}, Details: []string{"y"}, Event: []byte(`{"id":"e"}`),
	}
	want := api.Notification{
		ID: "i/2", Incident: "i", Order: "o", Previous: api.Receipt{Ref: "r"}, Revision: 2, At: at, Opened: at.Add(-time.Hour), State: api.Resolved, Severity: "critical", Title: "T", Text: "x", Count: 3, Firing: 4,
		Things: 5, Repeat: 6, Labels: map[string]string{"a": "b"}, Details: []string{"y"}, Event: []byte(`{"id":"e"}`),
	}
	for v, i := reflect.ValueOf(d), 0; i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("the test says nothing of %s", v.Type().Field(i).Name)
		}
	}
	if got := notification(&d); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	for _, c := range []struct {
		state    string
		revision int
		want     api.State
	}{{"firing", 1, api.Opened}, {"firing", 2, api.Updated}, {"resolved", 1, api.Resolved}, {"expired", 3, api.Expired}, {"", 1, api.Happened}} {
		if got := notification(&sink.Delivery{State: c.state, Revision: c.revision}).State; got != c.want {
			t.Errorf("state %q, revision %d: %s, want %s", c.state, c.revision, got, c.want)
		}
	}
}

// fragile is a plugin that dies of one delivery, and is then down for a while.
type fragile struct {
	asked []string // what it was asked for, a call each
	down  bool
}

func (f *fragile) Deliver(_ context.Context, _ string, ns []api.Notification, known func(int, api.Outcome)) error {
	ids := make([]string, len(ns))
	for i := range ns {
		ids[i] = ns[i].ID
	}
	f.asked = append(f.asked, strings.Join(ids, "+"))
	if f.down {
		f.down = false
		return fault.New(fault.Unavailable, "the notifier is not running", "").Because(host.ErrNotBegun)
	}
	if slices.Contains(ids, "poison") {
		f.down = true
		return fault.New(fault.Unavailable, "it failed in the middle", "")
	}
	for i := range ns {
		known(i, api.Outcome{})
	}
	return nil
}

// TestWhatKillsAPluginIsAlone: those that were asked for with it arrive, and a plugin
// that does not run has failed nobody.
func TestWhatKillsAPluginIsAlone(t *testing.T) {
	f := &fragile{}
	s := &notifier{name: "pager", ask: func() notifying { return f }}
	ask := func(ids ...string) (out []string) {
		t.Helper()
		ds := make([]sink.Delivery, len(ids))
		for i := range ids {
			ds[i].ID = ids[i]
		}
		for _, r := range s.DeliverAll(t.Context(), ds) {
			switch {
			case r.Err == nil:
				out = append(out, "ok")
			case errors.Is(r.Err, sink.ErrHeld):
				out = append(out, "held")
			case sink.Wait(r.Err) > 0:
				out = append(out, "waits")
			default:
				out = append(out, "failed")
			}
		}
		return out
	}
	for i, c := range []struct{ ids, want, asked string }{
		{"a poison b", "failed failed failed", "a+poison+b"},
		{"a poison b", "waits held held", "a"},
		{"a poison b", "ok failed held", "a poison"},
		{"poison b", "waits held", "poison"},
		{"b c", "ok ok", "b c"},
		{"d e", "ok ok", "d+e"},
	} {
		f.asked = nil
		if got := strings.Join(ask(strings.Fields(c.ids)...), " "); got != c.want || strings.Join(f.asked, " ") != c.asked {
			t.Errorf("round %d: %s, asked for %v; want %s, %s", i, got, f.asked, c.want, c.asked)
		}
	}
}
