package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"ferry/playground/chaos/point"
)

// alarmKind is how a trouble of the world goes.
type alarmKind string

const (
	lastingAlarm alarmKind = "alarm that lasts"
	endingAlarm  alarmKind = "alarm that ends once it was told"
	growingAlarm alarmKind = "alarm of two things, one after the other"
	briefAlarm   alarmKind = "alarm that is over before anybody is told"
	singleAlarm  alarmKind = "alarm that is posted once, whatever is answered"
	deafAlarm    alarmKind = "alarm of which its receiver does not want to hear"
)

// alarm is one trouble: what is posted of it, as Alertmanager does, and what people
// are told of it.
type alarm struct {
	kind   alarmKind
	name   string // in all that is posted and told of it
	steps  []step
	at     time.Duration
	late   int64 // it begins once there were so many kills
	spared bool  // nobody has to be told
	once   bool  // it is not posted again, whatever is answered

	posts, taken atomic.Int32 // tries, and those that were answered with 2xx
	done         atomic.Bool  // all was posted
}

// step is something that is posted, and what the message says after it; "" if nobody
// waits for that. It is posted again, the same, after each of the pauses.
type step struct {
	body, says string
	again      []time.Duration
}

// told reports whether there has to be a message about it.
func (a *alarm) told() bool { return !a.spared && a.taken.Load() > 0 }

// alert is one of Alertmanager's.
func (a *alarm) alert(thing string, over bool) map[string]any {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	out := map[string]any{
		"status": "firing", "startsAt": began, "endsAt": time.Time{}, "fingerprint": a.name + thing,
		"labels":      map[string]string{"alertname": "Trouble", "severity": "critical", "trouble": a.name},
		"annotations": map[string]string{"summary": "Trouble " + a.name},
	}
	if over {
		out["status"], out["endsAt"] = "resolved", began.Add(time.Hour)
	}
	return out
}

// then adds a step of some alerts.
func (w *world) then(a *alarm, says string, alerts ...map[string]any) {
	raw, err := json.Marshal(map[string]any{"version": "4", "receiver": "ferry", "groupKey": a.name, "alerts": alerts})
	if err != nil {
		w.account.flawed(fmt.Errorf("encode what is posted of %s: %w", a.name, err))
	}
	s := step{body: string(raw), says: says}
	for range w.chance.IntN(4) {
		s.again = append(s.again, time.Duration(w.chance.IntN(300))*time.Millisecond)
	}
	a.steps = append(a.steps, s)
}

// What a message about an alarm says.
const (
	saysOver  = "It lasted"
	saysTwo   = "2 in trouble"
	saysThose = "2 were in trouble"
)

// alarm makes one of a kind.
func (w *world) alarm(k alarmKind) *alarm {
	w.alarmed++
	a := &alarm{kind: k, name: fmt.Sprintf("t%d", w.alarmed), at: time.Duration(w.chance.IntN(1500)) * time.Millisecond}
	fires, over := a.alert("/1", false), a.alert("/1", true)
	switch k {
	case lastingAlarm:
		w.then(a, "Trouble "+a.name, fires)
	case endingAlarm:
		w.then(a, "Trouble "+a.name, fires)
		w.then(a, saysOver, over)
	case growingAlarm:
		w.then(a, "Trouble "+a.name, fires)
		w.then(a, saysTwo, fires, a.alert("/2", false))
		w.then(a, saysThose, over, a.alert("/2", true))
	case briefAlarm:
		a.spared = true
		w.then(a, "", fires)
		w.then(a, "", over)
	case singleAlarm:
		a.once = true
		w.then(a, "Trouble "+a.name, fires)
		a.steps[0].again = nil
	}
	return a
}

// sound draws the alarms of an episode with so many commands.
func (w *world) sound(commands int) (out []*alarm) {
	kinds := []alarmKind{endingAlarm, growingAlarm, lastingAlarm, endingAlarm, singleAlarm, briefAlarm}
	w.chance.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	n := min(len(kinds), max(2, commands/3))
	for i, k := range kinds[:n] {
		a := w.alarm(k)
		if w.mode == modeKill {
			a.late = int64(i * commands * 2 / 3 / n)
		}
		out = append(out, a)
	}
	w.alarms = append(w.alarms, out...)
	return append(out, w.refuse())
}

