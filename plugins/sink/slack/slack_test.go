package slack_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/plugins/sink"
	"ferry/plugins/sink/slack"
)

func ordinary() sink.Delivery {
	return sink.Delivery{
		ID: "i1/1", Key: "i1", Revision: 1, At: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), State: "firing", Severity: "warning",
		Title: "BackOff pod web", Text: "back-off", Labels: map[string]string{"cluster": "prod"}, Event: []byte(`{"id":"e"}`),
	}
}

type wall struct{ shown []string }

func (w *wall) Put(_ context.Context, at chat.Thread, key string, m chat.Message) error {
	w.shown = append(w.shown, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", key, at.Root, m.Tone, m.Title)))
	return nil
}

func (w *wall) Posted(context.Context, string) (string, error) { return "1.2", nil }

func TestSlack(t *testing.T) {
	t.Parallel()
	w := &wall{}
	s, err := slack.New(slack.Config{Outbox: w, Team: "T1", Channel: "C1", Prefix: "oncall"})
	if err != nil {
		t.Fatal(err)
	}
	d := ordinary()
	for _, change := range []func(){
		func() {},
		func() { d.Revision, d.Repeat = 2, 1 },
		func() { d.Revision, d.Repeat, d.Things, d.Details = 3, 0, 6, strings.Fields("a b c d e f") },
		func() { d.Revision, d.State, d.Details = 4, "resolved", nil },
	} {
		change()
		if _, err := s.Deliver(t.Context(), d); err != nil {
			t.Error(err)
		}
	}
	want := []string{
		"event/oncall/i1  failure BackOff pod web",
		"event/oncall/i1  failure BackOff pod web", "event/oncall/i1/repeat/2 1.2 failure It is still so: BackOff pod web",
		"event/oncall/i1  failure BackOff pod web", "event/oncall/i1/details 1.2 failure All 6",
		"event/oncall/i1  done BackOff pod web",
	}
	if strings.Join(w.shown, "\n") != strings.Join(want, "\n") {
		t.Errorf("shown:\n%s", strings.Join(w.shown, "\n"))
	}
}

// TestWithoutAPlace is refused.
func TestWithoutAPlace(t *testing.T) {
	t.Parallel()
	if _, err := slack.New(slack.Config{}); err == nil || !strings.Contains(err.Error(), "are needed") {
		t.Error(err)
	}
}

// late is an outbox whose chat does not answer.
type late struct{ wall }

func (l *late) Posted(ctx context.Context, _ string) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

// TestSlackWaitsInVain: the message is wished for all the same, and the thread is
// tried again.
func TestSlackWaitsInVain(t *testing.T) {
	t.Parallel()
	l := &late{}
	s, err := slack.New(slack.Config{Outbox: l, Channel: "C1", Prefix: "oncall"})
	if err != nil {
		t.Fatal(err)
	}
	d := ordinary()
	d.Details = strings.Fields("a b c d e f")
	if _, err := s.Deliver(t.Context(), d); err == nil || sink.IsRefused(err) || sink.Wait(err) != 0 || len(l.shown) != 1 {
		t.Errorf("%v; shown: %q", err, l.shown)
	}
}
