package config

import (
	"fmt"
	"time"

	"ferry/internal/deploy"
)

// Rollback says what becomes of a version that did not last.
type Rollback struct {
	Name       string        `yaml:"name,required" eg:"stages" doc:"What the rule is called."`
	Clusters   []string      `yaml:"clusters,required" eg:"[stage]" doc:"On which clusters, as patterns; [\"*\"] for all."`
	Apps       []string      `yaml:"apps" doc:"For which apps, as patterns of their names. Without it: all."`
	Namespaces []string      `yaml:"namespaces" doc:"For apps in which namespaces, as patterns. Without it: all."`
	OnFailure  string        `yaml:"on_failure" doc:"auto: ferry goes back by itself to the last version seen healthy there, and holds the other one back. offer: it offers that, with a button. off: it only says what happened. Without it: offer."`
	Soak       time.Duration `yaml:"soak" doc:"For how long ferry watches a promotion after it was seen healthy: what falls over by then has failed, too. Without it: not at all."`
	Automation string        `yaml:"automation" doc:"suspend: an image automation that would undo the rollback is suspended with it. warn: the message says that it will be undone. Without it: warn."`
}

// The values of rollbacks[].automation.
const (
	AutomationSuspend = "suspend"
	AutomationWarn    = "warn"
)

func checkRollbacks(c *Config, p *problems) {
	first := map[string]int{}
	for i := range c.Rollbacks {
		r, key := &c.Rollbacks[i], fmt.Sprintf("rollbacks[%d]", i)
		if other, twice := first[r.Name]; twice && r.Name != "" {
			p.at(key+".name", fmt.Sprintf("%s.name: %q is the name of rollbacks[%d] too", key, r.Name, other), "give each a name of its own")
		}
		first[r.Name] = i
		checkPatterns(p, key+".clusters", r.Clusters, clusterNames(c), "no cluster is called")
		checkPatterns(p, key+".apps", r.Apps, nil, "")
		checkPatterns(p, key+".namespaces", r.Namespaces, nil, "")
		if r.OnFailure == "" {
			r.OnFailure = string(deploy.RetreatOffer)
		}
		if r.Automation == "" {
			r.Automation = AutomationWarn
		}
		oneOf(p, key+".on_failure", r.OnFailure, string(deploy.RetreatAuto), string(deploy.RetreatOffer), string(deploy.RetreatOff))
		oneOf(p, key+".automation", r.Automation, AutomationSuspend, AutomationWarn)
	}
}
