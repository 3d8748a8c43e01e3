package storage_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"ferry/internal/deploy"
	"ferry/internal/job"
	"ferry/storage"
	"ferry/storage/bolt"
)

// A year of a large fleet: so many records of so many apps on so many clusters.
// The last target is one that was changed once, at the very start.
const (
	yearRecords  = 100_000
	yearApps     = 350
	yearClusters = 10
)

func yearTarget(n int) deploy.Target {
	n %= yearApps * yearClusters
	return deploy.Target{Cluster: deploy.Cluster(fmt.Sprintf("cluster-%d", n%yearClusters)), App: deploy.App{Namespace: fmt.Sprintf("team-%d", n/yearClusters%30), Name: fmt.Sprintf("app-%d", n/yearClusters)}}
}

func yearStill() deploy.Target {
	return deploy.Target{Cluster: "cluster-0", App: deploy.App{Namespace: "team-0", Name: "untouched"}}
}

// yearRecord has the evidence of a rollout of two workloads with three pods each.
func yearRecord(n int) deploy.Record {
	t := yearTarget(n * 7)
	if n == 0 {
		t = yearStill()
	}
	v := deploy.Version(fmt.Sprintf("1.%d.%d", n/1000, n%1000))
	ref := deploy.Ref{Kind: "Deployment", Namespace: t.App.Namespace, Name: t.App.Name}
	ready := deploy.Condition{Status: "True", Reason: "ReconciliationSucceeded", Message: "Applied revision: main@sha1:0123456789abcdef0123456789abcdef01234567", Observed: true}
	load := deploy.WorkloadState{
		Ref: ref, Images: []deploy.Image{{Container: t.App.Name, Repository: "registry.example.com/team/" + t.App.Name, Tag: string(v)}},
		Observed: true, Desired: 3, Updated: 3, Ready: 3, Available: 3, Total: 3,
	}
	at := noon.Add(time.Duration(n) * 5 * time.Minute)
	return deploy.Record{
		Target: t, Version: v, From: "1.0.0", Field: deploy.FieldImage, Job: fmt.Sprintf("j%06d", n), Command: "promote", By: "U012AB3CD",
		Site:   deploy.Site{Field: deploy.FieldImage, Object: ref, Path: "/spec/template/spec/containers/0/image", Value: "registry.example.com/team/" + t.App.Name + ":" + string(v)},
		Commit: "0123456789abcdef0123456789abcdef01234567", URL: "https://github.com/example/fleet/commit/0123456789abcdef0123456789abcdef01234567",
		At: at, Healthy: true, Outcome: "done",
		Evidence: &deploy.Observation{
			At: at, Fetched: "main@sha1:0123456789abcdef0123456789abcdef01234567", Applied: "main@sha1:0123456789abcdef0123456789abcdef01234567",
			Attempted: "main@sha1:0123456789abcdef0123456789abcdef01234567", SourceReady: ready, Kustomization: ready,
			SiteValue: "registry.example.com/team/" + t.App.Name + ":" + string(v), SiteFound: true, Workloads: []deploy.WorkloadState{load, load},
		},
	}
}

// bulk is a store that writes into one open transaction: what is measured is not
// how fast a year can be written.
type bulk struct {
	storage.KV
	rows *bbolt.Bucket
}

func (b bulk) Get(_ context.Context, key string) (e storage.Entry, ok bool, err error) {
	v := b.rows.Get([]byte(key))
	if v == nil {
		return e, false, nil
	}
	return storage.Entry{Key: key, Value: slices.Clone(v[8:]), Revision: binary.BigEndian.Uint64(v)}, true, nil
}

func (b bulk) Commit(_ context.Context, t storage.Txn) (uint64, error) {
	rev, err := b.rows.NextSequence()
	for _, p := range t.Put {
		err = errors.Join(err, b.rows.Put([]byte(p.Key), append(binary.BigEndian.AppendUint64(nil, rev), p.Value...)))
	}
	for _, k := range t.Delete {
		err = errors.Join(err, b.rows.Delete([]byte(k)))
	}
	return rev, err
}

