package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"ferry/playground/slack"
)

// Where people are told of alarms: a channel, and an address that gets JSON.
const (
	alarmChannel = "C0ALARMS"
	earPath      = "/ear"
)

// ear hears what ferry tells an address.
type ear struct {
	mu    sync.Mutex
	heard []heard
}

// heard is one delivery.
type heard struct {
	ID, State, Title string
	Key              string `json:"incident"`
	Revision         int
	Labels           map[string]string
}

func (e *ear) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var h heard
	if err := json.NewDecoder(r.Body).Decode(&h); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, h)
}

// of returns what was heard of an alarm, in its order.
func (e *ear) of(name string) (out []heard) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, h := range e.heard {
		if h.Labels["trouble"] == name {
			out = append(out, h)
		}
	}
	return out
}

// messages are those in Slack about an alarm.
func (w *world) messages(a *alarm) (out []string) {
	all, err := w.slack.Messages(alarmChannel, "")
	if err != nil {
		return nil // there is such a channel
	}
	return about(all, a.name)
}

func about(all []slack.Message, name string) (out []string) {
	named := regexp.MustCompile(`\b` + name + `\b`)
	for _, m := range all {
		text := m.Text + "\n" + string(m.Blocks)
		if m.BotID != "" && !m.Ephemeral && named.MatchString(text) {
			out = append(out, text)
		}
	}
	return out
}

// shows reports whether people see a state of an alarm, in Slack and elsewhere. That
// there is more than they should is for the verdict.
func (w *world) shows(a *alarm, says string) bool {
	all, heard := w.messages(a), w.ear.of(a.name)
	return len(all) > 0 && strings.Contains(all[len(all)-1], says) && len(heard) > 0 && fits(&heard[len(heard)-1], says)
}

// fits reports whether a delivery says what a message does.
func fits(h *heard, says string) bool {
	if over := says == saysOver || says == saysThose; over != (h.State == "resolved") {
		return false
	}
	return says == saysOver || strings.Contains(h.Title, says)
}

// ends is what is said of an alarm in the end.
func (a *alarm) ends() string {
	if a.spared {
		return saysOver // if it is said at all
	}
	return a.steps[len(a.steps)-1].says
}

// settled reports whether nothing more is to come of an alarm.
func (w *world) settled(a *alarm) bool {
	return a.done.Load() && (!a.told() || w.shows(a, a.ends()))
}

// hearken judges all alarms that there ever were: each is one message, and says in the
// end how it is.
func (w *world) hearken() error {
	var errs []error
	for _, a := range w.alarms {
		err := errors.Join(a.inSlack(w.messages(a)), a.inOrder(w.ear.of(a.name)))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s (%s, posted %d times, answered with 2xx %d times): %w", a.name, a.kind, a.posts.Load(), a.taken.Load(), err))
		}
	}
	return errors.Join(append(errs, w.left())...)
}

// unheard tells of alarms of which people do not know what they should.
func (w *world) unheard(alarms []*alarm) error {
	var errs []error
	for _, a := range alarms {
		errs = append(errs, fmt.Errorf("%s (%s, all posted: %v, posted %d times, answered with 2xx %d times) is not told: Slack has %q, the address heard %+v",
			a.name, a.kind, a.done.Load(), a.posts.Load(), a.taken.Load(), w.messages(a), w.ear.of(a.name)))
	}
	return errors.Join(errs...)
}

func (a *alarm) inSlack(messages []string) error {
	switch n := len(messages); {
	case n > 1:
		return fmt.Errorf("%d messages in Slack, want one: %q", n, messages)
	case n == 0 && a.told():
		return errors.New("it was taken, and nobody was told")
	case n == 0:
		return nil
	case !strings.Contains(messages[0], a.ends()):
		return fmt.Errorf("its message does not say %q: %q", a.ends(), messages[0])
	case a.ends() != saysOver && a.ends() != saysThose && strings.Contains(messages[0], saysOver):
		return fmt.Errorf("its message says that it is over: %q", messages[0])
	}
	return nil
}

// inOrder judges what an address heard: states of one incident, the older never after
// a newer one, the same ID for the same state, and the last how it is.
func (a *alarm) inOrder(all []heard) error {
	if len(all) == 0 {
		if a.told() {
			return errors.New("it was taken, and the address was not told")
		}
		return nil
	}
	for i := 1; i < len(all); i++ {
		was, is := all[i-1], all[i]
		if is.Key != was.Key || is.Revision < was.Revision || (is.ID == was.ID) != (is.Revision == was.Revision) {
			return fmt.Errorf("the address heard %+v after %+v", is, was)
		}
	}
	if last := all[len(all)-1]; !fits(&last, a.ends()) {
		return fmt.Errorf("the address heard %+v last, which does not say %q", last, a.ends())
	}
	return nil
}
