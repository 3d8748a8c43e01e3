package app

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"ferry/bot"
	"ferry/internal/config"
)

// finding is one row of `ferry check`.
type finding struct {
	where, what string
	ok          bool
	// spare is true for what ferry can do without.
	spare        bool
	detail, help string
}

// check tries everything that the configuration names and prints a table.
func (p Process) check(ctx context.Context, file string) int {
	c, ok := p.load(file)
	if !ok {
		return exitUsage
	}
	const patience = time.Minute
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rows, err := try(ctx, c, p)
	if err != nil {
		p.complain(located(c, err))
		return exitUsage
	}
	fmt.Fprintf(p.Out, "%s is well-formed; this is what it names:\n\n", c.File)
	failed, spared := table(p.Out, rows)
	fmt.Fprintf(p.Out, "\n%s\n", summed(len(rows), failed, spared))
	if failed > 0 {
		return exitFailed
	}
	return exitOK
}

// summed says how many findings are well, of which ferry can do without the spared.
func summed(all, failed, spared int) string {
	switch {
	case failed > 0:
		return fmt.Sprintf("%d of %d do not work", failed, all)
	case spared > 0:
		return fmt.Sprintf("%d of %d work; ferry can do without the others (--)", all-spared, all)
	}
	return fmt.Sprintf("all %d work", all)
}

// try asks Slack, the clusters, GitHub and registries at the same time.
func try(ctx context.Context, c *config.Config, p Process) ([]finding, error) {
	log := p.logger(config.Log{Level: "error"})
	fleet, err := newFleet(c, log)
	if err != nil {
		return nil, err
	}
	deliveries, err := newDelivery(c, log, nil)
	if err != nil {
		return nil, err
	}
	versions, err := newRegistry(c, log)
	if err != nil {
		return nil, err
	}
	var slack, clusters, github, registries, plugins []finding
	var all errgroup.Group
	all.Go(func() error {
		for _, f := range bot.Check(ctx, slackOptions(c, log)) {
			slack = append(slack, finding{where: "slack", what: f.What, ok: f.OK, spare: f.Spare, detail: f.Detail, help: f.Help})
		}
		return nil
	})
	all.Go(func() error {
		for _, f := range fleet.Check(ctx) {
			clusters = append(clusters, finding{string(f.Cluster), f.What, f.OK, !f.Needed, f.Detail, f.Help})
		}
		return nil
	})
	all.Go(func() error {
		for _, f := range deliveries.Check(ctx) {
			github = append(github, finding{where: "github", what: f.What, ok: f.OK, detail: f.Detail, help: f.Help})
		}
		return nil
	})
	all.Go(func() error {
		registries = checkRegistry(ctx, c, versions)
		return nil
	})
	all.Go(func() error {
		plugins = checkPlugins(ctx, c)
		return nil
	})
	if err := all.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(slack, clusters, github, registries, plugins), nil
}

// table prints findings and returns how many that are needed failed, and how many that
// are not.
func table(out io.Writer, rows []finding) (failed, spared int) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tWHERE\tWHAT\tFOUND")
	for _, r := range folded(rows) {
		sign := "ok"
		switch {
		case !r.ok && r.spare:
			sign, spared = "--", spared+1
		case !r.ok:
			sign, failed = "NO", failed+1
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", sign, r.where, r.what, oneLine(r.detail))
		if !r.ok && r.help != "" {
			fmt.Fprintf(w, "\t\t\t%s\n", oneLine(r.help))
		}
	}
	if err := w.Flush(); err != nil {
		return len(rows), 0 // nobody read it
	}
	return failed, spared
}

// folded makes one row of those that say of several namespaces that all is well.
func folded(rows []finding) []finding {
	type group struct{ where, what string }
	of := func(r finding) group {
		what, _, _ := strings.Cut(r.what, " in ")
		return group{r.where, what}
	}
	good, all := map[group]int{}, map[group]int{}
	for _, r := range rows {
		all[of(r)]++
		if r.ok {
			good[of(r)]++
		}
	}
	var out []finding
	shown := map[group]bool{}
	for _, r := range rows {
		g := of(r)
		if n := all[g]; n > 1 && good[g] == n {
			if shown[g] {
				continue
			}
			shown[g] = true
			r.what = fmt.Sprintf("%s in %d namespaces", g.what, n)
		}
		out = append(out, r)
	}
	return out
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
