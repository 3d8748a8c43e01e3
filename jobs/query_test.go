package jobs

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func app(cluster, ns, name, version string, edit ...func(*deploy.AppState)) deploy.AppState {
	a := deploy.AppState{
		Target:  deploy.Target{Cluster: deploy.Cluster(cluster), App: deploy.App{Namespace: ns, Name: name}},
		Version: deploy.Version(version), Images: []deploy.Image{{Container: name, Repository: "r/" + name, Tag: version}},
		Ready: 2, Desired: 2, Health: deploy.Healthy, Since: noon.Add(-72 * time.Hour),
	}
	for _, e := range edit {
		e(&a)
	}
	return a
}

// fleet is three clusters, one of which has not answered for five minutes.
func fleet() *world {
	chart := func(a *deploy.AppState) { a.Chart = "nginx" }
	return &world{
		states: []deploy.ClusterState{
			{Name: "dev", Synced: true},
			{Name: "stage", Synced: true},
			{Name: "prod", Synced: true, Stale: true, Since: noon.Add(-5 * time.Minute), Reason: "connection refused"},
		},
		apps: map[deploy.Cluster][]deploy.AppState{
			"dev": {app("dev", "apps", "podinfo", "6.6.0"), app("dev", "a", "worker", "1.0.0"), app("dev", "b", "worker", "2.0.0")},
			"stage": {
				app("stage", "apps", "podinfo", "6.5.4", func(a *deploy.AppState) { a.Ready, a.Health, a.Reason = 1, deploy.Degraded, "1 pod crashes" }),
				app("stage", "web", "nginx", "17.0.0", chart), app("stage", "apps", "only-stage", "1"),
			},
			"prod": {
				app("prod", "apps", "podinfo", "6.5.10", func(a *deploy.AppState) { a.Desired = 4 }), app("prod", "web", "nginx", "7.0.0", chart),
				app("prod", "apps", "sealed", "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
			},
		},
	}
}

func ask(t *testing.T, w *world, verb chat.Verb, a chat.Args) (chat.Message, error) {
	t.Helper()
	b := newBench(t, w)
	b.options.Now = func() time.Time { return noon }
	return b.command(verb).Query.Answer(t.Context(), chat.Command{Verb: verb, Args: a})
}

func rows(m chat.Message) string {
	if m.Table == nil {
		return ""
	}
	var out []string
	for _, r := range m.Table.Rows {
		if len(r) != len(m.Table.Columns) {
			return fmt.Sprintf("row %q does not fit %q", r, m.Table.Columns)
		}
		out = append(out, strings.Join(r, " | "))
	}
	return strings.Join(out, "\n")
}

func TestList(t *testing.T) {
	for _, c := range []struct {
		args        chat.Args
		title, rows string
		lines       int
	}{
		{chat.Args{}, "6 apps on 3 clusters", `nginx | stage | 17.0.0 (chart) | 2/2 | healthy | 3 d
nginx | prod | 7.0.0 (chart) | 2/2 | stale | 3 d
only-stage | stage | 1 | 2/2 | healthy | 3 d
podinfo | dev | 6.6.0 | 2/2 | healthy | 3 d
podinfo | stage | 6.5.4 | 1/2 | degraded: 1 pod crashes | 3 d
podinfo | prod | 6.5.10 | 2/4 | stale | 3 d
sealed | prod | sha256:0123456789ab | 2/2 | stale | 3 d
a/worker | dev | 1.0.0 | 2/2 | healthy | 3 d
b/worker | dev | 2.0.0 | 2/2 | healthy | 3 d`, 1},
		{chat.Args{Glob: "pod*", Cluster: "stage"}, "1 app on stage", "podinfo | stage | 6.5.4 | 1/2 | degraded: 1 pod crashes | 3 d", 0},
		{chat.Args{Glob: "a/*", Cluster: "dev"}, "1 app on dev", "worker | dev | 1.0.0 | 2/2 | healthy | 3 d", 0},
		{chat.Args{Namespace: "b"}, "1 app on 3 clusters", "worker | dev | 2.0.0 | 2/2 | healthy | 3 d", 1},
		{chat.Args{Glob: "nope", Namespace: "b", Cluster: "dev"}, "No app matches `nope` in b on dev", "", 0},
	} {
		m, err := ask(t, fleet(), "list", c.args)
		if err != nil || m.Title != c.title || rows(m) != c.rows || len(m.Lines) != c.lines {
			t.Errorf("list %+v: %v\n%s\n%s\n%q", c.args, err, m.Title, rows(m), m.Lines)
		}
	}
	m, _ := ask(t, fleet(), "list", chat.Args{Cluster: "prod"})
	if want := "*prod* has not answered for 5 min: connection refused. What is shown of it is what was last seen."; m.Lines[0] != want {
		t.Errorf("stale cluster is marked %q", m.Lines[0])
	}
	if _, err := ask(t, fleet(), "list", chat.Args{Glob: "[a"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a broken pattern: %v", err)
	}
}

func TestDiff(t *testing.T) {
	for _, c := range []struct {
		args        chat.Args
		title, rows string
	}{
		{chat.Args{Cluster: "stage", Other: "prod"}, "6 differences between stage and prod", `apps/only-stage | app | 1 |  | absent
apps/podinfo | version | 6.5.4 | → | 6.5.10
apps/podinfo | replicas | 2 |  | 4
apps/sealed | app | absent |  | sha256:0123456789ab
web/nginx | version | 17.0.0 (chart) | ← | 7.0.0 (chart)
web/nginx | image of nginx | r/nginx:17.0.0 |  | r/nginx:7.0.0`},
		{chat.Args{Cluster: "stage", Glob: "podinfo"}, "3 differences between stage and dev, prod", `apps/podinfo | version | 6.5.4 | → | dev: 6.6.0
apps/podinfo | version | 6.5.4 | → | prod: 6.5.10
apps/podinfo | replicas | 2 |  | prod: 4`},
		{chat.Args{Cluster: "dev", Other: "stage", Glob: "nothing*"}, "No app matches `nothing*` on dev, stage", ""},
	} {
		m, err := ask(t, fleet(), "diff", c.args)
		if err != nil || m.Title != c.title || rows(m) != c.rows {
			t.Errorf("diff %+v: %v\n%s\n%s", c.args, err, m.Title, rows(m))
		}
	}
	if _, err := ask(t, fleet(), "diff", chat.Args{Cluster: "dev", Other: "dev"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("dev against itself: %v", err)
	}
	w := fleet()
	w.states[2].Synced = false
	if _, err := ask(t, w, "diff", chat.Args{Cluster: "dev", Other: "prod"}); !fault.Is(err, fault.Stale) {
		t.Errorf("against a cluster never seen: %v", err)
	}
}

func TestFurtherImagesAreCompared(t *testing.T) {
	sidecar := func(tag string) func(*deploy.AppState) {
		return func(a *deploy.AppState) {
			a.Images = append(a.Images, deploy.Image{Container: "proxy", Repository: "envoy", Tag: tag})
		}
	}
	l := []deploy.AppState{app("a", "n", "web", "1", sidecar("1.30"))}
	r := []deploy.AppState{app("b", "n", "web", "2", sidecar("1.31"))}
	got := fmt.Sprint(compare(l, r))
	if want := "[{n/web version 1 → 2} {n/web image of proxy envoy:1.30  envoy:1.31}]"; got != want {
		t.Errorf("compare = %s, want %s", got, want)
	}
}

func TestOrder(t *testing.T) {
	for _, c := range []struct{ l, r, want string }{
		{"6.5.4", "6.5.10", "→"},
		{"17.0.0", "7.0.0", "←"},
		{"v1.2.0", "1.10.0", "→"},
		{"1.0.0-rc.1", "1.0.0", "→"},
		{"main-abc", "1.0.0", "≠"},
		{"1.0.0+a", "1.0.0+b", "≠"},
	} {
		if got := order(deploy.Version(c.l), deploy.Version(c.r)); got != c.want {
			t.Errorf("order(%s, %s) = %s, want %s", c.l, c.r, got, c.want)
		}
	}
}

func TestHelpExplainsEveryCommand(t *testing.T) {
	m, err := ask(t, fleet(), "help", chat.Args{})
	if err != nil || len(m.Lines) != len(Syntaxes()) {
		t.Fatalf("help: %d lines, %v", len(m.Lines), err)
	}
	for i, s := range Syntaxes() {
		if !strings.HasPrefix(m.Lines[i], "`"+string(s.Verb)) {
			t.Errorf("line %d is %q", i, m.Lines[i])
		}
		one, err := ask(t, fleet(), "help", chat.Args{Topic: chat.Word(s.Verb)})
		if err != nil || !strings.Contains(one.Title, string(s.Verb)) || len(s.Examples) == 0 {
			t.Errorf("help %s: %+v, %v", s.Verb, one, err)
		}
	}
	if got := promoteSyntax.Usage(); got != "promote app@version [chart|image] to cluster" {
		t.Errorf("usage = %q", got)
	}
	_, err = ask(t, fleet(), "help", chat.Args{Topic: "promot"})
	if e, ok := err.(*fault.Error); !ok || e.Help != "did you mean `promote`?" {
		t.Errorf("help promot: %+v", err)
	}
}

func TestStatusAndHistory(t *testing.T) {
	b := newBench(t, fleet())
	b.options.Now = func() time.Time { return noon }
	answer := func(verb chat.Verb, a chat.Args) chat.Message {
		t.Helper()
		m, err := b.command(verb).Query.Answer(t.Context(), chat.Command{Args: a})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	if m := answer("history", chat.Args{App: "podinfo"}); m.Title != "No history of podinfo yet" {
		t.Errorf("empty history: %+v", m)
	}
	target := b.apps["prod"][0].Target
	for i, r := range []deploy.Record{
		{Command: seen, Version: "6.5.3", Healthy: true},
		{Command: "promote", From: "6.5.3", Version: "6.5.4", Outcome: "failed"},
		{Command: "rollback", From: "6.5.4", Version: "6.5.3", Healthy: true, Outcome: "done"},
	} {
		r.Target, r.At, r.Job, r.By = target, noon.Add(time.Duration(i)*time.Minute), fmt.Sprint(i), "U1"
		if err := b.history.Append(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
	}
	want := `2026-03-01 12:02:00 | apps/podinfo | prod | 6.5.4 → 6.5.3 | Ada | rollback, healthy
2026-03-01 12:01:00 | apps/podinfo | prod | 6.5.3 → 6.5.4 | Ada | failed`
	if m := answer("history", chat.Args{App: "apps/podinfo", Cluster: "prod"}); rows(m) != want {
		t.Errorf("history:\n%s", rows(m))
	}
	if m := answer("history", chat.Args{Cluster: "prod-eu"}); m.Table != nil {
		t.Errorf("history of prod-eu shows prod's:\n%s", rows(m))
	}
	if m := answer("status", chat.Args{}); m.Title != "0 jobs under way" || len(m.Lines) != 2 {
		t.Errorf("status: %+v", m)
	}
	jobs := b.options.Rows.(interface {
		Create(ctx context.Context, j *job.Job) (bool, error)
	})
	j := &job.Job{Key: "k", Title: "Promote `it`", Created: noon.Add(-time.Minute), Updated: noon, Attempts: 2, Step: stepFollow}
	if _, err := jobs.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if m := answer("status", chat.Args{}); m.Title != "1 job under way" || rows(m) != string(j.ID)+" | Promote it | following | 60 s ago" {
		t.Errorf("status: %s\n%s", m.Title, rows(m))
	}
	if m := answer("status", chat.Args{Job: chat.Word(j.ID)}); m.Title != "Promote `it`: following" || len(m.Fields) != 3 {
		t.Errorf("status of one: %+v", m)
	}
}
