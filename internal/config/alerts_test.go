package config

import (
	"strings"
	"testing"
	"time"
)

const withAlerts = `clusters: {prod: {file: KUBECONFIG}}
namespaces: [a]
repo: {owner: o, name: n}
plugins:
  repositories: {ferry: {index: /srv/plugins}}
  sources: {changes: {plugin: ferry/changes}}
  notifiers: {pager: {plugin: ferry/pager}}
alerts:
`

const goodAlerts = `  route:
    receiver: ops
    group_by: [cluster, node]
    group_wait: 5s
    routes:
      - {matchers: ['severity=~"error|critical"'], receiver: loud, continue: true, after: 3, storm: {more_than: 5, within: 30s}}
      - matchers: [namespace=a]
        storm: {off: true}
        routes: [{matchers: [app=b], group_by: ["..."]}]
  receivers:
    ops: {sinks: [{slack: {channel: C012AB3CD}}, {name: file, notifier: pager, to: C1}, {stdout: true, retries: 3}]}
    loud: {sinks: [{notifier: pager}, {notifier: pager, name: second}]}
  filters: [{keep: 'event.kind != "Lease"', sources: ["chan*"]}]
`

func alerts(t *testing.T, text string) (*Config, error) {
	t.Helper()
	return Load(write(t, withAlerts+text), tokens, changing...)
}

func TestAlerts(t *testing.T) {
	c, err := alerts(t, goodAlerts)
	if err != nil {
		t.Fatal(err)
	}
	a := c.Alerts
	loud := a.Receivers[1].Sinks
	switch {
	case !a.IsSet(), a.Route.Receiver != "ops", a.Route.GroupWait != 5*time.Second, len(a.Route.Routes) != 2, a.Route.Routes[0].After != 3:
		t.Errorf("route = %+v", a.Route)
	case a.Route.Routes[0].Storm != Storm{MoreThan: 5, Within: 30 * time.Second}, a.Route.Routes[1].Storm != Storm{Off: true}, a.Route.Storm != Storm{}:
		t.Errorf("storms = %+v", a.Route.Routes)
	case a.Route.Routes[1].Routes[0].GroupBy[0] != "...":
		t.Errorf("routes = %+v", a.Route.Routes)
	case a.ResolveTimeout != 24*time.Hour || a.Blame != 30*time.Minute:
		t.Errorf("defaults: %s, %s", a.ResolveTimeout, a.Blame)
	case a.Receivers[0].Sinks[1].Called() != "file", a.Receivers[0].Sinks[2].Called() != SinkStdout, loud[0].Called() != "pager", loud[1].Called() != "second", a.Receivers[0].Sinks[1].To != "C1":
		t.Errorf("sinks = %+v", a.Receivers[0].Sinks)
	}
}

func TestAlertsAreStrict(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no receiver at the root": {"  receivers: {ops: {sinks: [{stdout: true}]}}\n", ":8: alerts.route.receiver is missing; name one of alerts.receivers"},
		"another's name":          {strings.Replace(goodAlerts, "receiver: loud", "receiver: lout", 1), `:14: alerts.route.routes[0].receiver: there is no receiver "lout"; did you mean "loud"?`},
		"matchers at the root":    {strings.Replace(goodAlerts, "    group_by: [cluster", "    matchers: [a=b]\n    group_by: [cluster", 1), ":9: alerts.route: the root takes every event"},
		"every and more":          {strings.Replace(goodAlerts, "[cluster, node]", `["...", node]`, 1), `:11: alerts.route.group_by: "..." stands alone`},
		"a storm off and on":      {strings.Replace(goodAlerts, "{off: true}", "{off: true, more_than: 3}", 1), ":16: alerts.route.routes[1].storm: off and a bound stand beside each other"},
		"a storm of none":         {strings.Replace(goodAlerts, "more_than: 5", "more_than: 0", 1), "storm.more_than: 0 is too small"},
		"no sink":                 {strings.Replace(goodAlerts, "{stdout: true, retries: 3}", "{retries: 3}", 1), ":19: alerts.receivers.ops.sinks[2] leads nowhere"},
		"two sinks in one":        {strings.Replace(goodAlerts, "{stdout: true, retries: 3}", "{stdout: true, notifier: pager}", 1), "stdout and notifier stand beside each other"},
		"one name twice":          {strings.Replace(goodAlerts, "name: file", "name: slack", 1), `alerts.receivers.ops.sinks[1]: "slack" is the name of sinks[0], too`},
		"a channel's name":        {strings.Replace(goodAlerts, "C012AB3CD", "general", 1), `alerts.receivers.ops.sinks[0].slack.channel: "general" is no channel ID`},
		"another notifier":        {strings.Replace(goodAlerts, "notifier: pager", "notifier: paper", 1), `there is no notifier "paper"; did you mean "pager"?`},
		"a place without one":     {strings.Replace(goodAlerts, "{stdout: true, retries: 3}", "{stdout: true, to: C1}", 1), "alerts.receivers.ops.sinks[2].to: only a notifier is told where to; name the notifier, too"},
		"another source":          {strings.Replace(goodAlerts, "chan*", "chains", 1), `:21: alerts.filters[0].sources[0]: no source is called "chains"`},
		"a key that is none":      {strings.Replace(goodAlerts, "group_wait", "group_waits", 1), `:12: unknown key "group_waits" in alerts.route; did you mean "group_wait"?`},
		"a tree in itself":        {"  route: {receiver: ops, routes: &r [{routes: *r}]}\n  receivers: {ops: {sinks: [{stdout: true}]}}\n", "more than 6 lists within each other"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := alerts(t, c.text); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("want %q, got:\n%v", c.want, err)
			}
		})
	}
}
