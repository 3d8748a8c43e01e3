package app

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ferry/internal/job"
	"ferry/jobs"
	"ferry/plugins/silence"
	"ferry/storage"
	"ferry/storage/bolt"
)

// counted is a store that knows how often it was written to.
type counted struct {
	storage.KV
	writes int
}

func (c *counted) Commit(ctx context.Context, t storage.Txn) (uint64, error) {
	c.writes++
	return c.KV.Commit(ctx, t)
}

// TestWhatIsToldOfADeedIsWrittenWithIt: each is one transaction, so that a crash
// leaves both or neither, and what is done again is told once.
func TestWhatIsToldOfADeedIsWrittenWithIt(t *testing.T) {
	db, err := bolt.Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	kv, ctx := &counted{KV: db}, t.Context()
	trail := storage.NewTrail(kv, time.Now)
	store := alertRows{kv, trail}
	all, err := silence.Load(ctx, store, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	silences := spokenSilences{all}
	channels, err := loadChannels(ctx, store)
	if err != nil {
		t.Fatal(err)
	}
	channels.guard("C1", nil)
	told := func(says string) job.Entry { return job.Entry{Key: "deed/" + says, Says: says} }
	one := jobs.Silence{Matchers: "cluster=prod", Reason: "r", By: "U1", Key: "k1", At: time.Now(), Until: time.Now().Add(time.Hour)}
	for _, c := range []struct {
		says   string
		writes int
		do     func(job.Entry) error
	}{
		{"silenced", 1, func(e job.Entry) error {
			one, err = silences.Place(ctx, one, func(jobs.Silence) job.Entry { return e })
			return err
		}},
		{"silenced", 0, func(e job.Entry) error {
			_, err := silences.Place(ctx, one, func(jobs.Silence) job.Entry { return e })
			return err
		}},
		{"ended", 1, func(e job.Entry) error { _, err := silences.End(ctx, one.ID, e); return err }},
		{"off", 1, func(e job.Entry) error {
			_, err := channels.Switch(ctx, "C1", false, func(bool) job.Entry { return e })
			return err
		}},
	} {
		before := kv.writes
		if err := c.do(told(c.says)); err != nil || kv.writes-before != c.writes {
			t.Errorf("%s: %d transactions, %v; want %d", c.says, kv.writes-before, err, c.writes)
		}
	}
	var says []string
	if err := trail.Each(ctx, func(e job.Entry) bool { says = append(says, e.Says); return true }); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(says, " "); got != "silenced ended off" {
		t.Errorf("the trail has %s", got)
	}
}
