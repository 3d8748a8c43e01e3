//go:build unix

package delivery_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"ferry/delivery"
	fluxrender "ferry/delivery/flux"
	"ferry/internal/deploy"
)

// BenchmarkScale is what delivery costs on repositories of growing size. The
// largest is FERRY_BENCH_FILES, 3000 where that is not set. GitHub is the local
// one, in the same process: its work is part of every figure. cpu-ms/op is the
// time of all processors, which other load on the machine alters less.
func BenchmarkScale(b *testing.B) {
	largest := 3000
	if v := os.Getenv("FERRY_BENCH_FILES"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			b.Fatal(err)
		}
		largest = n
	}
	for _, n := range []int{1000, 3000, 10000} {
		if n <= largest {
			b.Run(fmt.Sprintf("files=%d", n), benchmarkSize(n))
		}
	}
}

func benchmarkSize(n int) func(b *testing.B) {
	return func(b *testing.B) {
		s := shaped(b, n)
		r := newRig(b, repo(s.files))
		// The head is a commit like others: GitHub shows a commit with its diff, and
		// that of the first one is the whole repository.
		if _, err := r.repo.Commit("main", "note", map[string]string{"docs/team0/note0.md": "# Note\n"}); err != nil {
			b.Fatal(err)
		}
		clone := filepath.Join(b.TempDir(), "clone")
		b.Run("clone+build", func(b *testing.B) { s.peers = benchmarkPeers(b, s, r, clone) })
		if _, err := os.Stat(clone); err != nil {
			cloned(b, r, clone)
		}
		b.Run("inventory/clusters=1", func(b *testing.B) { benchmarkInventory(b, clone, s.clusters[1:2]) })
		b.Run("inventory/clusters=10", func(b *testing.B) { benchmarkInventory(b, clone, s.clusters) })
		b.Run("plan/cold", func(b *testing.B) { benchmarkCold(b, s, r) })
		for _, name := range []string{"overlay", "release", "own", "variable"} {
			b.Run("plan/warm/"+name, func(b *testing.B) { benchmarkWarm(b, s, r, s.changes()[name], s.declared) })
		}
		b.Run("plan/warm/unseen", func(b *testing.B) { benchmarkWarm(b, s, r, s.changes()["overlay"], unseen(s.clusters...)) })
		for _, name := range []string{"overlay", "own"} {
			b.Run("plan/pushed/"+name, func(b *testing.B) { benchmarkPushed(b, s, r, s.changes()[name]) })
		}
		b.Run("apply/alone", func(b *testing.B) { benchmarkApply(b, s, r, 1) })
		b.Run("apply/batch=50", func(b *testing.B) { benchmarkApply(b, s, r, 50) })
	}
}

// changes are one of each shape of app; each runs on c1.
func (s *shape) changes() map[string]deploy.Change {
	return map[string]deploy.Change{
		"overlay":  s.change(6, 1), // newTag in the overlay
		"release":  s.change(4, 1), // the chart's version in a patch
		"own":      with(s.change(3, 1), deploy.FieldImage),
		"variable": with(s.change(1, 1), deploy.FieldImage),
	}
}

// change is a change of an app on a cluster, without a version.
func (s *shape) change(a, c int) deploy.Change {
	owner := "apps"
	if a%2 == 1 {
		owner = shapedApp(a)
	}
	out := want(shapedTeam(a)+"/"+shapedApp(a), "", shapedCluster(c), owner, a%2 == 1 || shapedRelease(a))
	if out.Owner.Release.Name != "" {
		out.Field = deploy.FieldChart
	}
	return out
}

// meter collects how long each run takes.
type meter struct {
	took  []time.Duration
	cpu   time.Duration
	began time.Time
	used  time.Duration
}

