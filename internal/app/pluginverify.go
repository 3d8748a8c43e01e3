package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ferry/internal/config"
	"ferry/internal/fault"
	"ferry/plugins/botkube"
	"ferry/plugins/host"
	"ferry/plugins/repo"
)

func (p Process) pluginVerify(ctx context.Context, c *config.Config, names []string) error {
	store := newStore(c.Plugins)
	var errs []error
	for _, b := range configured(c) {
		if len(names) > 0 && !slices.Contains(names, b.plugin.Name) {
			continue
		}
		r, err := tryPlugin(ctx, c, store, b.kind, b.plugin)
		errs = append(errs, p.report(b.kind+" "+b.plugin.Name, r, err))
	}
	for _, name := range names {
		if slices.ContainsFunc(configured(c), func(b bound) bool { return b.plugin.Name == name }) {
			continue
		}
		errs = append(errs, p.verifyAny(ctx, c, store, name))
	}
	return errors.Join(errs...)
}

// verifyAny starts what is not configured: a file, or all plugins of a repository that
// have a name.
func (p Process) verifyAny(ctx context.Context, c *config.Config, store *repo.Store, name string) error {
	info, missing := os.Stat(name)
	if missing == nil && info.Mode().IsRegular() {
		r, err := verifyFile(ctx, name)
		return p.report(name, r, err)
	}
	ref, err := repo.Parse(name)
	if err != nil && missing == nil {
		return fault.Newf(fault.Invalid, "%s is no file", name).WithHelp("name the executable of one plugin, such as %s", filepath.Join(name, "kubectl"))
	}
	if err != nil {
		return fault.Newf(fault.NotFound, "there is no file %s, no plugin is configured so, and it is no name in a repository", name).
			WithHelp("`ferry plugin list` shows what there is")
	}
	var errs []error
	for _, kind := range kindsOf(ctx, store, ref) {
		r, err := verifyNamed(ctx, c, store, kind, ref)
		errs = append(errs, p.report(strings.TrimSpace(kind+" "+name), r, err))
	}
	return errors.Join(errs...)
}

// verifyFile starts a file. What it speaks nobody knows: it is tried.
func verifyFile(ctx context.Context, path string) (host.Report, error) {
	f := host.File{Path: path}
	r, err := host.Verify(ctx, f, host.Binding{})
	if err == nil {
		return r, nil
	}
	if other, failed := host.Verify(ctx, f, host.Binding{Dialect: botkube.Dialect{Plugin: filepath.Base(path)}}); failed == nil {
		return other, nil
	}
	return r, err
}

// verifyNamed starts a plugin of a repository.
func verifyNamed(ctx context.Context, c *config.Config, store *repo.Store, kind string, ref repo.Ref) (host.Report, error) {
	got, err := store.InstallKind(ctx, kind, ref)
	if err != nil {
		return host.Report{}, err
	}
	f, spoken := fileOf(got), speaking(c, &config.Plugin{Plugin: ref.String()}, ref)
	if spoken.dialect != nil {
		f.Name, f.Version = "", ""
	}
	return host.Verify(ctx, f, host.Binding{Dialect: spoken.dialect})
}

// helpOf is what an error says would help; "" if it does not.
func helpOf(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Help
	}
	return ""
}

// report prints what a plugin is.
func (p Process) report(name string, r host.Report, err error) error {
	if err != nil {
		return fault.Newf(fault.KindOf(err), "%s: %s", name, err).WithHelp("%s", helpOf(err))
	}
	schema := "takes any configuration"
	if len(r.Info.Schema) > 0 {
		schema = fmt.Sprintf("has a schema of its configuration (%d bytes)", len(r.Info.Schema))
	}
	fmt.Fprintf(p.Out, "%s is a sound %s: %s %s, ready after %d ms with %d MiB, %s\n",
		name, r.Kind, r.Info.Name, r.Info.Version, r.Took.Milliseconds(), r.Memory>>20, schema)
	if r.Info.Description != "" {
		fmt.Fprintf(p.Out, "  %s\n", r.Info.Description)
	}
	return nil
}
