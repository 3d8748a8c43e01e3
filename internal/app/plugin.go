package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"ferry/internal/config"
	"ferry/internal/fault"
	"ferry/plugins/api"
	"ferry/plugins/host"
	"ferry/plugins/repo"
)

const pluginUsage = `ferry plugin list                 list what the repositories offer, and what is installed
ferry plugin install [NAME …]     download plugins; without a name all that are configured
ferry plugin remove NAME …        remove plugins
ferry plugin verify [NAME|PATH …] start plugins, and print what they are; without a name
                                  all that are configured, with their configuration
ferry plugin index DIR            write index.yaml of the plugins in a folder

NAME is repository/name, which is the newest version, or repository/name@version;
for verify also the name under which a plugin is configured. Repositories and the
folder of the plugins are those of the configuration (-config FILE). Exit codes:
0 done, 1 not done, 2 usage.
`

// plugin runs `ferry plugin`.
func (p Process) plugin(ctx context.Context, args []string) int {
	file, words, code := p.pluginArgs(args)
	if code >= 0 {
		return code
	}
	run, names, err := p.pluginRun(words)
	if err != nil {
		fmt.Fprintf(p.Err, "ferry plugin: %v\n\n%s", err, pluginUsage)
		return exitUsage
	}
	c, err := config.LoadPlugins(file, p.Getenv)
	if err != nil {
		p.complain(err)
		return exitUsage
	}
	if err := run(ctx, c, names); err != nil {
		for _, one := range parts(err) {
			p.complain(one)
		}
		return exitFailed
	}
	return exitOK
}

// pluginArgs takes the flags out, wherever they stand. A code of at least 0 ends it
// there.
func (p Process) pluginArgs(args []string) (file string, words []string, code int) {
	flags := flag.NewFlagSet("ferry plugin", flag.ContinueOnError)
	flags.SetOutput(p.Err)
	flags.Usage = func() { fmt.Fprint(p.Err, pluginUsage) }
	flags.StringVar(&file, "config", "", "")
	for {
		switch err := flags.Parse(args); {
		case errors.Is(err, flag.ErrHelp):
			return "", nil, exitOK
		case err != nil:
			return "", nil, exitUsage
		case flags.NArg() == 0:
			return file, words, -1
		}
		words, args = append(words, flags.Arg(0)), flags.Args()[1:]
	}
}

type pluginCommand func(ctx context.Context, c *config.Config, names []string) error

// pluginRun is what the words ask for, and what they name.
func (p Process) pluginRun(words []string) (pluginCommand, []string, error) {
	known := map[string]pluginCommand{
		"list": p.pluginList, "install": p.pluginInstall, "remove": p.pluginRemove, "verify": p.pluginVerify, "index": p.pluginIndex,
	}
	if len(words) == 0 {
		return nil, nil, errors.New("say what to do")
	}
	do, names := words[0], words[1:]
	switch {
	case known[do] == nil:
		return nil, nil, fmt.Errorf("there is no %q", do)
	case do == "list" && len(names) > 0:
		return nil, nil, fmt.Errorf("list shows all there is, and takes no name: %s", strings.Join(names, " "))
	case do == "remove" && len(names) == 0:
		return nil, nil, errors.New("remove what? Name at least one")
	case do == "index" && len(names) != 1:
		return nil, nil, errors.New("index takes one folder")
	}
	return known[do], names, nil
}

// parts takes a joined error apart, and those that are joined in it.
func parts(err error) (out []error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	for _, one := range joined.Unwrap() {
		out = append(out, parts(one)...)
	}
	return out
}

