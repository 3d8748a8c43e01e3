package asked

import (
	"strconv"
	"testing"
	"time"
)

func TestQuestions(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	q := New()
	q.now = func() time.Time { return now }
	q.Ask("U1", []string{"delete", "web"})
	switch {
	case q.Take("U2", []string{"delete", "web"}):
		t.Error("somebody else's answer counts")
	case q.Take("U1", []string{"delete", "api"}):
		t.Error("an answer to another question counts")
	case !q.Take("U1", []string{"delete", "web"}):
		t.Error("the answer does not count")
	case q.Take("U1", []string{"delete", "web"}):
		t.Error("it counts twice")
	}
	q.Ask("U1", "late")
	now = now.Add(patient + time.Second)
	if q.Take("U1", "late") {
		t.Error("an answer after an hour counts")
	}
	for i := range 3 * most {
		q.Ask("U1", strconv.Itoa(i))
	}
	if len(q.asked) > most {
		t.Errorf("%d questions are remembered", len(q.asked))
	}
}
