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
		Version: deploy.Version(version), Field: deploy.FieldImage, Images: []deploy.Image{{Container: name, Repository: "r/" + name, Tag: version}},
		Ready: 2, Desired: 2, Health: deploy.Healthy, Since: noon.Add(-72 * time.Hour),
	}
	for _, e := range edit {
		e(&a)
	}
	return a
}

// fleet is three clusters, one of which has not answered for five minutes.
func fleet() *world {
	chart := func(a *deploy.AppState) { a.Chart, a.ChartVersion, a.Field = "nginx", a.Version, deploy.FieldChart }
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

func head(m chat.Message) string {
	if m.Table == nil {
		return ""
	}
	return strings.Join(m.Table.Columns, " | ")
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
		args              chat.Args
		title, head, rows string
		footer            string
		lines             int
	}{
		{chat.Args{}, "6 apps on 3 clusters, 2 with different versions", "App | dev | stage | prod ⚠️", `≠ nginx (chart) |  | 17.0.0 2/2 3d | 7.0.0 2/2 3d
≠ podinfo | 6.6.0 2/2 3d | 6.5.4 1/2 3d ❌ | 6.5.10 2/4 3d
only-stage |  | 1 2/2 3d | 
sealed |  |  | @0123456 2/2 3d
a/worker | 1.0.0 2/2 3d |  | 
b/worker | 2.0.0 2/2 3d |  | `, "≠ versions differ · version, ready pods, age · ⚠️ last seen · ❌ degraded · @ digest", 1},
		{chat.Args{Glob: "podinfo"}, "podinfo on 3 clusters", "Cluster | Version | Ready | Health | Age", `dev | 6.6.0 | 2/2 | healthy | 3 d
stage | 6.5.4 | 1/2 | degraded: 1 pod crashes | 3 d
prod | 6.5.10 | 2/4 | stale | 3 d`, "", 1},
		{chat.Args{Cluster: "stage"}, "3 apps on stage", "App | Version | Ready | Health | Age", `nginx | 17.0.0 (chart) | 2/2 | healthy | 3 d
only-stage | 1 | 2/2 | healthy | 3 d
podinfo | 6.5.4 | 1/2 | degraded: 1 pod crashes | 3 d`, "", 0},
		{chat.Args{Glob: "pod*", Cluster: "stage"}, "1 app on stage", "App | Version | Ready | Health | Age", "podinfo | 6.5.4 | 1/2 | degraded: 1 pod crashes | 3 d", "", 0},
		{chat.Args{Glob: "a/*", Cluster: "dev"}, "1 app on dev", "App | Version | Ready | Health | Age", "a/worker | 1.0.0 | 2/2 | healthy | 3 d", "", 0},
		{chat.Args{Namespace: "b"}, "b/worker on 3 clusters", "Cluster | Version | Ready | Health | Age", "dev | 2.0.0 | 2/2 | healthy | 3 d", "", 1},
		{chat.Args{Glob: "nope*", Namespace: "b", Cluster: "dev"}, "No app matches `nope*` in b on dev", "", "", "", 0},
	} {
		m, err := ask(t, fleet(), "list", c.args)
		if err != nil || m.Title != c.title || head(m) != c.head || rows(m) != c.rows || m.Footer != c.footer || len(m.Lines) != c.lines {
			t.Errorf("list %+v: %v\n%s\n%s\n%s\n%s\n%q", c.args, err, m.Title, head(m), rows(m), m.Footer, m.Lines)
		}
	}
	m, _ := ask(t, fleet(), "list", chat.Args{Cluster: "prod"})
	if want := "*prod* has not answered for 5 min: connection refused. What is shown of it is what was last seen."; m.Lines[0] != want {
		t.Errorf("stale cluster is marked %q", m.Lines[0])
	}
	if _, err := ask(t, fleet(), "list", chat.Args{Glob: "[a"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a broken pattern: %v", err)
	}
	for glob, want := range map[chat.Word]string{"stage": "There is a cluster of that name: `list on stage`.", "podinf": "Did you mean `list podinfo`?"} {
		if m, _ := ask(t, fleet(), "list", chat.Args{Glob: glob}); m.Table != nil || m.Lines[len(m.Lines)-1] != want {
			t.Errorf("list %s: %q", glob, m.Lines)
		}
	}
}

// TestManyAppsAreCutWithACount has those that differ first, so that the cut
// never hides them.
func TestManyAppsAreCutWithACount(t *testing.T) {
	w := fleet()
	w.apps = map[deploy.Cluster][]deploy.AppState{}
	for i := range 200 {
		name := fmt.Sprintf("app-%03d", i)
		w.apps["dev"] = append(w.apps["dev"], app("dev", "n", name, "1"))
		w.apps["stage"] = append(w.apps["stage"], app("stage", "n", name, fmt.Sprint(1+i/190)))
	}
	m, err := ask(t, w, "list", chat.Args{})
	if err != nil || m.Title != "200 apps on 3 clusters, 10 with different versions" || len(m.Table.Rows) != 60 {
		t.Fatalf("%s, %d rows, %v", m.Title, len(m.Table.Rows), err)
	}
	if m.Table.Rows[9][0] != "≠ app-199" || m.Table.Rows[10][0] != "app-000" {
		t.Errorf("rows 10 and 11 are %q and %q", m.Table.Rows[9], m.Table.Rows[10])
	}
	if want := "the first 60 of 200 apps; `list on dev` or `list pod*` shows others"; !strings.HasSuffix(m.Footer, want) {
		t.Errorf("footer %q, want %q", m.Footer, want)
	}
	long := strings.Repeat("x", 300)
	for i := range w.apps["dev"] {
		w.apps["dev"][i].Version = deploy.Version(long)
	}
	if m, _ := ask(t, w, "list", chat.Args{Cluster: "dev"}); !strings.HasPrefix(m.Footer, "the first 23 of 200 apps; ") || len(m.Table.Rows) != 23 {
		t.Errorf("long rows: %d of them, footer %q", len(m.Table.Rows), m.Footer)
	}
	m, _ = ask(t, w, "list", chat.Args{Cluster: "stage"})
	if !strings.HasPrefix(m.Footer, "the first 60 of 200 apps; ") || len(m.Table.Rows) != 60 {
		t.Errorf("%d rows, footer %q", len(m.Table.Rows), m.Footer)
	}
}

func TestDiff(t *testing.T) {
	for _, c := range []struct {
		args                      chat.Args
		title, head, rows, footer string
	}{
		{chat.Args{Cluster: "stage", Other: "prod"}, "4 apps differ between stage and prod", "App | What | stage | prod", `nginx | version | 17.0.0 (chart) | ← 7.0.0 (chart)
nginx | image of nginx | 17.0.0 | ← 7.0.0
only-stage | version | 1 | absent
podinfo | version | 6.5.4 | → 6.5.10
podinfo | replicas | 2 | 4
sealed | version | absent | sha256:0123456`, "Seen from stage: → newer, ← older"},
		{chat.Args{Cluster: "stage", Glob: "podinfo"}, "1 app differs between stage, dev and prod", "App | What | stage | dev | prod", `podinfo | version | 6.5.4 | → 6.6.0 | → 6.5.10
podinfo | replicas | 2 | = | 4`, "Seen from stage: → newer, = the same"},
		{chat.Args{Cluster: "dev", Other: "stage", Glob: "nothing*"}, "No app matches `nothing*` on dev and stage", "", "", ""},
	} {
		m, err := ask(t, fleet(), "diff", c.args)
		if err != nil || m.Title != c.title || head(m) != c.head || rows(m) != c.rows || m.Footer != c.footer {
			t.Errorf("diff %+v: %v\n%s\n%s\n%s\n%s", c.args, err, m.Title, head(m), rows(m), m.Footer)
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

func TestCompare(t *testing.T) {
	with := func(images ...deploy.Image) func(*deploy.AppState) {
		return func(a *deploy.AppState) { a.Images = images }
	}
	own := func(tag, digest string) deploy.Image {
		return deploy.Image{Container: "web", Repository: "r/web", Tag: tag, Digest: digest}
	}
	proxy := func(tag string) deploy.Image {
		return deploy.Image{Container: "proxy", Repository: "envoy", Tag: tag}
	}
	library := func(chart deploy.Version) func(*deploy.AppState) {
		return func(a *deploy.AppState) { a.Chart, a.ChartVersion = "app-template", chart }
	}
	at := func(version string, edit func(*deploy.AppState)) []deploy.AppState {
		return []deploy.AppState{app("x", "n", "web", version, edit)}
	}
	for name, c := range map[string]struct {
		left  []deploy.AppState
		right [][]deploy.AppState
		want  string
	}{
		"a further image": {
			at("1", with(own("1", ""), proxy("1.30"))),
			[][]deploy.AppState{at("2", with(own("2", ""), proxy("1.31")))},
			"version 1 [→ 2], image of proxy 1.30 [→ 1.31]",
		},
		"one image less":               {at("1", with(own("1", ""), proxy("1.30"))), [][]deploy.AppState{at("1", with(own("1", "")))}, "image of proxy envoy:1.30 [none]"},
		"the digests of two versions":  {at("1", with(own("1", "sha256:a"))), [][]deploy.AppState{at("2", with(own("2", "sha256:b")))}, "version 1 [→ 2]"},
		"two digests of one version":   {at("1", with(own("1", "sha256:a"))), [][]deploy.AppState{at("1", with(own("1", "sha256:b")))}, "image of web r/web:1@sha256:a [r/web:1@sha256:b]"},
		"another registry":             {at("1", with(own("1", ""))), [][]deploy.AppState{at("2", with(deploy.Image{Container: "web", Repository: "s/web", Tag: "2"}))}, "version 1 [→ 2], image of web r/web:1 [s/web:2]"},
		"the chart below a library":    {at("1", library("3.5.0")), [][]deploy.AppState{at("1", library("3.6.0"))}, "chart app-template 3.5.0 [app-template 3.6.0]"},
		"absent on one of two":         {at("1", with()), [][]deploy.AppState{nil, at("1", func(a *deploy.AppState) { a.Desired, a.Images = 5, nil })}, "version 1 [absent =], replicas 2 [ 5]"},
		"the same on both of the rest": {at("1", with()), [][]deploy.AppState{at("1", with()), at("1", with())}, ""},
	} {
		var got []string
		for _, d := range compare(c.left, c.right) {
			got = append(got, fmt.Sprintf("%s %s %v", d.what, d.left, d.right))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %s, want %s", name, strings.Join(got, ", "), c.want)
		}
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
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(m.Lines, "\n")
	for _, s := range Syntaxes() {
		// kubectl is explained to who asks, and not offered: nothing runs it here.
		if offered := strings.Contains("\n"+all, "\n`"+s.Usage()+"` "+s.Summary); offered != (s.Verb != "kubectl") {
			t.Errorf("%s is offered: %v, in\n%s", s.Verb, offered, all)
		}
		one, err := ask(t, fleet(), "help", chat.Args{Topic: chat.Word(s.Verb)})
		if err != nil || !strings.Contains(one.Title, string(s.Verb)) || len(s.Examples) == 0 {
			t.Errorf("help %s: %+v, %v", s.Verb, one, err)
		}
		if says := strings.Contains(strings.Join(one.Lines, "\n"), "is installed here"); says != (s.Verb == "kubectl") {
			t.Errorf("help %s says that nothing can do it: %v", s.Verb, says)
		}
	}
	if got := promoteSyntax.Usage(); got != "promote app@version [chart|image] to cluster [with clusters] [pin|tag-only] [--dry-run] [despite freeze|hold|approval because reason]" {
		t.Errorf("usage = %q", got)
	}
	_, err = ask(t, fleet(), "help", chat.Args{Topic: "promot"})
	if e, ok := err.(*fault.Error); !ok || len(e.Choices) != 1 || e.Choices[0] != "help promote" {
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
		{Command: "promote", From: "6.5.2", Version: "6.5.3", Healthy: true, Outcome: "done"},
		{Command: "promote", From: "6.5.3", Version: "6.5.4", Outcome: "unknown", FromGit: true},
		{Command: "rollback", From: "6.5.4", Version: "6.5.3", Healthy: true, Outcome: "done"},
	} {
		r.Target, r.At, r.Job, r.By = target, noon.Add(time.Duration(i)*time.Minute), fmt.Sprint(i), "U1"
		if i < 3 {
			r.At = r.At.AddDate(-1, 0, 0)
		}
		if err := b.history.Append(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
	}
	want := `03-01 12:03 | podinfo on prod | 6.5.4 → 6.5.3 | rollback, healthy | Ada
2025-03-01 12:02 | podinfo on prod | 6.5.3 → 6.5.4 | unknown, from Git | Ada
2025-03-01 12:01 | podinfo on prod | 6.5.2 → 6.5.3 | healthy for 60 s | Ada`
	if m := answer("history", chat.Args{App: "apps/podinfo", Cluster: "prod"}); rows(m) != want {
		t.Errorf("history:\n%s", rows(m))
	}
	if m := answer("history", chat.Args{Cluster: "prod-eu"}); m.Table != nil {
		t.Errorf("history of prod-eu shows prod's:\n%s", rows(m))
	}
	if m := answer("status", chat.Args{}); m.Title != "Nothing is under way" || len(m.Lines) != 2 {
		t.Errorf("status: %+v", m)
	}
	jobs := b.options.Rows.(interface {
		Create(ctx context.Context, j *job.Job) (bool, error)
	})
	j := &job.Job{Key: "k", Title: "Promote `it`", Created: noon.Add(-time.Minute), Updated: noon, Attempts: 2, Step: stepFollow, Note: "podinfo waits"}
	if _, err := jobs.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if m := answer("status", chat.Args{}); m.Title != "1 job under way" || rows(m) != string(j.ID)+" | Promote it | rolling out | 60 s" {
		t.Errorf("status: %s\n%s", m.Title, rows(m))
	}
	if m := answer("status", chat.Args{Job: chat.Word(j.ID)}); m.Title != "Promote `it`: rolling out" || len(m.Fields) != 3 || m.Lines[0] != "podinfo waits." {
		t.Errorf("status of one: %+v", m)
	}
	pull := &job.Job{Key: "p", Title: "Promote p", Queues: []string{"prod/a/p"}, Created: noon, Step: stepMerge, Note: "pull request #7: it waits for checks"}
	next := &job.Job{Key: "n", Title: "Promote n", Queues: []string{"prod/a/p"}, Created: noon.Add(time.Second)}
	for _, j := range []*job.Job{pull, next} {
		if _, err := jobs.Create(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	if got := rows(answer("status", chat.Args{})); !strings.Contains(got, "| Promote n | waiting for job "+string(pull.ID)+" |") ||
		!strings.Contains(got, "| Promote p | pull request #7: it waits for checks |") {
		t.Errorf("status with what jobs wait for:\n%s", got)
	}
	lacks := &job.Job{Key: "a", Title: "Promote a", Created: noon, Step: stepApproval, Note: "it needs 1 approval of `leads` and has 0"}
	if _, err := jobs.Create(t.Context(), lacks); err != nil {
		t.Fatal(err)
	}
	if got := rows(answer("status", chat.Args{})); !strings.Contains(got, "| Promote a | it needs 1 approval of leads and has 0 |") {
		t.Errorf("status with what is to be approved:\n%s", got)
	}
	if m := answer("status", chat.Args{Job: chat.Word(lacks.ID)}); m.Title != "Promote a: waiting for approval" || m.Lines[0] != "it needs 1 approval of `leads` and has 0." {
		t.Errorf("status of what is to be approved: %+v", m)
	}
	if m := answer("status", chat.Args{Job: chat.Word(next.ID)}); m.Lines[len(m.Lines)-1] != "It comes after job "+string(pull.ID)+": Promote p." {
		t.Errorf("status of one that waits: %+v", m)
	}
	// One outcome has one word, in history and status.
	j.Outcome = job.Done
	if got := stateOf(j); got != "healthy" {
		t.Errorf("a job that is done is %q", got)
	}
}
