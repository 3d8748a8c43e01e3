package pipeline_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"ferry/internal/event"
	"ferry/plugins/sink"
)

// kept is what the store holds of an incident.
type kept struct {
	event.Incident
	Revision int `json:"revision"`
	Begun    *struct {
		Apart bool `json:"apart"`
	} `json:"begun"`
}

// stored are the incidents of a receiver, by ID, as they are in the store.
func (h *house) stored(receiver string) (map[string]kept, error) {
	out, store := map[string]kept{}, h.disk.Open(0, false, nil)
	for _, key := range h.disk.Keys("event/incident/") {
		r, _, err := store.Get(context.Background(), key)
		if err != nil {
			return nil, err
		}
		var i kept
		if err := json.Unmarshal(r.Value, &i); err != nil {
			return nil, err
		}
		if i.Receiver == receiver {
			out[i.ID] = i
		}
	}
	return out, nil
}

// judgeStorms: each incident is told by a message of its own or by one digest, not by
// both unless it was set apart, and each message ends as the history does.
func (h *house) judgeStorms() (problems []string) {
	say := func(format string, args ...any) { problems = append(problems, "storms: "+fmt.Sprintf(format, args...)) }
	incidents, err := h.stored("storm")
	if err != nil {
		return []string{err.Error()}
	}
	final := map[string]sink.Delivery{}
	for _, d := range h.storm.Once() {
		if d.Revision <= final[d.Key].Revision {
			say("revision %d of %s came after %d", d.Revision, d.Key, final[d.Key].Revision)
		}
		final[d.Key] = d
	}
	fires, abouts := map[event.About]bool{}, map[event.About]int{}
	for _, one := range h.source.History {
		if _, known := fires[one.Event.About]; known || !one.Event.Resolved {
			fires[one.Event.About] = !one.Event.Resolved
		}
	}
	digests := map[string][]kept{}
	for id, i := range incidents {
		about := i.Problems[0].About
		abouts[about]++
		d, own := final[id]
		delete(final, id)
		switch apart := i.Begun != nil && i.Begun.Apart; {
		case (i.State == event.Firing) != fires[about]:
			say("%s is %s", about, i.State)
		case i.Begun == nil && (own || fires[about]):
			say("%s: told is %v, and nobody knows of it", about, own)
		case i.Digest == "" && i.Begun != nil && !own, i.Digest != "" && own != apart:
			say("%s has a message of its own: %v; its digest is %q", about, own, i.Digest)
		case own && (d.State != string(i.State) || d.Count != i.Count):
			say("%s is shown as %s with %d, is %s with %d", about, d.State, d.Count, i.State, i.Count)
		}
		if i.Digest != "" {
			digests[i.Digest] = append(digests[i.Digest], i)
		}
	}
	for about := range fires {
		if abouts[about] != 1 {
			say("%d incidents of %s", abouts[about], about)
		}
	}
	for id, members := range digests {
		d, told := final[id]
		delete(final, id)
		problems = append(problems, judgeDigest(d, told, members)...)
	}
	for id, d := range final {
		say("%s is told of, and there is no such thing: %s", id, d.Title)
	}
	h.digests += len(digests)
	return problems
}

func judgeDigest(d sink.Delivery, told bool, members []kept) (problems []string) {
	say := func(format string, args ...any) { problems = append(problems, "digest: "+fmt.Sprintf(format, args...)) }
	firing, count := 0, 0
	details := strings.Join(append([]string{d.Title}, d.Details...), "\n")
	for _, i := range members {
		count += i.Count
		if i.State == event.Firing {
			firing++
			if !strings.Contains(details, i.Problems[0].Name) {
				say("%s is not called by its name in\n%s", i.Problems[0].About, details)
			}
		}
	}
	state := event.Firing
	if firing == 0 {
		state = event.Resolved
	}
	switch {
	case !told && firing > 0:
		say("nobody heard of %d incidents", firing)
	case !told: // all of it was over before anybody was to hear of it
	case d.State != string(state), d.Firing != firing, d.Things != len(members), d.Count != count:
		say("it is shown as %s, %d of %d firing, %d times; it is %s, %d of %d, %d times", d.State, d.Firing, d.Things, d.Count, state, firing, len(members), count)
	}
	return problems
}
