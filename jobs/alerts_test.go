package jobs

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	alert "ferry/internal/event"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// trouble is all that is known of alerts, in memory.
type trouble struct {
	incidents []alert.Incident
	silences  []Silence
	off       []chat.ChannelID
	letters   []Letter
	told      []job.Entry
}

func (w *trouble) Incidents(matchers string) ([]alert.Incident, error) {
	if matchers == "" || matchers == "cluster=prod" {
		return w.incidents, nil
	}
	return nil, nil
}

func (w *trouble) Scope(matchers string) (deploy.Target, error) {
	if matchers == "cluster=prod" {
		return deploy.Target{Cluster: "prod"}, nil
	}
	return deploy.Target{Cluster: deploy.Everywhere}, nil
}

func (w *trouble) Place(_ context.Context, s Silence, told func(Silence) job.Entry) (Silence, error) {
	for _, old := range w.silences {
		if old.Key == s.Key {
			return old, nil
		}
	}
	s.ID = "s1"
	w.silences, w.told = append(w.silences, s), append(w.told, told(s))
	return s, nil
}

func (w *trouble) End(_ context.Context, _ string, told ...job.Entry) (Silence, error) {
	one := w.silences[0]
	w.silences, w.told = nil, append(w.told, told...)
	return one, nil
}

func (w *trouble) All() []Silence { return w.silences }

func (w *trouble) Switch(_ context.Context, c chat.ChannelID, on bool, told ...func(bool) job.Entry) (bool, error) {
	was := !slices.Contains(w.off, c)
	for _, of := range told {
		w.told = append(w.told, of(was))
	}
	w.off = slices.DeleteFunc(w.off, func(o chat.ChannelID) bool { return o == c })
	if !on {
		w.off = append(w.off, c)
	}
	return was, nil
}

func (w *trouble) Off() []chat.ChannelID { return w.off }

func (w *trouble) Undelivered(context.Context) ([]Letter, error) { return w.letters, nil }

func (w *trouble) Resend(_ context.Context, id string, told func(Letter) job.Entry) (Letter, error) {
	if len(w.letters) == 0 || w.letters[0].ID != id {
		return Letter{}, fault.New(fault.NotFound, "no", "")
	}
	w.told = append(w.told, told(w.letters[0]))
	return w.letters[0], nil
}

func troubled(t *testing.T) (*bench, *trouble) {
	b, w := newBench(t, fleet()), &trouble{}
	b.options.Now = func() time.Time { return noon }
	b.options.Alerts, b.options.Silences, b.options.Notifications, b.options.Letters = w, w, w, w
	w.incidents = []alert.Incident{
		{State: alert.Resolved, Opened: noon.Add(-2 * time.Hour), Ended: noon.Add(-time.Hour), Count: 1, Problems: []alert.Problem{{Event: alert.Event{Title: "Job failed", Name: "backup", Namespace: "ops", Cluster: "prod"}}}},
		{State: alert.Firing, Opened: noon.Add(-5 * time.Minute), Count: 300, Further: 1, Group: map[string]string{"cluster": "prod", "node": "n1"}, Problems: []alert.Problem{
			{Event: alert.Event{Title: "Back-off restarting", Name: "web-1", Severity: alert.Critical, At: noon}},
		}},
	}
	return b, w
}

func said(m chat.Message) string {
	out := []string{m.Title}
	out = append(out, m.Lines...)
	if m.Table != nil {
		for _, r := range m.Table.Rows {
			out = append(out, strings.Join(r, " | "))
		}
	}
	return strings.Join(out, "\n")
}

