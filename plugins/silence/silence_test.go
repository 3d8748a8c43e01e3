package silence_test

import (
	"strings"
	"testing"
	"time"

	"ferry/internal/event"
	"ferry/internal/fault"
	"ferry/plugins/rows/rowstest"
	"ferry/plugins/silence"
)

func TestSilences(t *testing.T) {
	t.Parallel()
	var disk rowstest.Memory
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	open := func() *silence.Silences {
		s, err := silence.Load(t.Context(), disk.Open(0, false, nil), clock)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	wish := silence.Silence{Matchers: "cluster=prod", By: "U1", Reason: "we drain it", Key: "k1", At: now, Until: now.Add(2 * time.Hour)}
	one, err := s.Place(t.Context(), wish)
	if err != nil || one.ID != "s1" {
		t.Fatalf("place = %+v, %v", one, err)
	}
	if again, err := s.Place(t.Context(), wish); err != nil || again.ID != "s1" || len(s.All()) != 1 {
		t.Errorf("the same command again: %+v, %v, %d silences", again, err, len(s.All()))
	}
	two := wish
	two.Matchers, two.Key = `namespace=~"kube-.*"`, "k2"
	if _, err := s.Place(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	prod, system, other := &event.Event{Cluster: "prod"}, &event.Event{Cluster: "stage", Namespace: "kube-system"}, &event.Event{Cluster: "stage"}
	s = open() // a restart
	if !s.Mutes(prod) || !s.Mutes(system) || s.Mutes(other) || len(s.All()) != 2 || s.All()[0].Reason != "we drain it" {
		t.Errorf("after a restart: %v %v %v, %+v", s.Mutes(prod), s.Mutes(system), s.Mutes(other), s.All())
	}
	if ended, err := s.End(t.Context(), "s1"); err != nil || ended.By != "U1" || s.Mutes(prod) || open().Mutes(prod) {
		t.Errorf("end = %+v, %v; still muted: %v", ended, err, s.Mutes(prod))
	}
	if _, err := s.End(t.Context(), "s1"); !fault.Is(err, fault.NotFound) {
		t.Errorf("end of what is no more: %v", err)
	}
	now = now.Add(2 * time.Hour)
	if s.Mutes(system) || len(s.All()) != 0 {
		t.Error("a silence that is over mutes")
	}
	wish.Key, wish.Matchers, wish.At, wish.Until = "k3", "cluster=lab", now, now.Add(time.Minute)
	s = open() // an ID does not come back, whatever ended
	if third, err := s.Place(t.Context(), wish); err != nil || third.ID != "s3" || len(disk.Keys("event/silence/")) != 1 {
		t.Errorf("the next is %s, and what is over is kept beside it: %v, %v", third.ID, disk.Keys("event/silence/"), err)
	}
	now = now.Add(time.Minute)
	if open(); len(disk.Keys("event/silence/")) != 0 {
		t.Errorf("what is over is kept: %v", disk.Keys("event/silence/"))
	}
}

func TestNoSilence(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	s, err := silence.Load(t.Context(), new(rowstest.Memory).Open(0, false, nil), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		matchers string
		span     time.Duration
		want     string
	}{
		"no matchers": {"prod", time.Hour, "write label=value"},
		"everything":  {`cluster=~".*"`, time.Hour, "choose everything"},
		"nothing":     {"", time.Hour, "choose everything"},
		"for ever":    {"cluster=prod", 91 * 24 * time.Hour, "at most 90 days"},
		"no time":     {"cluster=prod", 0, "at most"},
	} {
		_, err := s.Place(t.Context(), silence.Silence{Matchers: c.matchers, Key: name, At: now, Until: now.Add(c.span)})
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for i := range 201 {
		_, err = s.Place(t.Context(), silence.Silence{Matchers: "cluster=prod", Key: strings.Repeat("k", i+1), At: now, Until: now.Add(time.Hour)})
	}
	if !fault.Is(err, fault.Refused) {
		t.Errorf("the 201st: %v", err)
	}
}
