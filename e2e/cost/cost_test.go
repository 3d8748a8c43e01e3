package cost

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

var (
	rounds = flag.Int("rounds", 2, "how often BenchmarkCost measures each")
	only   = flag.String("only", "", "the one that BenchmarkCost measures, by the beginning of its name")
)

// watching is one way from Events to the webhook.
type watching struct {
	name  string
	start func(dir string) *program
}

// taken is what a round showed.
type taken struct {
	events, lost, twice, posts int
	perSecond                  float64
	late                       []time.Duration
	cpu                        time.Duration
	each                       map[string]time.Duration
	peak                       int64
	load                       string
}

const sourceOfEvents = `plugins:
  dir: $DIR/plugins
  repositories: {local: {index: $PLUGINS}}
  sources: {events: {plugin: local/events, clusters: [prod], kubeconfig: $ADMIN}}
  notifiers: {hook: {plugin: local/webhook, config: {url: "$HOOK"BATCH}}}
alerts:
  route: {receiver: hook, group_by: ["..."]}
  receivers: {hook: {sinks: [{notifier: hook}]}}
`

// BenchmarkCost brings 3,000 Events at 300 and then at 500 a second to a webhook: ferry, with
// a request for each and with many in one, and kubewatch, which has a request for each.
func BenchmarkCost(b *testing.B) {
	w := newWorld(b)
	all := []watching{
		{"ferry", func(dir string) *program { return w.ferry(dir, strings.Replace(sourceOfEvents, "BATCH", "", 1)) }},
		{"ferry, batch: 100", func(dir string) *program {
			return w.ferry(dir, strings.Replace(sourceOfEvents, "BATCH", ", batch: 100", 1))
		}},
	}
	if file := os.Getenv("FERRY_KUBEWATCH"); file != "" {
		all = append(all, watching{"kubewatch", func(dir string) *program { return w.kubewatch(dir, file) }})
	} else {
		b.Log("FERRY_KUBEWATCH names no kubewatch: ferry is measured alone")
	}
	result := map[string]*taken{}
	for round := range *rounds {
		for i, one := range all {
			if !strings.HasPrefix(one.name, *only) {
				continue
			}
			w.forget()
			p := one.start(b.TempDir())
			w.awake(p, fmt.Sprintf("r%d.%d", round, i))
			w.rest(3 * time.Second) // what a start costs is not what events cost
			for _, rate := range []int{300, 500} {
				key := fmt.Sprintf("%s\t%d", one.name, rate)
				got := w.measure(p, fmt.Sprintf("r%d.%d.%d", round, i, rate), 3000, rate)
				if result[key] == nil {
					result[key] = &taken{each: map[string]time.Duration{}}
				}
				result[key].add(got)
			}
			p.stop(b)
		}
	}
	fmt.Print(report(result))
}

func (w *world) measure(p *program, prefix string, count, rate int) *taken {
	w.t.Helper()
	posts, twice := w.hook.counts()
	before := p.usages()
	began := time.Now()
	begun := w.happen(prefix, count, rate)
	came := w.hook.await(begun, 15*time.Second)
	after := p.usages()
	got := &taken{events: len(came), lost: len(begun) - len(came)}
	got.cpu, got.each = spent(before, after)
	for _, u := range after {
		got.peak += u.peak
	}
	var last time.Time
	for name, at := range came {
		got.late = append(got.late, at.Sub(begun[name]))
		if at.After(last) {
			last = at
		}
	}
	got.perSecond = float64(len(came)) / last.Sub(began).Seconds()
	posts2, twice2 := w.hook.counts()
	got.posts, got.twice = posts2-posts, twice2-twice
	load, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		got.load, _, _ = strings.Cut(string(load), " ")
	}
	return got
}

func (t *taken) add(o *taken) {
	if t.events == 0 {
		t.perSecond = o.perSecond
	}
	t.perSecond = min(t.perSecond, o.perSecond)
	t.events, t.lost, t.twice, t.posts = t.events+o.events, t.lost+o.lost, t.twice+o.twice, t.posts+o.posts
	t.cpu, t.peak, t.late = t.cpu+o.cpu, max(t.peak, o.peak), append(t.late, o.late...)
	for name, d := range o.each {
		t.each[name] += d
	}
	t.load = strings.TrimSpace(t.load + " " + o.load)
}

func (t *taken) perCPU() float64 { return float64(t.events) / t.cpu.Seconds() }

// report is a table, and what ferry is to kubewatch.
func report(all map[string]*taken) string {
	var b strings.Builder
	tab := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tab, "who\tat\tevents\tlost\ttwice\trequests\tevents/s\tp50 ms\tp99 ms\tevents/CPU-s\tpeak MiB\tof that\tload\t")
	keys := slices.Sorted(maps.Keys(all))
	for _, key := range keys {
		t := all[key]
		slices.Sort(t.late)
		var each []string
		for _, name := range slices.Sorted(maps.Keys(t.each)) {
			each = append(each, fmt.Sprintf("%s %.0f µs", name, float64(t.each[name].Microseconds())/float64(max(t.events, 1))))
		}
		fmt.Fprintf(tab, "%s\t%d\t%d\t%d\t%d\t%.0f\t%.1f\t%.1f\t%.0f\t%.0f\t%s\t%s\t\n", key, t.events, t.lost, t.twice, t.posts, t.perSecond,
			ms(t.late, 50), ms(t.late, 99), t.perCPU(), float64(t.peak)/(1<<20), strings.Join(each, ", "), t.load)
	}
	if err := tab.Flush(); err != nil {
		return err.Error()
	}
	for _, key := range keys {
		who, rate, _ := strings.Cut(key, "\t")
		if peer := all["kubewatch\t"+rate]; peer != nil && who != "kubewatch" {
			fmt.Fprintf(&b, "%s at %s/s: %.1f times the events per CPU-second of kubewatch\n", who, rate, all[key].perCPU()/peer.perCPU())
		}
	}
	return b.String()
}

func ms(sorted []time.Duration, percent int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[len(sorted)*percent/100].Microseconds()) / 1000
}

// kubewatch watches Events alone and posts them to the webhook.
func (w *world) kubewatch(dir, file string) *program {
	w.t.Helper()
	text := "namespace: \"\"\nhandler: {webhook: {url: \"" + w.hook.url + "\"}}\nresource: {event: true}\n"
	if err := os.WriteFile(dir+"/.kubewatch.yaml", []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return start(w.t, dir, []string{"HOME=" + dir, "KW_CONFIG=" + dir, "KUBECONFIG=" + w.cluster.Kubeconfig(), "PATH=" + os.Getenv("PATH")}, file)
}
