package config

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"ferry/internal/deploy"
)

// Wave says in which order a change of several clusters reaches some of them.
type Wave struct {
	Name     string        `yaml:"name,required" eg:"production" doc:"What the waves are called in answers."`
	Clusters []string      `yaml:"clusters,required" eg:"[\"prod-*\"]" doc:"The clusters that they are for, as patterns. A cluster is in one list of waves at most; those in none are one wave, the last."`
	Order    [][]string    `yaml:"order,required" eg:"[[prod-canary], [\"prod-*\"]]" doc:"The groups of them, one wave after the other, as patterns: [[prod-canary], [prod-eu, prod-us], [\"prod-*\"]]. A cluster counts where it is named first."`
	Soak     time.Duration `yaml:"soak" doc:"How long a wave has to stay healthy before the next one begins. Without it the next one begins at once."`
}

// Groups are the clusters of each wave that has any, in the order of all.
func (w *Wave) Groups(all []deploy.Cluster) [][]deploy.Cluster {
	var out [][]deploy.Cluster
	var named []deploy.Cluster
	for _, patterns := range w.Order {
		var group []deploy.Cluster
		for _, c := range all {
			if matchesAny(w.Clusters, c) && matchesAny(patterns, c) && !slices.Contains(named, c) {
				group, named = append(group, c), append(named, c)
			}
		}
		if len(group) > 0 {
			out = append(out, group)
		}
	}
	return out
}

func matchesAny(patterns []string, c deploy.Cluster) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { ok, _ := path.Match(p, string(c)); return ok })
}

// checkWaves demands that each cluster of a list has one place in it, and none in
// another.
func checkWaves(c *Config, p *problems) {
	first, of := map[string]int{}, map[deploy.Cluster]int{}
	all := make([]deploy.Cluster, len(c.Clusters))
	for i, one := range c.Clusters {
		all[i] = one.Name
	}
	for i := range c.Waves {
		w, key := &c.Waves[i], fmt.Sprintf("waves[%d]", i)
		if j, twice := first[w.Name]; twice && w.Name != "" {
			p.at(key+".name", fmt.Sprintf("%s.name: %q is the name of waves[%d] too", key, w.Name, j), "give each a name of its own")
		}
		first[w.Name] = i
		checkPatterns(p, key+".clusters", w.Clusters, clusterNames(c), "no cluster is called")
		var mine, left []string
		for _, name := range all {
			if !matchesAny(w.Clusters, name) {
				continue
			}
			mine = append(mine, string(name))
			if j, twice := of[name]; twice {
				p.at(key+".clusters", fmt.Sprintf("%s.clusters: %s is among those of waves[%d], too", key, name, j), "a cluster is in one list of waves: take it out of the other one")
				continue
			}
			of[name] = i
			if !slices.ContainsFunc(w.Order, func(patterns []string) bool { return matchesAny(patterns, name) }) {
				left = append(left, string(name))
			}
		}
		for j, patterns := range w.Order {
			at := fmt.Sprintf("%s.order[%d]", key, j)
			if len(patterns) == 0 {
				p.at(at, at+" names no cluster", "name one, or take it out")
			}
			checkPatterns(p, at, patterns, mine, "no cluster of these waves is called")
		}
		whole := !slices.ContainsFunc(w.Order, func(patterns []string) bool { return len(patterns) == 0 })
		if len(left) > 0 && len(w.Order) > 0 && whole {
			p.at(key+".order", fmt.Sprintf("%s.order has no place for %s", key, strings.Join(left, ", ")), `name each, or end it with ["*"]`)
		}
	}
}
