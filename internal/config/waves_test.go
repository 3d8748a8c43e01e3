package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ferry/internal/deploy"
)

func TestGroupsOfWaves(t *testing.T) {
	all := []deploy.Cluster{"dev", "prod-ap", "prod-canary", "prod-eu", "prod-us"}
	for _, c := range []struct {
		clusters []string
		order    [][]string
		want     string
	}{
		{[]string{"prod-*"}, [][]string{{"prod-canary"}, {"prod-us", "prod-eu"}, {"*"}}, "[[prod-canary] [prod-eu prod-us] [prod-ap]]"},
		{[]string{"*"}, [][]string{{"dev"}, {"dev"}, {"prod-??"}, {"*"}}, "[[dev] [prod-ap prod-eu prod-us] [prod-canary]]"},
		{[]string{"prod-eu"}, [][]string{{"*"}}, "[[prod-eu]]"},
	} {
		w := Wave{Clusters: c.clusters, Order: c.order}
		if got := fmt.Sprint(w.Groups(all)); got != c.want {
			t.Errorf("%v of %v is %s, want %s", c.order, c.clusters, got, c.want)
		}
	}
}

func TestProblemsOfWaves(t *testing.T) {
	waves := func(fields string) string { return small + "waves:\n- {name: w, " + fields + "}\n" }
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"as it should be": {waves("clusters: [prod], order: [[prod]], soak: 10m"), nil},
		"no order":        {waves("clusters: [prod]"), []string{`5: waves[0].order is missing; write order: [[prod-canary], ["prod-*"]]`}},
		"no such cluster": {waves("clusters: [prd], order: [[x]]"), []string{`5: waves[0].clusters[0]: no cluster is called "prd"; did you mean "prod"?`}},
		"nor in a group":  {waves("clusters: [prod], order: [[prd], [prod]]"), []string{`5: waves[0].order[0][0]: no cluster of these waves is called "prd"; did you mean "prod"?`}},
		"an empty group":  {waves("clusters: [prod], order: [[], [prod]]"), []string{`5: waves[0].order[0] names no cluster; name one, or take it out`}},
		"no group":        {waves("clusters: [prod], order: [prod]"), []string{`5: waves[0].order[0]: "prod" is a text; a list is wanted: [prod]`}},
		"a bad pattern":   {waves(`clusters: ["prod"], order: [["["], [prod]]`), []string{`5: waves[0].order[0][0]: "[" is no pattern; write a name, or one with *, ? or [a-z] in it`}},
		"left out":        {waves(`clusters: ["*"], order: [[prod]]`), []string{`5: waves[0].order has no place for stage; name each, or end it with ["*"]`}},
		"an unknown key":  {waves("clusters: [prod], order: [[prod]], soke: 1m"), []string{`5: unknown key "soke" in waves[0]; did you mean "soak"?`}},
		"no duration":     {waves("clusters: [prod], order: [[prod]], soak: 10"), []string{`5: waves[0].soak: "10" is not a duration; write a number and its unit: 90s, 10m, 1h30m`}},
		"a cluster twice": {waves("clusters: [prod], order: [[prod]]") + "- {name: x, clusters: [prod], order: [[prod]]}\n", []string{`6: waves[1].clusters: prod is among those of waves[0], too; a cluster is in one list of waves: take it out of the other one`}},
		"a name twice":    {waves("clusters: [prod], order: [[prod]]") + "- {name: w, clusters: [prod], order: [[prod]]}\n", []string{`6: waves[1].name: "w" is the name of waves[0] too; give each a name of its own`, `6: waves[1].clusters: prod is`}},
	} {
		_, err := Load(write(t, c.text), tokens, changing...)
		found, _ := errors.AsType[Problems](err)
		for _, want := range c.want {
			if !slices.ContainsFunc(found, func(p Problem) bool {
				return strings.Contains(fmt.Sprintf("%d: %s; %s", p.Line, p.Says, p.Help), want)
			}) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		}
		if len(found) != len(c.want) {
			t.Errorf("%s: %d problems, want %d:\n%v", name, len(found), len(c.want), err)
		}
	}
}