func used(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (m *meter) start(b *testing.B) { m.began, m.used = time.Now(), used(b) }

func (m *meter) stop(b *testing.B) {
	m.took = append(m.took, time.Since(m.began))
	m.cpu += used(b) - m.used
}

// report tells percentiles, and how often the median goes into what the peers
// take where that was measured in the same run.
func (m *meter) report(b *testing.B, peers time.Duration) {
	b.Helper()
	slices.Sort(m.took)
	for _, p := range []int{50, 95} {
		b.ReportMetric(float64(m.took[(len(m.took)-1)*p/100].Microseconds())/1000, fmt.Sprintf("p%d-ms", p))
	}
	b.ReportMetric(float64(m.cpu.Microseconds())/1000/float64(len(m.took)), "cpu-ms/op")
	if peers > 0 {
		b.ReportMetric(float64(peers)/float64(m.took[(len(m.took)-1)/2]), "times-faster")
	}
}

func benchmarkInventory(b *testing.B, dir string, clusters []deploy.Cluster) {
	var names []string
	for _, c := range clusters {
		names = append(names, "clusters/"+string(c))
	}
	var m meter
	pairs := 0
	for b.Loop() {
		m.start(b)
		f, err := delivery.OpenFolder(b.Context(), dir, names)
		if err != nil {
			b.Fatal(explain(err))
		}
		items, err := f.Inventory(b.Context(), false)
		if err != nil {
			b.Fatal(explain(err))
		}
		m.stop(b)
		pairs = len(items)
		for _, i := range items {
			if i.Status == delivery.HasNone {
				b.Fatalf("%s on %s: %s", i.Target.App, i.Target.Cluster, i.Why)
			}
		}
	}
	m.report(b, 0)
	b.ReportMetric(float64(pairs), "apps")
}

func benchmarkCold(b *testing.B, s *shape, r *rig) {
	var m meter
	var held float64
	change := s.changes()["overlay"]
	change.Version = "9.0.0"
	for b.Loop() {
		b.StopTimer()
		before := heap()
		b.StartTimer()
		m.start(b)
		fresh := sibling(b, r)
		fresh.flux = fluxrender.NewRenderer()
		fresh = connect(b, fresh)
		if _, err := fresh.Plan(b.Context(), change, s.declared); err != nil {
			b.Fatal(explain(err))
		}
		m.stop(b)
		b.StopTimer()
		held = heap() - before
		b.ReportMetric(float64(fresh.requests.Load()), "requests")
		runtime.KeepAlive(fresh)
		b.StartTimer()
	}
	m.report(b, s.peers)
	b.ReportMetric(held/(1<<20), "held-MiB")
	b.ReportMetric(held/1024/float64(len(s.files)), "held-KiB/file")
}

func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first one finalized
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func benchmarkWarm(b *testing.B, s *shape, r *rig, change deploy.Change, declared []deploy.Declared) {
	rested(b, r)
	var m meter
	change.Version = "9.0.0"
	if _, err := r.Plan(b.Context(), change, declared); err != nil {
		b.Fatal(explain(err))
	}
	r.requests.Store(0)
	n := 0
	for b.Loop() {
		n++
		change.Version = deploy.Version(fmt.Sprintf("9.1.%d", n))
		m.start(b)
		if _, err := r.Plan(b.Context(), change, declared); err != nil {
			b.Fatal(explain(err))
		}
		m.stop(b)
	}
	m.report(b, s.peers)
	b.ReportMetric(float64(r.requests.Load()), "requests") // nothing moved: GitHub counts none
}

// rested makes the delivery anew, with all of the requests a minute that it allows
// itself: a benchmark asks more in a second than people do in an hour.
func rested(b *testing.B, r *rig) {
	b.Helper()
	r.configure(b, func(*delivery.Options) {})
}

// benchmarkPushed plans after somebody pushed one file that the app's cluster
// reads.
func benchmarkPushed(b *testing.B, s *shape, r *rig, change deploy.Change) {
	rested(b, r)
	var m meter
	change.Version = "9.2.0"
	if _, err := r.Plan(b.Context(), change, s.declared); err != nil {
		b.Fatal(explain(err))
	}
	r.requests.Store(0)
	n := 0
	for b.Loop() {
		b.StopTimer()
		n++
		file := fmt.Sprintf("apps/c1/%s/kustomization.yaml", shapedApp(12+6*(n%3)))
		if _, err := r.repo.Commit("main", "push", map[string]string{file: s.files[file] + fmt.Sprintf("# %d\n", time.Now().UnixNano())}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		m.start(b)
		if _, err := r.Plan(b.Context(), change, s.declared); err != nil {
			b.Fatal(explain(err))
		}
		m.stop(b)
	}
	m.report(b, s.peers)
	b.ReportMetric(float64(r.requests.Load())/float64(n), "requests/op")
}

// benchmarkApply commits changes of that many apps at once.
func benchmarkApply(b *testing.B, s *shape, r *rig, size int) {
	rested(b, r)
	first := s.changes()["overlay"]
	first.Version = "9.2.1"
	if _, err := r.Plan(b.Context(), first, s.declared); err != nil {
		b.Fatal(explain(err))
	}
	var m meter
	n := 0
	r.requests.Store(0)
	for b.Loop() {
		n++
		m.start(b)
		errs := make([]error, size)
		var wg sync.WaitGroup
		for i := range size {
			c := s.change(6*(i%(s.apps/6)), 1+i/(s.apps/6))
			c.Version = deploy.Version(fmt.Sprintf("9.3.%d", time.Now().UnixNano()))
			by := asked
			by.Job = fmt.Sprintf("%d-%d-%d", len(s.files), n, i)
			wg.Go(func() {
				_, _, errs[i] = r.Apply(b.Context(), c, func() []deploy.Declared { return s.declared }, by, nil)
			})
		}
		wg.Wait()
		m.stop(b)
		for _, err := range errs {
			if err != nil {
				b.Fatal(explain(err))
			}
		}
	}
	m.report(b, s.peers)
	b.ReportMetric(float64(r.requests.Load())/float64(n*size), "requests/change")
}

func cloned(b *testing.B, r *rig, dir string) {
	b.Helper()
	cmd := exec.Command("git", "clone", "--quiet", "--no-local", r.repo.Dir(), dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
}

// benchmarkPeers is what others do for each promotion: clone, and build every
// Flux Kustomization of every cluster on the disk.
func benchmarkPeers(b *testing.B, s *shape, r *rig, dir string) time.Duration {
	var clone, build time.Duration
	n := 0
	for b.Loop() {
		n++
		b.StopTimer()
		if err := os.RemoveAll(dir); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		began := time.Now()
		cloned(b, r, dir)
		clone += time.Since(began)
		began = time.Now()
		for _, d := range s.declared {
			for _, k := range d.Kustomizations {
				buildOnDisk(b, filepath.Join(dir, k.Path))
			}
		}
		build += time.Since(began)
	}
	b.ReportMetric(float64(clone.Milliseconds())/float64(n), "clone-ms")
	b.ReportMetric(float64(build.Milliseconds())/float64(n), "build-ms")
	return (clone + build) / time.Duration(n)
}

// buildOnDisk builds a folder, one without a kustomization as Flux would.
func buildOnDisk(b *testing.B, dir string) {
	b.Helper()
	if file := filepath.Join(dir, "kustomization.yaml"); !there(file) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			b.Fatal(err)
		}
		list := "resources:\n"
		for _, e := range entries {
			if e.IsDir() || strings.HasSuffix(e.Name(), ".yaml") {
				list += "- " + e.Name() + "\n"
			}
		}
		if err := os.WriteFile(file, []byte(list), 0o600); err != nil {
			b.Fatal(err)
		}
		defer func() { _ = os.Remove(file) }()
	}
	res, err := krusty.MakeKustomizer(&krusty.Options{LoadRestrictions: types.LoadRestrictionsNone, PluginConfig: types.DisabledPluginConfig()}).
		Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := res.AsYaml(); err != nil {
		b.Fatal(err)
	}
}

func there(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
