package slack_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"ferry/internal/chat"
	"ferry/internal/event"
	"ferry/plugins/match"
	"ferry/plugins/sink"
	"ferry/plugins/sink/slack"
)

// shown is an outbox that keeps the last message.
type shown struct {
	wall
	last chat.Message
}

func (s *shown) Put(_ context.Context, _ chat.Thread, _ string, m chat.Message) error {
	s.last = m
	return nil
}

// TestWhatSlackOffersToSilence: the same trouble when it comes again, and nothing else;
// nothing at all where that cannot be said.
func TestWhatSlackOffersToSilence(t *testing.T) {
	t.Parallel()
	pod := event.Event{Cluster: "prod", Kind: "Pod", Namespace: "shop", Name: "web-7d9f8b6c5-x2x4z", Reason: "BackOff"}
	job := event.Event{Cluster: "prod", Kind: "Job", Namespace: "ops", Name: "back up+1", Reason: "It's \"bad\""}
	app := event.Event{Cluster: "prod", Kind: "Pod", Namespace: "shop", Name: "web-1", Reason: "BackOff", Labels: map[string]string{"app": "web"}}
	again := pod
	again.Name = "web-7d9f8b6c5-bb8nq"
	for _, c := range []struct {
		labels      map[string]string
		want        string
		same, other *event.Event
	}{
		{map[string]string{"cluster": "prod", "kind": "Pod", "namespace": "shop", "name": pod.Name, "reason": "BackOff"}, `cluster=prod namespace=shop reason=BackOff name=~"web-.*"`, &again, &job},
		{map[string]string{"cluster": "prod", "kind": "Job", "namespace": "ops", "name": job.Name, "reason": job.Reason}, `cluster=prod namespace=ops reason="It's \"bad\"" name="back up+1"`, &job, &pod},
		{map[string]string{"cluster": "prod", "kind": "Pod", "namespace": "shop", "name": "web-1", "reason": "BackOff", "app": "web"}, "cluster=prod namespace=shop app=web reason=BackOff", &app, &pod},
		{map[string]string{"cluster": "prod", "node": "n1"}, "cluster=prod node=n1", &event.Event{Cluster: "prod", Labels: map[string]string{"node": "n1"}}, &pod},
		{labels: map[string]string{"cluster": "prod"}},
		{labels: map[string]string{"namespace": "shop", "reason": "BackOff"}},
		{labels: nil},
	} {
		var w shown
		s, err := slack.New(slack.Config{Outbox: &w, Channel: "C1", Prefix: "oncall"})
		if err != nil {
			t.Fatal(err)
		}
		d := sink.Delivery{ID: "i1/1", Key: "i1", State: "firing", Severity: "error", Title: "x", Labels: c.labels}
		if _, err := s.Deliver(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if (len(w.last.Controls) > 0) != (c.want != "") {
			t.Errorf("%v offers %+v", c.labels, w.last.Controls)
			continue
		}
		for _, menu := range w.last.Controls {
			for i, o := range menu.Options {
				command := menu.Command + o.Value
				matchers, found := strings.CutPrefix(strings.TrimSuffix(command, fmt.Sprintf(" for %s because it is being looked into", []string{"1h", "4h", "1d", "1w"}[i])), "silence ")
				ms, err := match.Parse(matchers)
				if !found || err != nil || matchers != c.want || !ms.Matches(c.same) || ms.Matches(c.other) {
					t.Errorf("%v offers %q, %v", c.labels, command, err)
				}
			}
		}
		if d.State = "resolved"; c.want != "" {
			if _, err := s.Deliver(t.Context(), d); err != nil || len(w.last.Controls) > 0 {
				t.Errorf("what is over can be silenced: %+v, %v", w.last.Controls, err)
			}
		}
	}
}