// raise posts what there is to be posted of an alarm, each step once people were told
// of the one before.
func (w *world) raise(ctx context.Context, a *alarm) error {
	for w.felled.Load() < a.late {
		if !pause(ctx, glance) {
			return nil
		}
	}
	if !pause(ctx, a.at) {
		return nil
	}
	for _, s := range a.steps {
		if err := w.insist(ctx, a, s.body); err != nil {
			return err
		}
		for _, after := range s.again { // the sender did not hear the answer
			if !pause(ctx, after) {
				return nil
			}
			if _, err := w.post(ctx, a, s.body); err != nil {
				return err
			}
		}
		for s.says != "" && a.told() && !w.shows(a, s.says) {
			if !pause(ctx, glance) {
				return nil
			}
		}
	}
	a.done.Store(true)
	return nil
}

// insist posts until it is answered with 2xx, as Alertmanager does; once, if that is all
// that the sender tries.
func (w *world) insist(ctx context.Context, a *alarm, body string) error {
	for {
		taken, err := w.post(ctx, a, body)
		if err != nil || taken || a.once || !pause(ctx, 4*glance) {
			return err
		}
	}
}

// post posts once; taken is a 2xx. That nobody is there, or has time, is no error.
func (w *world) post(ctx context.Context, a *alarm, body string) (taken bool, err error) {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		w.killer.At(point.Spot{Point: point.Posting})
	}})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+w.posting+"/alerts", strings.NewReader(body))
	if err != nil {
		return false, err
	}
	a.posts.Add(1)
	answer, err := w.poster.Do(r)
	if err != nil {
		return false, nil //nolint:nilerr // ferry is away, or was killed meanwhile
	}
	_ = answer.Body.Close()
	switch {
	case answer.StatusCode/100 == 2:
		a.taken.Add(1)
		w.killer.At(point.Spot{Point: point.Posting, After: true})
		return true, nil
	case answer.StatusCode == http.StatusServiceUnavailable:
		return false, nil
	}
	return false, fmt.Errorf("what Alertmanager sends is answered with %s: %s", answer.Status, body)
}

// openAlarms finds a place for the source to listen, below the ports that others are
// given who connect to somebody: ferry comes back to it after each kill.
func (w *world) openAlarms() error {
	w.poster = &http.Client{Timeout: 8 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for range 100 {
		w.posting = fmt.Sprintf("127.0.0.1:%d", 20_000+w.chance.IntN(10_000))
		if l, err := net.Listen("tcp", w.posting); err == nil {
			return l.Close()
		}
	}
	return errors.New("there is no port for what is posted")
}

// alarmSection is the configuration's part about alarms.
func (w *world) alarmSection() (string, error) {
	dir, err := filepath.Abs(w.plugins)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`plugins:
  dir: %q
  repositories: {local: {index: %q}}
  sources: {hook: {plugin: local/webhook, config: {listen: %q, paths: [{path: /alerts, format: alertmanager, anybody: true}]}}}
  notifiers: {ear: {plugin: local/webhook, config: {url: %q}}, %s}
%salerts:
  route: {receiver: people, group_by: [trouble], group_wait: 300ms, group_interval: 300ms, storm: {off: true}, routes: %s}
  receivers: {%s, people: {sinks: [{slack: {channel: %s}}, {notifier: ear}]}}
`, w.pluginRoom(), dir, w.posting, w.url+earPath, w.quietNotifiers(), w.executorSection(), quietRoutes, quietReceivers(), alarmChannel), nil
}

func (w *world) pluginRoom() string { return filepath.Join(w.home, "plugins") }

// left is an error if a process of a plugin runs although ferry does not.
func (w *world) left() error {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		if env, err := os.ReadFile(file); err == nil && strings.Contains(string(env), "HOME="+w.pluginRoom()) {
			return fmt.Errorf("ferry has ended, and its plugin has not: %s", file)
		}
	}
	return nil
}
