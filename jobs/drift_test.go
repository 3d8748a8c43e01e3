package jobs

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/job"
)

// inGit is what Git wants.
type inGit struct {
	all []deploy.Wanted
	err error
}

func (g inGit) Wanted(context.Context, []deploy.Declared) ([]deploy.Wanted, error) {
	return g.all, g.err
}

func wants(t deploy.Target, kind string, versions ...deploy.WantedVersion) deploy.Wanted {
	return deploy.Wanted{Target: t, Object: deploy.Ref{Kind: kind, Namespace: t.App.Namespace, Name: t.App.Name}, Versions: versions}
}

func image(v deploy.Version) deploy.WantedVersion {
	return deploy.WantedVersion{Field: deploy.FieldImage, Version: v}
}

func TestDriftNamesTheOddOne(t *testing.T) {
	target := func(name string) deploy.Target {
		return deploy.Target{Cluster: "stage", App: deploy.App{Namespace: "apps", Name: name}}
	}
	chart := deploy.WantedVersion{Field: deploy.FieldChart, Version: "1.0.0"}
	ranged := deploy.WantedVersion{Field: deploy.FieldImage, Version: ">=1", Ranged: true}
	for name, c := range map[string]struct {
		runs     string // "" for nothing there
		git      []deploy.WantedVersion
		promoted deploy.Record
		busy     bool
		bad      string // why it is not healthy
		want     string // the row behind the app's name, or ""
	}{
		"all agree":                {"1", []deploy.WantedVersion{image("1")}, deploy.Record{Version: "1", Field: deploy.FieldImage}, false, "", ""},
		"never promoted":           {"1", []deploy.WantedVersion{image("1")}, deploy.Record{}, false, "", ""},
		"the field that is shown":  {"1", []deploy.WantedVersion{chart, image("1")}, deploy.Record{}, false, "", ""},
		"a range":                  {"1", []deploy.WantedVersion{ranged}, deploy.Record{Version: "1"}, false, "", ""},
		"another field's history":  {"1", []deploy.WantedVersion{image("1")}, deploy.Record{Version: "9", Field: deploy.FieldChart}, false, "", ""},
		"changed past ferry":       {"2", []deploy.WantedVersion{image("2")}, deploy.Record{Version: "1", Field: deploy.FieldImage}, false, "", "2 | 2 | 1 | ferry: Git was changed past it, and that arrived; nothing has to be done"},
		"read from Git":            {"2", []deploy.WantedVersion{image("2")}, deploy.Record{Version: "1", FromGit: true}, false, "", "2 | 2 | 1 | ferry: Git was changed past it, and that arrived; nothing has to be done"},
		"not applied":              {"1", []deploy.WantedVersion{image("2")}, deploy.Record{Version: "2", Field: deploy.FieldImage}, false, "", "2 | 1 | 2 | cluster: Flux has not applied it, or somebody changed the cluster by hand"},
		"not applied, and it says": {"1", []deploy.WantedVersion{image("2")}, deploy.Record{}, false, "HelmRelease is suspended", "2 | 1 | none | cluster: it is degraded, HelmRelease is suspended"},
		"changed, not arrived":     {"1", []deploy.WantedVersion{image("2")}, deploy.Record{Version: "1", Field: deploy.FieldImage}, false, "", "2 | 1 | 1 | Git: it was changed past ferry and has not arrived: Flux has not applied it, or somebody changed the cluster by hand; promote a@1 to stage brings Git back"},
		"all three":                {"1", []deploy.WantedVersion{image("2")}, deploy.Record{Version: "3", Field: deploy.FieldImage}, false, "", "2 | 1 | 3 | all three: Flux has not applied it, or somebody changed the cluster by hand"},
		"a job is on it":           {"1", []deploy.WantedVersion{image("2")}, deploy.Record{Version: "1", Field: deploy.FieldImage}, true, "", "2 | 1 | 1 | job JOB is on it"},
		"not there":                {"", []deploy.WantedVersion{image("2")}, deploy.Record{}, false, "", "2 | absent | none | cluster: Flux has not made it; look at its Kustomization there"},
	} {
		t.Run(name, func(t *testing.T) {
			w := fleet()
			w.apps = map[deploy.Cluster][]deploy.AppState{"stage": {app("stage", "apps", "other", "7", owned)}}
			if c.runs != "" {
				w.apps["stage"] = append(w.apps["stage"], app("stage", "apps", "a", c.runs, owned, func(a *deploy.AppState) {
					if c.bad != "" {
						a.Health, a.Reason = deploy.Degraded, c.bad
					}
				}))
			}
			b := newBench(t, w)
			b.options.Now = func() time.Time { return noon }
			b.options.Git = inGit{all: []deploy.Wanted{wants(target("a"), "Deployment", c.git...), wants(target("other"), "Deployment", image("7"))}}
			if c.promoted.Version != "" {
				r := c.promoted
				r.Target, r.At, r.Command, r.Job = target("a"), noon, "promote", "x"
				later := deploy.Record{Target: r.Target, At: noon.Add(1), Command: seen, Version: "0", Job: "y", Healthy: true}
				if err := errors.Join(b.history.Append(t.Context(), &r), b.history.Append(t.Context(), &later)); err != nil {
					t.Fatal(err)
				}
			}
			if c.busy {
				j := &job.Job{Key: "k", Created: noon, Queues: []string{target("a").String()}}
				if _, err := b.options.Rows.(interface {
					Create(context.Context, *job.Job) (bool, error)
				}).Create(t.Context(), j); err != nil {
					t.Fatal(err)
				}
				c.want = strings.ReplaceAll(c.want, "JOB", string(j.ID))
			}
			m, err := b.command("drift").Query.Answer(t.Context(), chat.Command{Args: chat.Args{Cluster: "stage"}})
			if err != nil {
				t.Fatal(err)
			}
			want, title := "", "Git, stage and what ferry promoted agree on 2 apps"
			if c.want != "" {
				want, title = "a on stage | "+c.want, "1 app differs between Git, stage and what ferry promoted"
			}
			if rows(m) != want || m.Title != title || m.Footer != "" {
				t.Errorf("%s\n%s\n%s", m.Title, rows(m), m.Footer)
			}
		})
	}
}

