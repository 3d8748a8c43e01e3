package dispatcher

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/internal/fault"
	"ferry/internal/job"
	"ferry/storage"
	"ferry/storage/bolt"
)

type handler func(chat.Command) error

func (h handler) Handle(_ context.Context, cmd chat.Command) error { return h(cmd) }

type noTrail struct{}

func (noTrail) Add(context.Context, ...job.Entry) error { return errors.New("disk full") }

func TestRefusalsAreWrittenDownOnce(t *testing.T) {
	t.Parallel()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	trail := storage.NewTrail(db, time.Now)
	answers := map[chat.Verb]error{
		"promote":  fault.New(fault.Denied, "you may not", "ask somebody"),
		"rollback": nil,
		"list":     fault.New(fault.NotFound, "there is none", ""),
		"hold":     fault.New(fault.Unavailable, "later", ""),
	}
	r := Recorder{Next: handler(func(c chat.Command) error { return answers[c.Verb] }), Trail: trail, Changes: []chat.Verb{"promote", "rollback", "hold"}}
	for verb, want := range answers {
		for range 2 { // delivered twice
			cmd := chat.Command{Key: string(verb), Verb: verb, User: "U1", Text: "what was typed", Thread: chat.Thread{Team: "T1", Channel: "C1"}}
			if got := r.Handle(t.Context(), cmd); !errors.Is(got, want) {
				t.Errorf("%s: %v, want %v", verb, got, want)
			}
		}
	}
	tried := chat.Command{Key: "tried", Verb: "promote", Args: chat.Args{Mode: "--dry-run"}}
	if err := r.Handle(t.Context(), tried); err == nil {
		t.Error("what is tried is not refused")
	}
	var all []job.Entry
	if err := trail.Each(t.Context(), func(e job.Entry) bool { all = append(all, e); return true }); err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 {
		t.Fatalf("%+v", all)
	}
	if e := all[0]; e.Deed != job.Denied || e.Says != "you may not" || e.By != "U1" || e.Team != "T1" || e.Channel != "C1" || e.Command != "what was typed" {
		t.Errorf("%+v", e)
	}
	r.Trail = noTrail{}
	if err := r.Handle(t.Context(), chat.Command{Verb: "promote"}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a refusal that could not be written down: %v", err)
	}
}