func TestWhatAlertCommandsSay(t *testing.T) {
	b, w := troubled(t)
	w.letters = []Letter{{ID: "3f9a61c2", Sink: "ops:webhook", Title: "2 in trouble", Why: "refused: 404", Tries: 4, At: noon}}
	cmd := chat.Command{Key: "k1", User: "U1", At: noon, Thread: chat.Thread{Channel: "C1"}}
	cmd.Args = chat.Args{Matchers: "cluster=prod", Duration: "2h", Reason: "we move"}
	do := func(verb chat.Verb, args chat.Args, key string) string {
		t.Helper()
		c := cmd
		c.Verb, c.Args, c.Key = verb, args, key
		one := b.command(verb)
		if one.Query != nil {
			m, err := one.Query.Answer(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			return said(m)
		}
		if _, targets, err := one.Deed.Admit(t.Context(), c); err != nil || len(targets) != 1 {
			t.Fatalf("%s: %v, %v", verb, targets, err)
		}
		m, err := one.Deed.Do(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return said(m)
	}
	until := minute(noon.Add(2 * time.Hour))
	for _, c := range []struct {
		verb chat.Verb
		args chat.Args
		want string
	}{
		{"silences", chat.Args{}, "Nothing is silenced"},
		{"silence", cmd.Args, "`cluster=prod` is silent for 2 h, until " + until + "\nWe move.\nIt is about 1 incident that is open; the end of what was told is still told.\n`unsilence s1` ends it."},
		{"silences", chat.Args{}, "1 silence is in force\ns1 | cluster=prod | Ada | " + until + " | we move"},
		{"unsilence", chat.Args{ID: "s1"}, "Silence s1 has ended: `cluster=prod` is told of again\nAda placed it 0.0 s ago: We move."},
		{"silence", chat.Args{Matchers: "app=x", Duration: "1h", Reason: "y"}, "`app=x` is silent for 60 min, until " + minute(noon.Add(time.Hour)) + "\nY.\nNothing that is or was lately in trouble has these labels: `events` shows which there are.\n`unsilence s1` ends it."},
		{"unsilence", chat.Args{ID: "s1"}, "Silence s1 has ended: `app=x` is told of again\nAda placed it 0.0 s ago: Y."},
		{"events", chat.Args{}, "1 incident is open, 1 is over\n1 notification was given up: `undelivered` shows why.\n" +
			"critical | 2 of 2 in trouble: Back-off restarting | cluster prod, node n1 | 5 min | 300\nresolved | Job failed | ops/backup on prod | 60 min | 1"},
		{"events", chat.Args{Matchers: "app=x"}, "Nothing with `app=x` is in trouble\n1 incident with other labels is open: `events` shows all.\n1 notification was given up: `undelivered` shows why."},
		{"notify", chat.Args{Switch: "off"}, "Notifications are off in this channel\nWhat was told here before is still brought up to date; `events` shows the rest.\n`notify on` turns them on again."},
		{"notify", chat.Args{Switch: "off"}, "Notifications are off already in this channel\n`notify on` turns them on again."},
		{"silences", chat.Args{}, "Nothing is silenced\nNotifications are off in 1 channel: `notify on` there turns them on."},
		{"notify", chat.Args{Switch: "on"}, "Notifications are on in this channel\nWhat is in trouble by now is told with its next change; `events` shows it at once."},
		{"notify", chat.Args{Switch: "on"}, "Notifications are on already in this channel"},
		{"undelivered", chat.Args{}, "1 notification was given up\n`resend 3f9a61c2` sends the first again; they are kept for a week.\n3f9a61c2 | ops:webhook | 2 in trouble | refused: 404 | 4 | " + minute(noon)},
		{"resend", chat.Args{ID: "3f9a61c2"}, "On its way to ops:webhook again: 2 in trouble\nIf it fails again `undelivered` shows it. If it has changed meanwhile, what is so now is told instead."},
	} {
		if got := do(c.verb, c.args, "k-"+string(c.verb)+string(c.args.Switch)+string(c.args.Matchers)); got != c.want {
			t.Errorf("%s %+v:\n%s\nwant\n%s", c.verb, c.args, got, c.want)
		}
	}
	var deeds []string
	for _, e := range w.told {
		deeds = append(deeds, string(e.Deed)+" "+e.Says)
	}
	if got := strings.Join(deeds, "\n"); !strings.HasPrefix(got, "silenced cluster=prod until "+until+": we move\nunsilenced cluster=prod\nsilenced app=x until "+minute(noon.Add(time.Hour))+": y\nunsilenced app=x\nnotified off\n") || !strings.HasSuffix(got, "\nresent ops:webhook: 2 in trouble") {
		t.Errorf("the trail has\n%s", got)
	}
}

// TestWhoMaySilence tells what the role is asked about.
func TestWhoMaySilence(t *testing.T) {
	b, w := troubled(t)
	w.silences = []Silence{{ID: "s1", Matchers: "cluster=prod"}, {ID: "s2", Matchers: "app=x"}}
	for _, c := range []struct {
		verb chat.Verb
		args chat.Args
		want deploy.Cluster
	}{
		{"silence", chat.Args{Matchers: "cluster=prod"}, "prod"},
		{"silence", chat.Args{Matchers: "app=x"}, deploy.Everywhere},
		{"unsilence", chat.Args{ID: "s1"}, "prod"},
		{"unsilence", chat.Args{ID: "s2"}, deploy.Everywhere},
		{"notify", chat.Args{Switch: "off"}, deploy.Everywhere},
		{"resend", chat.Args{ID: "x"}, deploy.Everywhere},
	} {
		one := b.command(c.verb)
		_, targets, err := one.Deed.Admit(t.Context(), chat.Command{Args: c.args})
		if err != nil || len(targets) != 1 || targets[0] != (deploy.Target{Cluster: c.want}) || !one.Syntax.Changes {
			t.Errorf("%s %+v: %v, %v", c.verb, c.args, targets, err)
		}
	}
	if _, _, err := b.command("unsilence").Deed.Admit(t.Context(), chat.Command{Args: chat.Args{ID: "s3"}}); !fault.Is(err, fault.NotFound) {
		t.Errorf("a silence that there is none of: %v", err)
	}
}

// TestWithoutAlerts is ferry without any: every command says so, and none fails.
func TestWithoutAlerts(t *testing.T) {
	b := newBench(t, fleet())
	for _, verb := range []chat.Verb{"silence", "unsilence", "silences", "events", "notify", "undelivered", "resend"} {
		var err error
		if one := b.command(verb); one.Query != nil {
			_, err = one.Query.Answer(t.Context(), chat.Command{})
		} else {
			_, _, err = one.Deed.Admit(t.Context(), chat.Command{})
		}
		if !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "no alerts are configured") {
			t.Errorf("%s: %v", verb, err)
		}
	}
}
