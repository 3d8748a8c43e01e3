package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"ferry/dispatcher"
	"ferry/internal/chat"
	"ferry/internal/config"
	"ferry/internal/fault"
	"ferry/jobs"
	"ferry/k8s"
	"ferry/plugins/api"
	"ferry/plugins/host"
	"ferry/plugins/repo"
)

// syntaxes are all commands, with those of the configured executors.
func syntaxes(c *config.Config) []chat.Syntax {
	var names []string
	if c != nil {
		for _, v := range c.Plugins.Verbs() {
			names = append(names, string(v))
		}
	}
	return jobs.Syntaxes(names...)
}

// checkVerbs refuses executors that are called like a command of ferry's own.
func checkVerbs(c *config.Config) error {
	own := syntaxes(nil)
	for _, verb := range c.Plugins.Verbs() {
		if i := slices.IndexFunc(own, func(s chat.Syntax) bool { return s.Verb == verb }); i >= 0 && !own[i].Unlisted {
			key, what := "plugins.executors."+string(verb), "executor"
			if _, alias := c.Plugins.Aliases[string(verb)]; alias {
				key, what = "plugins.aliases."+string(verb), "alias"
			}
			return fault.Newf(fault.Invalid, "%s: %s: ferry has a command of that name", c.At(key), key).WithHelp("give the %s another name", what)
		}
	}
	return nil
}

func newStore(p config.Plugins) *repo.Store {
	o := repo.Options{Dir: p.Dir}
	for _, r := range p.Repositories {
		o.Repositories = append(o.Repositories, repo.Repository{Name: r.Name, Index: r.Index, Trusted: r.TrustedWithoutChecksums})
	}
	return repo.New(o)
}

// events is what the pipeline makes of sources.
type events struct {
	take   func(ctx context.Context, binding string, e api.Event) error
	cursor func(ctx context.Context, binding string) (string, error)
	stored func(ctx context.Context) error
}

// patience is how long somebody who told of an event is left waiting until it is on
// the disk.
const patience = 5 * time.Second

// keep takes an event and returns when it is on the disk, for those who are told.
func (e events) keep(ctx context.Context, binding string, one api.Event) error {
	timed, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := e.take(timed, binding, one)
	if err == nil {
		err = e.stored(timed)
	}
	if err != nil && timed.Err() != nil && ctx.Err() == nil {
		return fault.Newf(fault.Unavailable, "it could not be stored within %s: send it again", patience).Because(err)
	}
	return err
}

// newHost makes the host of the configured plugins.
func newHost(c *config.Config, log *slog.Logger, taking events) (*host.Host, error) {
	dir, err := filepath.Abs(c.Plugins.Dir)
	if err != nil {
		return nil, err
	}
	store := newStore(c.Plugins)
	o := host.Options{Dir: dir, Log: log, Events: taking.take, Cursor: taking.cursor, Stored: taking.stored}
	for _, kind := range []struct {
		name    string
		plugins []config.Plugin
	}{{api.KindExecutor, c.Plugins.Executors}, {api.KindSource, c.Plugins.Sources}, {api.KindNotifier, c.Plugins.Notifiers}} {
		for i := range kind.plugins {
			bound, err := bindings(c, store, kind.name, &kind.plugins[i], log)
			if err != nil {
				return nil, err
			}
			o.Bindings = append(o.Bindings, bound...)
		}
	}
	return host.New(o)
}

// bindings are what is run for a plugin of the configuration: a source runs once
// for each of its clusters.
func bindings(c *config.Config, store *repo.Store, kind string, p *config.Plugin, log *slog.Logger) ([]host.Binding, error) {
	ref, err := repo.Parse(p.Plugin)
	if err != nil {
		return nil, err
	}
	text, err := pluginConfig(p)
	if err != nil {
		return nil, err
	}
	b := host.Binding{
		Name: p.Name, Kind: kind, Plugin: p.Plugin, Config: text, Env: p.Env, Memory: p.Memory << 20, Timeout: p.Timeout,
	}
	spoken := speaking(c, p, ref)
	b.Dialect = spoken.dialect
	b.Find = func(ctx context.Context) (host.File, error) {
		found, err := store.Find(ctx, kind, ref)
		return spoken.file(found), err
	}
	members := membersOf(c, p)
	if kind == api.KindNotifier {
		b.To = toldTo(c, p.Name)
	}
	if kind != api.KindSource || len(members) == 0 {
		b.Clusters = handouts(members, log)
		return []host.Binding{b}, nil
	}
	var out []host.Binding
	for _, m := range members {
		one := b
		one.Clusters = handouts([]k8s.Member{m}, log)
		if len(members) > 1 {
			one.Name += "/" + string(m.Name)
		}
		out = append(out, one)
	}
	return out, nil
}

// toldTo are the places that receivers name for a notifier.
func toldTo(c *config.Config, notifier string) (out []string) {
	for _, r := range c.Alerts.Receivers {
		for _, s := range r.Sinks {
			if s.Notifier == notifier && s.To != "" && !slices.Contains(out, s.To) {
				out = append(out, s.To)
			}
		}
	}
	return out
}

