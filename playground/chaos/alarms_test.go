package main

import (
	"encoding/json"
	"math/rand/v2"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"ferry/playground/slack"
)

// TestAlarmsAreRepeatable: a seed draws the same alarms, another one others, and each
// has a name of its own.
func TestAlarmsAreRepeatable(t *testing.T) {
	t.Parallel()
	draw := func(seed uint64) (out []string) {
		w := &world{options: options{mode: modeKill}, chance: rand.New(rand.NewPCG(seed, 1<<34)), held: newHeld("")}
		for range 4 {
			for _, a := range w.sound(15) {
				raw, err := json.Marshal([]any{a.kind, a.name, a.at, a.late})
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, string(raw))
				for _, s := range a.steps {
					out = append(out, s.body, s.says)
				}
			}
		}
		if len(w.alarms) != 20 || w.alarms[0].name == w.alarms[19].name {
			t.Errorf("%d alarms, the first %s, the last %s", len(w.alarms), w.alarms[0].name, w.alarms[19].name)
		}
		return out
	}
	if one := draw(1); !reflect.DeepEqual(one, draw(1)) || reflect.DeepEqual(one, draw(2)) {
		t.Error("a seed does not decide what is posted")
	}
}

// TestVerdictOnAlarms: what was taken is told once, and as it is in the end.
func TestVerdictOnAlarms(t *testing.T) {
	t.Parallel()
	const fires, over, two = "Trouble t1", "Resolved: Trouble t1\nIt lasted 3 s.", "2 in trouble (trouble t1)"
	for _, c := range []struct {
		name     string
		kind     alarmKind
		taken    int32
		messages []string
		want     string // of the error
	}{
		{"told", lastingAlarm, 1, []string{fires}, ""},
		{"lost", lastingAlarm, 1, nil, "nobody was told"},
		{"never taken", lastingAlarm, 0, nil, ""},
		{"taken, and the sender did not hear it", lastingAlarm, 0, []string{fires}, ""},
		{"twice", lastingAlarm, 2, []string{fires, fires}, "2 messages"},
		{"twice, and never taken", singleAlarm, 0, []string{fires, fires}, "2 messages"},
		{"lasting, and said to be over", lastingAlarm, 1, []string{over}, "says that it is over"},
		{"over", endingAlarm, 2, []string{over}, ""},
		{"over, and said to last", endingAlarm, 2, []string{fires}, "does not say"},
		{"two things, of which one is told", growingAlarm, 3, []string{two}, "does not say"},
		{"brief, and not told", briefAlarm, 2, nil, ""},
		{"brief, and told", briefAlarm, 2, []string{over}, ""},
		{"brief, and said to last", briefAlarm, 2, []string{fires}, "does not say"},
		{"brief, and told twice", briefAlarm, 2, []string{over, over}, "2 messages"},
	} {
		w := &world{chance: rand.New(rand.NewPCG(1, 1))}
		a := w.alarm(c.kind)
		a.taken.Store(c.taken)
		if err := a.inSlack(c.messages); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestVerdictOnDeliveries: an address hears states of one incident in their order,
// each again only with its ID.
func TestVerdictOnDeliveries(t *testing.T) {
	t.Parallel()
	state := func(key, id string, revision int, state string) heard {
		return heard{ID: id, Key: key, Revision: revision, State: state, Title: "Trouble t1"}
	}
	fires, over := state("i", "i/1", 1, "opened"), state("i", "i/2", 2, "resolved")
	for _, c := range []struct {
		name  string
		heard []heard
		want  string
	}{
		{"both", []heard{fires, over}, ""},
		{"again", []heard{fires, fires, over, over}, ""},
		{"the latest alone", []heard{over}, ""},
		{"nothing", nil, "was not told"},
		{"the older after the newer", []heard{fires, over, fires}, "after"},
		{"the same under another ID", []heard{fires, state("i", "i/x", 1, "opened"), over}, "after"},
		{"another incident", []heard{fires, state("j", "j/2", 2, "resolved")}, "after"},
		{"not the end", []heard{fires}, "last"},
	} {
		w := &world{chance: rand.New(rand.NewPCG(1, 1))}
		a := w.alarm(endingAlarm)
		a.taken.Store(2)
		if err := a.inOrder(c.heard); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestHearing: who hears tells alarms apart.
func TestHearing(t *testing.T) {
	t.Parallel()
	var e ear
	for _, body := range []string{`{"id":"a/1","incident":"a","state":"opened","labels":{"trouble":"t1"}}`, `{"id":"b/1","incident":"b","labels":{"trouble":"t11"}}`} {
		e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", earPath, strings.NewReader(body)))
	}
	if got := e.of("t1"); len(got) != 1 || got[0].ID != "a/1" || got[0].State != "opened" || got[0].Key != "a" {
		t.Errorf("heard %+v", got)
	}
	all := []slack.Message{{BotID: "B", Text: "Trouble t1"}, {BotID: "B", Text: "Trouble t11"}, {Text: "what is t1?"}}
	if got := about(all, "t1"); len(got) != 1 || !strings.HasPrefix(got[0], "Trouble t1\n") {
		t.Errorf("messages %q", got)
	}
}