func (p Process) pluginList(ctx context.Context, c *config.Config, _ []string) error {
	all, err := newStore(c.Plugins).List(ctx)
	w := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PLUGIN\tKIND\tINSTALLED\tDESCRIPTION")
	for _, one := range all {
		installed := "no"
		if one.Installed {
			installed = "yes"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", one.Ref, one.Kind, installed, one.Description)
	}
	return errors.Join(err, w.Flush())
}

// configured are the plugins that the configuration names.
func configured(c *config.Config) (out []bound) {
	for kind, plugins := range map[string][]config.Plugin{
		api.KindExecutor: c.Plugins.Executors, api.KindSource: c.Plugins.Sources, api.KindNotifier: c.Plugins.Notifiers,
	} {
		for i := range plugins {
			out = append(out, bound{kind, &plugins[i]})
		}
	}
	slices.SortFunc(out, func(a, b bound) int { return strings.Compare(a.kind+a.plugin.Name, b.kind+b.plugin.Name) })
	return out
}

type bound struct {
	kind   string
	plugin *config.Plugin
}

// pluginInstall gets what the configuration names, or all plugins that have the names.
func (p Process) pluginInstall(ctx context.Context, c *config.Config, names []string) error {
	store := newStore(c.Plugins)
	var errs []error
	get := func(kind string, ref repo.Ref) {
		got, err := store.InstallKind(ctx, kind, ref)
		if err != nil {
			errs = append(errs, err)
			return
		}
		fmt.Fprintf(p.Out, "%s is installed: %s %s\n", got.Ref, got.Kind, got.Path)
	}
	each := func(name string, of func(repo.Ref)) {
		ref, err := refOf(c, name)
		if err != nil {
			errs = append(errs, err)
			return
		}
		of(ref)
	}
	if len(names) == 0 {
		for _, b := range configured(c) {
			each(b.plugin.Plugin, func(ref repo.Ref) { get(b.kind, ref) })
		}
	}
	for _, name := range names {
		each(name, func(ref repo.Ref) {
			for _, kind := range kindsOf(ctx, store, ref) {
				get(kind, ref)
			}
		})
	}
	return errors.Join(errs...)
}

func (p Process) pluginRemove(_ context.Context, c *config.Config, names []string) error {
	store := newStore(c.Plugins)
	var errs []error
	for _, name := range names {
		ref, err := refOf(c, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		gone, err := store.Remove(ref)
		for _, one := range gone {
			fmt.Fprintf(p.Out, "%s is removed: %s\n", one.Ref, one.Kind)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// kindsOf are the kinds of the plugins that have a name: a source and an executor may
// share one. If there is none it is "", and to get that says what is wrong.
func kindsOf(ctx context.Context, store *repo.Store, ref repo.Ref) []string {
	kinds, err := store.Kinds(ctx, ref)
	if err != nil || len(kinds) == 0 {
		return []string{""}
	}
	return kinds
}

// refOf reads the name of a plugin. One that is configured under another is meant by
// that alone where it is verified.
func refOf(c *config.Config, name string) (repo.Ref, error) {
	ref, err := repo.Parse(name)
	if err == nil {
		return ref, nil
	}
	for _, b := range configured(c) {
		if b.plugin.Name == name {
			return repo.Ref{}, fault.Newf(fault.Invalid, "%q is configured, but not what a repository calls it", name).WithHelp("write %s", b.plugin.Plugin)
		}
	}
	return repo.Ref{}, err
}

// pluginIndex writes the index of a folder by asking each plugin in it what it is.
func (p Process) pluginIndex(ctx context.Context, _ *config.Config, names []string) error {
	n, err := repo.Write(names[0], func(path string) (repo.Entry, error) {
		r, err := host.Verify(ctx, host.File{Path: path}, host.Binding{})
		return repo.Entry{
			Name: r.Info.Name, Type: r.Kind, Version: r.Info.Version, Description: r.Info.Description, DocumentationURL: r.Info.Docs,
			JSONSchema: repo.JSONSchema{Value: string(r.Info.Schema)},
		}, err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Out, "%s/index.yaml has %d plugins\n", strings.TrimSuffix(names[0], "/"), n)
	return nil
}