func fileOf(i repo.Installed) host.File {
	return host.File{Path: i.Path, Checksum: i.Checksum, Name: i.Name, Version: i.Version, Schema: i.Schema}
}

// pluginConfig is a plugin's configuration, wherever it stands; it is never nil.
func pluginConfig(p *config.Plugin) ([]byte, error) {
	if p.ConfigFile == "" {
		return []byte(p.Config), nil
	}
	return os.ReadFile(p.ConfigFile)
}

// membersOf are the clusters that a plugin may reach, and how.
func membersOf(c *config.Config, p *config.Plugin) []k8s.Member {
	var out []k8s.Member
	for _, m := range c.Clusters {
		if !slices.ContainsFunc(p.Clusters, func(pattern string) bool { ok, _ := path.Match(pattern, string(m.Name)); return ok }) {
			continue
		}
		one := k8s.Member{Name: m.Name, Kubeconfig: m.File, Context: m.Context}
		if p.Kubeconfig != "" {
			one.Kubeconfig, one.Context = p.Kubeconfig, string(m.Name)
		}
		out = append(out, one)
	}
	return out
}

// handouts are the ways into clusters, read anew each time. One of several that cannot
// be read is handed out without: it does not keep a line from the others.
func handouts(members []k8s.Member, log *slog.Logger) func(context.Context) ([]api.Cluster, error) {
	return func(context.Context) ([]api.Cluster, error) {
		var out []api.Cluster
		for _, m := range members {
			text, err := k8s.Handout(m)
			if err != nil && len(members) == 1 {
				return nil, err
			}
			if err != nil {
				log.Warn("a plugin gets no way into a cluster", "cluster", m.Name, "error", err)
			}
			out = append(out, api.Cluster{Name: string(m.Name), Kubeconfig: text})
		}
		return out, nil
	}
}

// acquaintances tells plugins who somebody is.
type acquaintances struct{ policy *dispatcher.Policy }

func (a acquaintances) who(ctx context.Context, id chat.UserID) (api.User, error) {
	who, roles, err := a.policy.Known(ctx, id)
	if err != nil {
		return api.User{}, err
	}
	u := api.User{ID: string(id), Roles: roles}
	for _, g := range who.Groups {
		u.Groups = append(u.Groups, string(g))
	}
	return u, nil
}

// hosted shows a host's plugins to people.
type hosted struct{ *host.Host }

// Plugins implements jobs.Plugins.
func (h hosted) Plugins() []jobs.Plugin {
	var out []jobs.Plugin
	for _, s := range h.States() {
		out = append(out, jobs.Plugin{
			Name: s.Name, Kind: s.Kind, Version: s.Version, Running: s.Status == host.Running, Starting: s.Status == host.Starting,
			Refused: s.Status == host.Refused, Why: s.Why, Since: s.Since, Until: s.Until, Err: s.Err, Restarts: s.Restarts,
			Memory: s.Memory, Events: s.Events, Calls: s.Calls,
		})
	}
	return out
}

// checkPlugins starts every configured plugin once, to see.
func checkPlugins(ctx context.Context, c *config.Config) []finding {
	store := newStore(c.Plugins)
	var out []finding
	for _, kind := range []struct {
		name    string
		plugins []config.Plugin
	}{{api.KindExecutor, c.Plugins.Executors}, {api.KindSource, c.Plugins.Sources}, {api.KindNotifier, c.Plugins.Notifiers}} {
		for i := range kind.plugins {
			p := &kind.plugins[i]
			f := finding{where: "plugins", what: kind.name + " " + p.Name, spare: true}
			if kind.name == api.KindSource && !c.Alerts.IsSet() {
				f.detail, f.help = "nothing takes its events: it is not started", "say in `alerts` what becomes of them"
				out = append(out, f)
				continue
			}
			r, err := tryPlugin(ctx, c, store, kind.name, p)
			if f.ok = err == nil; f.ok {
				f.detail = fmt.Sprintf("%s %s answers", r.Info.Name, r.Info.Version)
			} else {
				f.detail, f.help = err.Error(), "ferry runs without it, and starts it again and again"
				if help := helpOf(err); help != "" {
					f.help = help + "; " + f.help
				}
			}
			out = append(out, f)
		}
	}
	return out
}

func tryPlugin(ctx context.Context, c *config.Config, store *repo.Store, kind string, p *config.Plugin) (host.Report, error) {
	ref, err := repo.Parse(p.Plugin)
	if err != nil {
		return host.Report{}, err
	}
	text, err := pluginConfig(p)
	if err != nil {
		return host.Report{}, err
	}
	found, err := store.Find(ctx, kind, ref)
	if err != nil {
		return host.Report{}, err
	}
	spoken := speaking(c, p, ref)
	return host.Verify(ctx, spoken.file(found), host.Binding{Name: p.Name, Kind: kind, Config: text, To: toldTo(c, p.Name), Dialect: spoken.dialect, Env: p.Env})
}
