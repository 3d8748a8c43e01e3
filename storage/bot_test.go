package storage_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ferry/storage"
)

// clock is a time that tests move.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func (c *clock) pass(d time.Duration) { c.t = c.t.Add(d) }

func pending(t *testing.T, j *storage.Journal) string {
	t.Helper()
	var out []string
	err := j.Pending(t.Context(), func(key string, _ time.Time, raw []byte) bool {
		out = append(out, key+"="+string(raw))
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func appendTo(t *testing.T, j *storage.Journal, at time.Time, key string, want bool) {
	t.Helper()
	if fresh, err := j.Append(t.Context(), key, at, []byte("raw "+key)); err != nil || fresh != want {
		t.Errorf("append %s: fresh %v, %v; want %v", key, fresh, err, want)
	}
}

func TestJournal(t *testing.T) {
	t.Parallel()
	c := &clock{t: noon}
	db := open(t)
	j := storage.NewJournal(db, c.now)
	appendTo(t, j, c.t, "T/C/2", true)
	c.pass(time.Second)
	appendTo(t, j, c.t, "T/C/1", true)
	appendTo(t, j, c.t, "T/C/2", false)
	if got := pending(t, j); got != "T/C/2=raw T/C/2 T/C/1=raw T/C/1" {
		t.Errorf("pending = %q", got)
	}
	if err := j.Pending(t.Context(), func(key string, at time.Time, _ []byte) bool {
		if !at.Equal(noon) {
			t.Errorf("%s arrived at %s", key, at)
		}
		return false
	}); err != nil {
		t.Error(err)
	}
	for range 2 { // the second is no error
		if err := j.Done(t.Context(), "T/C/2"); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Done(t.Context(), "unknown"); err != nil {
		t.Error(err)
	}
	if got := pending(t, j); got != "T/C/1=raw T/C/1" {
		t.Errorf("pending = %q", got)
	}
	c.pass(23 * time.Hour)
	appendTo(t, j, c.t, "T/C/2", false) // a redelivery is still known
	c.pass(2 * time.Hour)
	if err := j.Done(t.Context(), "T/C/1"); err != nil {
		t.Fatal(err)
	}
	appendTo(t, j, c.t, "T/C/2", true) // forgotten after a day
	appendTo(t, j, c.t, "T/C/1", false)
}

func TestAJournalOfADayStaysSmall(t *testing.T) {
	t.Parallel()
	c := &clock{t: noon}
	db := open(t)
	j := storage.NewJournal(db, c.now)
	for i := range 400 {
		key := fmt.Sprint(i)
		appendTo(t, j, c.t, key, true)
		if err := j.Done(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		c.pass(time.Hour)
	}
	rows, err := db.Scan(t.Context(), storage.Scan{Prefix: "journal/"})
	if err != nil || len(rows) > 60 {
		t.Errorf("%d rows, %v; want those of about a day, two each", len(rows), err)
	}
}

func openKeys(t *testing.T, o *storage.Outbox) []string {
	t.Helper()
	var out []string
	if err := o.Open(t.Context(), func(key string, row []byte) bool { out = append(out, key+string(row)); return true }); err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	c := &clock{t: noon}
	o := storage.NewOutbox(open(t), c.now)
	save := func(key, row string, open bool) {
		t.Helper()
		if err := o.Save(t.Context(), key, []byte(row), open); err != nil {
			t.Fatal(err)
		}
	}
	there := func(key string) bool {
		t.Helper()
		_, ok, err := o.Load(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	save("job/a/status", "1", true)
	save("job/b/status", "2", true)
	save("job/a/status", "3", false)
	if got := fmt.Sprint(openKeys(t, o)); got != "[job/b/status2]" {
		t.Errorf("open = %s", got)
	}
	if row, ok, err := o.Load(t.Context(), "job/a/status"); err != nil || !ok || string(row) != "3" {
		t.Errorf("load = %q, %v, %v", row, ok, err)
	}
	if there("nothing") {
		t.Error("a key that was never saved is there")
	}
	save("job/c/status", "4", false)
	c.pass(6 * 24 * time.Hour)
	save("job/a/status", "5", false) // saved again: its week begins anew
	c.pass(2 * 24 * time.Hour)
	save("job/d/status", "6", false)
	for key, want := range map[string]bool{"job/a/status": true, "job/b/status": true, "job/c/status": false, "job/d/status": true} {
		if there(key) != want {
			t.Errorf("%s is there: %v, want %v", key, !want, want)
		}
	}
}