func owned(a *deploy.AppState) {
	a.Owner.Kustomization = deploy.Ref{Kind: "Kustomization", Namespace: "flux-system", Name: "apps"}
}

// TestDriftSaysWhatItCannotTell has a stale cluster, one that was never seen, an
// app of no Flux, one that Git does not tell of, and namespaces nobody watches.
func TestDriftSaysWhatItCannotTell(t *testing.T) {
	w := fleet()
	w.states[0].Synced, w.states[0].Stale, w.states[0].Reason = false, true, "no answer"
	w.apps = map[deploy.Cluster][]deploy.AppState{
		"dev":   {},
		"stage": {app("stage", "apps", "loose", "1"), app("stage", "apps", "elsewhere", "1", owned), app("stage", "apps", "odd", "1", owned)},
		"prod":  {app("prod", "apps", "old", "1", owned)},
	}
	b := newBench(t, w)
	b.options.Now = func() time.Time { return noon }
	at := func(cluster, ns, name string) deploy.Target {
		return deploy.Target{Cluster: deploy.Cluster(cluster), App: deploy.App{Namespace: ns, Name: name}}
	}
	b.options.Git = inGit{all: []deploy.Wanted{
		wants(at("dev", "apps", "x"), "Deployment", image("1")),
		wants(at("stage", "kube-system", "hidden"), "Deployment", image("1")),
		wants(at("stage", "apps", "nightly"), "CronJob", image("1")),
		wants(at("stage", "apps", "odd"), "Deployment"),
		wants(at("prod", "apps", "old"), "Deployment", image("2")),
	}}
	m, err := b.command("drift").Query.Answer(t.Context(), chat.Command{})
	if err != nil || m.Title != "1 app differs between Git, the clusters and what ferry promoted" || m.Footer != "of 2 further apps Git does not tell a version" ||
		!strings.HasPrefix(rows(m), "old on prod | 2 | 1 | none | cluster") || strings.Contains(rows(m), "\n") {
		t.Errorf("%v %s\n%s\n%s", err, m.Title, rows(m), m.Footer)
	}
	if len(m.Lines) != 2 || !strings.Contains(m.Lines[0], "*dev* has not answered since") || !strings.Contains(m.Lines[1], "*prod* has not answered for") {
		t.Errorf("lines %q", m.Lines)
	}
	away := errors.New("GitHub is away")
	b.options.Git = inGit{err: away}
	if _, err := b.command("drift").Query.Answer(t.Context(), chat.Command{}); !errors.Is(err, away) {
		t.Errorf("without Git: %v", err)
	}
}