// year writes a store with so many records and, of each fifth, a job and its
// trail: jobs are kept for some months only.
func year(tb testing.TB, path string, records int) {
	tb.Helper()
	db, err := bolt.Open(path)
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	file, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		tb.Fatal(err)
	}
	for n := 0; n < records && err == nil; n += 2000 {
		err = file.Update(func(tx *bbolt.Tx) error {
			kv := bulk{rows: tx.Bucket([]byte("rows"))}
			for i := n; i < min(n+2000, records); i++ {
				if err := yearOf(tb.Context(), kv, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		tb.Fatal(err)
	}
}

func yearOf(ctx context.Context, kv storage.KV, n int) error {
	r := yearRecord(n)
	if err := storage.NewHistory(kv).Append(ctx, &r); err != nil || n%5 > 0 {
		return err
	}
	jobs := storage.NewJobs(kv).Audited(storage.NewTrail(kv, time.Now))
	j := &job.Job{Key: r.Job, Title: "Promote " + r.Target.App.Name, Created: r.At, Updated: r.At, Queues: []string{r.Target.String()}, Request: json.RawMessage(`{"user":"U012AB3CD","text":"promote it"}`)}
	if _, err := jobs.Create(ctx, j); err != nil {
		return err
	}
	j.Outcome, j.Data = job.Done, json.RawMessage(`"`+strings.Repeat("plan ", 600)+`"`)
	return jobs.Save(ctx, j)
}

// asking are the ways in which people ask.
func asking() []struct {
	name string
	ask  func(context.Context, *storage.History) (int, error)
} {
	read := func(of func(deploy.Target) bool, most int) func(context.Context, *storage.History) (int, error) {
		return func(ctx context.Context, h *storage.History) (n int, err error) {
			err = h.Among(ctx, of, func(deploy.Record) bool { n++; return n < most })
			return n, err
		}
	}
	one := yearTarget(7)
	return []struct {
		name string
		ask  func(context.Context, *storage.History) (int, error)
	}{
		{"who app on cluster", func(ctx context.Context, h *storage.History) (n int, err error) {
			err = h.Of(ctx, one, func(deploy.Record) bool { n++; return false })
			return n, err
		}},
		{"who, changed a year ago", func(ctx context.Context, h *storage.History) (n int, err error) {
			err = h.Of(ctx, yearStill(), func(deploy.Record) bool { n++; return false })
			return n, err
		}},
		{"history", read(func(deploy.Target) bool { return true }, 21)},
		{"history app", read(func(t deploy.Target) bool { return t.App == one.App }, 21)},
		{"history app on cluster", read(func(t deploy.Target) bool { return t == one }, 21)},
		{"history on cluster", read(func(t deploy.Target) bool { return t.Cluster == one.Cluster }, 21)},
		{"history, changed a year ago", read(func(t deploy.Target) bool { return t == yearStill() }, 21)},
	}
}

// times asks often and returns the median and the 99th percentile.
func times(tb testing.TB, h *storage.History, ask func(context.Context, *storage.History) (int, error), often int) (p50, p99 time.Duration) {
	tb.Helper()
	took := make([]time.Duration, often)
	for i := range took {
		began := time.Now()
		if n, err := ask(tb.Context(), h); err != nil || n == 0 {
			tb.Fatal(n, err)
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took[often/2], took[often*99/100]
}

// TestAYearIsReadAtOnce has a tenth of a year, and bounds that hold on a machine
// which others use.
func TestAYearIsReadAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	year(t, path, yearRecords/10)
	began := time.Now()
	db, err := bolt.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if took := time.Since(began); took > time.Second {
		t.Errorf("it opened in %s", took)
	}
	h := storage.NewHistory(db)
	for _, a := range asking() {
		if p50, _ := times(t, h, a.ask, 20); p50 > 200*time.Millisecond {
			t.Errorf("%s takes %s", a.name, p50)
		}
	}
	sound(t, db)
}

// BenchmarkYear measures a store of 100,000 records: its size, how long it takes
// to open, what each way of asking costs, and what memory the process holds then. It
// ends by saying so, a line each.
func BenchmarkYear(b *testing.B) {
	path := filepath.Join(b.TempDir(), "state.db")
	year(b, path, yearRecords)
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	sum := []string{fmt.Sprintf("%d records: the store has %.0f MiB", yearRecords, float64(info.Size())/(1<<20))}
	say := func(format string, args ...any) { sum = append(sum, fmt.Sprintf(format, args...)) }
	b.Run("open", func(b *testing.B) {
		began, n := time.Now(), 0
		defer func() { say("open: %.2f ms", time.Since(began).Seconds()*1000/float64(max(1, n))) }()
		for ; b.Loop(); n++ {
			db, err := bolt.Open(path)
			if err == nil {
				err = db.Close()
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(info.Size())/(1<<20), "file-MiB")
	})
	db, err := bolt.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	h := storage.NewHistory(db)
	for _, a := range asking() {
		b.Run(a.name, func(b *testing.B) {
			p50, p99 := times(b, h, a.ask, 500)
			b.ReportMetric(float64(p50.Microseconds()), "p50-µs")
			b.ReportMetric(float64(p99.Microseconds()), "p99-µs")
			b.ReportMetric(0, "ns/op")
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.HeapInuse)/(1<<20), "heap-MiB")
			say("%s: p50 %.2f ms, p99 %.2f ms", a.name, p50.Seconds()*1000, p99.Seconds()*1000)
		})
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	say("memory: %.1f MiB of heap, %s resident, pages of the file among it", float64(m.HeapInuse)/(1<<20), resident())
	b.Run("sweep with nothing to do", func(b *testing.B) {
		r := retention(db, storage.Keep{History: storage.Limit{Count: yearRecords}, Audit: storage.Limit{Count: yearRecords}}, noon)
		for b.Loop() {
			if n, err := r.Sweep(b.Context()); n > 0 || err != nil {
				b.Fatal(n, err)
			}
		}
	})
	b.Logf("\n%s", strings.Join(sum, "\n"))
}

// resident is the process's memory as the kernel counts it, where it tells.
func resident() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "an unknown amount"
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.Join(strings.Fields(line), " ")
}
