package cost

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// groupWait is the route's: what is measured is what is beyond it.
const groupWait = 2 * time.Second

const operators = `alerts:
  route: {receiver: operators, group_wait: 2s, storm: {off: true}}
  receivers: {operators: {sinks: [{slack: {channel: $CHANNEL}}]}}
`

// BenchmarkRest runs ferry with every plugin that make build made. It prints what each
// process takes when a minute has gone by, and how long single Events, seconds apart,
// are on their way to Slack.
func BenchmarkRest(b *testing.B) {
	w := newWorld(b)
	p := w.ferry(b.TempDir(), w.everything()+operators)
	defer p.stop(b)
	w.told(p, "probe", time.Minute)
	w.rest(time.Minute)
	before := p.usages()
	for _, e := range w.shipped() {
		if !slices.ContainsFunc(slices.Collect(maps.Values(before)), func(u usage) bool { return u.name == e.Type+" "+e.Name }) {
			b.Errorf("the %s %s does not run; the log of ferry ends:\n%s", e.Type, e.Name, p.tail())
		}
	}
	w.rest(20 * time.Second)
	after := p.usages()
	_, each := spent(before, after)
	total, own := int64(0), int64(0)
	for _, u := range slices.SortedFunc(maps.Values(after), func(a, b usage) int { return strings.Compare(a.name, b.name) }) {
		total, own = total+u.resident, own+u.anonymous
		fmt.Printf("%-18s %6.1f MiB, %5.1f of its own, at most %6.1f, %.1f ms of processor time a second\n",
			u.name, mib(u.resident), mib(u.anonymous), mib(u.peak), float64(each[u.name].Microseconds())/1000/20)
	}
	fmt.Printf("%-18s %6.1f MiB, %5.1f of their own\n", "all", mib(total), mib(own))

	var late []time.Duration
	for i := range 20 {
		late = append(late, w.told(p, fmt.Sprint("one", i), 20*time.Second)-groupWait)
		w.rest(1500 * time.Millisecond)
	}
	slices.Sort(late)
	fmt.Printf("from an Event to its message, beyond group_wait: p50 %.0f ms, p90 %.0f ms, most %.0f ms\n", ms(late, 50), ms(late, 90), ms(late, 99))
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// plugin is one in the folder.
type plugin struct{ Name, Type string }

// shipped are all plugins in the folder.
func (w *world) shipped() []plugin {
	w.t.Helper()
	raw, err := os.ReadFile(filepath.Join(w.bin, "plugins", "index.yaml"))
	if err != nil {
		w.t.Fatal(err)
	}
	var index struct {
		Entries []plugin
	}
	if err := yaml.Unmarshal(raw, &index); err != nil {
		w.t.Fatal(err)
	}
	return index.Entries
}

// everything is a configuration of all plugins in the folder.
func (w *world) everything() string {
	w.t.Helper()
	configs := map[string]string{
		"executor/kubectl":       `{impersonate: {user: "ferry:{{.ID}}"}, rules: [{users: ["*"], clusters: ["*"], namespaces: [shop], resources: [pods]}]}`,
		"executor/flux":          `{impersonate: {user: "ferry:{{.ID}}"}, rules: [{users: ["*"], clusters: ["*"], namespaces: ["*"], resources: ["*"]}]}`,
		"source/changes":         `{kinds: [apps/v1/deployments, v1/configmaps]}`,
		"notifier/discord":       `{url_file: $SECRET}`,
		"notifier/elasticsearch": `{url: "http://127.0.0.1:9", stream: logs-ferry-default}`,
		"notifier/log":           `{file: $DIR/alerts.jsonl}`,
		"notifier/mattermost":    `{url: "http://127.0.0.1:9", token_file: $SECRET, channel: 4xp9fdt77pncbef59f4k1qe83o}`,
		"notifier/teams":         `{url_file: $SECRET}`,
		"notifier/webhook":       `{url: "http://127.0.0.1:9"}`,
		"source/webhook":         `{listen: "127.0.0.1:0", paths: [{path: /alertmanager, format: alertmanager, anybody: true}]}`,
	}
	kinds := map[string]string{}
	for _, e := range w.shipped() {
		entry := fmt.Sprintf("    %s: {plugin: local/%s", e.Name, e.Name)
		if e.Type != "notifier" {
			entry += ", clusters: [prod], kubeconfig: $ADMIN"
		}
		if config := configs[e.Type+"/"+e.Name]; config != "" {
			entry += ", config: " + config
		}
		kinds[e.Type] += entry + "}\n"
	}
	out := "plugins:\n  dir: $DIR/plugins\n  repositories: {local: {index: $PLUGINS}}\n"
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		out += "  " + kind + "s:\n" + kinds[kind]
	}
	return out
}

// told writes an Event about a workload of that name and returns how long it took
// until Slack had a message of it.
func (w *world) told(p *program, name string, patience time.Duration) time.Duration {
	w.t.Helper()
	e := event("web."+name, 0)
	e.InvolvedObject.Name = name + "-7d9f8b6c5-x2x4z"
	var last time.Time
	for began := time.Now(); time.Since(began) < patience; {
		if last.IsZero() || name == "probe" && time.Since(last) > 5*time.Second {
			last = time.Now()
			e.Name = fmt.Sprintf("web.%s.%d", name, last.UnixNano())
			if _, err := w.cluster.Typed.CoreV1().Events("shop").Create(w.t.Context(), e, metav1.CreateOptions{}); err != nil {
				w.t.Fatal(err)
			}
		}
		all, err := w.slack.Messages("#ops", "")
		if err != nil {
			w.t.Fatal(err)
		}
		for _, m := range all {
			if strings.Contains(m.Text+string(m.Blocks)+string(m.Attachments), e.InvolvedObject.Name) {
				return time.Since(last)
			}
		}
		select {
		case <-p.ended:
			w.t.Fatalf("ferry ended: %v\n%s", p.how, p.tail())
		case <-time.After(5 * time.Millisecond):
		}
	}
	w.t.Fatalf("nobody is told of %s; the log of ferry ends:\n%s", name, p.tail())
	return 0
}
