package jobs

import (
	"context"
	"fmt"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/job"
)

var promoteSyntax = chat.Syntax{
	Verb: "promote",
	Form: "<app>@<version> [<field>] to <cluster> [with <targets>] [<option>] [<mode>] [despite <gate> because <reason>]",
	Also: []string{
		"all from <from> to <clusters> [<mode>] [despite <gate> because <reason>]",
		"<app> from <from> to <clusters> [<mode>] [despite <gate> because <reason>]",
		"<app>@<version> [<field>] to <clusters> [<mode>] [despite <gate> because <reason>]",
	},
	Summary: "commit a version for one cluster and follow it until it is healthy there",
	Details: []string{
		"The version is an image tag, a digest (`sha256:…`) or a chart version, exactly as it is published.",
		"Where an app has both a chart version and an image tag in Git, say which is meant: `promote podinfo@6.5.4 image to prod`.",
		"Where clusters share the version, `pin` at the end gives this cluster one of its own, in its own overlay; it also puts an exact version in place of a range.",
		"Where Git holds a digest beside the tag that ferry cannot look up, `tag-only` at the end takes it away: then whatever the registry has under that tag runs.",
		"Or name all that share it: `promote podinfo@6.5.4 to prod with stage, dev/backend/worker` may change the same app on stage and worker on dev too, and must; it ends when all are healthy.",
		"`all from stage` promotes each app in the version that runs there, if it is healthy; `prod-*` and `prod-eu, prod-us` are several clusters, one after the other as the configured waves say. Such a set shows its plan first and waits to be confirmed; each wave is one commit, and one that fails ends it.",
		"`--dry-run` shows the plan and every rule that would stop it, and changes nothing.",
		"Who may pass a freeze, a hold or an approval says why: `despite freeze because …`; that is announced and recorded.",
		"ferry changes that one value, proves by rendering that nothing else on any cluster changes, and refuses what it cannot prove.",
	},
	Examples: []string{"promote podinfo@6.5.4 to prod", "promote backend/worker@1.9.0 to stage", "promote podinfo@6.5.4 chart to prod", "promote podinfo from stage to prod", "promote all from stage to prod", "promote podinfo@6.5.4 to prod-*"},
	Changes:  true,
	Gated:    true,
}

// promote brings a named version to a cluster.
type promote struct{ changer }

// Admit implements Work.
func (p promote) Admit(ctx context.Context, cmd chat.Command) (string, []deploy.Target, error) {
	cmd, one, err := p.ordinary(ctx, cmd, nil)
	if err != nil {
		return "", nil, err
	}
	if isSet(cmd) && !one {
		return p.admitSet(ctx, cmd)
	}
	app, err := p.look(cmd)
	if err != nil {
		return "", nil, err
	}
	with, err := p.lookWith(cmd, app)
	if err != nil {
		return "", nil, err
	}
	c := deploy.Change{Target: app.Target, With: with}
	title := fmt.Sprintf("Promote %s to `%s` on %s", app.App.Name, cmd.Args.Version, places(c))
	return title, append([]deploy.Target{app.Target}, with...), nil
}

// Run implements Work.
func (p promote) Run(ctx context.Context, cmd chat.Command, j *job.Job, save func(context.Context) error) (chat.Message, error) {
	asked := cmd
	cmd, one, err := p.ordinary(ctx, cmd, j)
	if err != nil {
		return chat.Message{}, err
	}
	if isSet(cmd) && !one {
		return p.runSet(ctx, cmd, j, save)
	}
	return p.run(ctx, cmd, j, save, func(ctx context.Context) (deploy.Change, error) {
		if one {
			if err := p.asWanted(ctx, asked, deploy.Version(cmd.Args.Version)); err != nil {
				return deploy.Change{}, err
			}
		}
		return p.want(cmd)
	})
}

// want is the change that a command asks for.
func (p promote) want(cmd chat.Command) (deploy.Change, error) {
	app, err := p.look(cmd)
	if err != nil {
		return deploy.Change{}, err
	}
	with, err := p.lookWith(cmd, app)
	if err != nil {
		return deploy.Change{}, err
	}
	return deploy.Change{
		Target: app.Target, With: with, Version: deploy.Version(cmd.Args.Version), Field: deploy.FieldKind(cmd.Args.Field), Owner: app.Owner,
		Pin: hasOption(cmd, "pin"), TagOnly: hasOption(cmd, "tag-only"),
	}, nil
}

// look finds the app on a cluster that is known for certain.
func (c changer) look(cmd chat.Command) (deploy.AppState, error) {
	cluster := deploy.Cluster(cmd.Args.Cluster)
	if err := fresh(c.Fleet, cluster); err != nil {
		return deploy.AppState{}, err
	}
	app, err := find(c.Fleet, cluster, string(cmd.Args.App))
	return app, commands(err, func(app string) string {
		verb, rest, _ := strings.Cut(cmd.Text, " ") // the app is what comes first after it
		return verb + " " + strings.Replace(rest, string(cmd.Args.App), app, 1)
	})
}
