package config

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // zones are checked wherever ferry starts, and a container may know none

	"ferry/internal/chat"
	"ferry/internal/deploy"
)

// Freeze is a calendar of times at which nothing may change.
type Freeze struct {
	Name       string   `yaml:"name,required" eg:"weekend" doc:"What the freeze is called in answers."`
	Zone       string   `yaml:"zone,required" eg:"Europe/Berlin" doc:"The place whose clocks count, by its IANA name: Europe/Berlin, America/New_York, UTC."`
	When       []string `yaml:"when,required" eg:"[\"Fri 16:00 to Mon 08:00\"]" doc:"Its windows: \"Fri 16:00 to Mon 08:00\" each week, \"Sun\" all day, \"22:00 to 06:00\" each day, \"12-20 to 01-04\" each year, \"2026-11-27 to 2026-11-30 12:00\" once. A day without a time is all of it."`
	Clusters   []string `yaml:"clusters,required" eg:"[prod]" doc:"On which clusters, as patterns; [\"*\"] for all."`
	Apps       []string `yaml:"apps" doc:"For which apps, as patterns of their names. Without it: all."`
	Namespaces []string `yaml:"namespaces" doc:"For apps in which namespaces, as patterns. Without it: all."`
	Commands   []string `yaml:"commands" doc:"Which commands it stops, as patterns: [promote] lets people roll back. Without it: all that bring a version."`

	// Windows and Location are what When and Zone say.
	Windows  []deploy.Window `yaml:"-"`
	Location *time.Location  `yaml:"-"`
}

// Approval says who has to agree before something changes.
type Approval struct {
	Name       string        `yaml:"name,required" eg:"leads" doc:"What those who approve are called in answers."`
	From       []Person      `yaml:"from,required" eg:"[S012AB3CD]" doc:"Who may approve: IDs of users (U…) and user groups (S…). Whoever asks for a change does not count."`
	Quorum     int64         `yaml:"quorum" doc:"How many of them have to. Without it: one."`
	Expires    time.Duration `yaml:"expires" doc:"How long an approval counts. It is of one plan, and void once that changes."`
	Clusters   []string      `yaml:"clusters,required" eg:"[prod]" doc:"On which clusters, as patterns; [\"*\"] for all."`
	Apps       []string      `yaml:"apps" doc:"For which apps, as patterns of their names. Without it: all."`
	Namespaces []string      `yaml:"namespaces" doc:"For apps in which namespaces, as patterns. Without it: all."`
	Commands   []string      `yaml:"commands" doc:"Which commands need it, as patterns. Without it: all that bring a version."`
}

// The values of roles[].passes.
const (
	PassFreeze   = "freeze"
	PassHold     = "hold"
	PassApproval = "approval"
)

// area is what freezes and approvals have in common.
type area struct {
	name                                 string
	clusters, apps, namespaces, commands []string
}

func checkGates(c *Config, p *problems, verbs []chat.Verb) {
	first := map[string]string{}
	checkArea := func(key string, a area) {
		list, _, _ := strings.Cut(key, "[")
		if other, twice := first[list+a.name]; twice && a.name != "" {
			p.at(key+".name", fmt.Sprintf("%s.name: %q is the name of %s too", key, a.name, other), "give each a name of its own")
		}
		first[list+a.name] = key
		checkPatterns(p, key+".clusters", a.clusters, clusterNames(c), "no cluster is called")
		checkPatterns(p, key+".apps", a.apps, nil, "")
		checkPatterns(p, key+".namespaces", a.namespaces, nil, "")
		checkPatterns(p, key+".commands", a.commands, texts(verbs), "no command that changes anything is called")
	}
	for i := range c.Freezes {
		f, key := &c.Freezes[i], fmt.Sprintf("freezes[%d]", i)
		checkArea(key, area{f.Name, f.Clusters, f.Apps, f.Namespaces, f.Commands})
		checkFreeze(f, p, key)
	}
	for i := range c.Approvals {
		a, key := &c.Approvals[i], fmt.Sprintf("approvals[%d]", i)
		checkArea(key, area{a.Name, a.Clusters, a.Apps, a.Namespaces, a.Commands})
		checkApproval(a, p, key)
	}
	for i, r := range c.Roles {
		for j, gate := range r.Passes {
			oneOf(p, fmt.Sprintf("roles[%d].passes[%d]", i, j), gate, PassFreeze, PassHold, PassApproval)
		}
	}
}

func checkFreeze(f *Freeze, p *problems, key string) {
	location, err := time.LoadLocation(f.Zone)
	if f.Zone != "" && (err != nil || f.Zone == "Local") {
		p.at(key+".zone", fmt.Sprintf("%s.zone: there is no time zone %q", key, f.Zone), "write the IANA name of a place, such as Europe/Berlin, or UTC")
	}
	f.Location = location
	for i, text := range f.When {
		at := fmt.Sprintf("%s.when[%d]", key, i)
		w, wrong := parseWindow(text)
		if wrong != "" {
			p.at(at, fmt.Sprintf("%s: %q %s", at, text, wrong), windowHelp)
			continue
		}
		f.Windows = append(f.Windows, w)
	}
}

// checkApproval demands that the quorum can be reached.
func checkApproval(a *Approval, p *problems, key string) {
	named, groups := map[Person]int{}, false
	for i, one := range a.From {
		at := fmt.Sprintf("%s.from[%d]", key, i)
		_, user := one.ID()
		_, group := one.Group()
		groups = groups || group
		switch before, twice := named[one]; {
		case !user && !group:
			p.at(at, fmt.Sprintf("%s: %q is no ID of a user or a user group", at, one), "write the ID (U012AB3CD, S012AB3CD): names can be changed, and an approval must not go with them")
		case twice:
			p.at(at, fmt.Sprintf("%s: %s stands at from[%d], too", at, one, before), "nobody counts twice: take one out")
		}
		named[one] = i
	}
	if n := int64(len(named)); !groups && a.Quorum > n && n > 0 {
		p.at(key+".quorum", fmt.Sprintf("%s.quorum: %d approvals are wanted, and %d may give one", key, a.Quorum, n), "name more people or a user group in from, or ask for fewer")
	}
	if a.Quorum == 0 {
		a.Quorum = 1
	}
}

func clusterNames(c *Config) []string {
	out := make([]string, len(c.Clusters))
	for i, cl := range c.Clusters {
		out[i] = string(cl.Name)
	}
	return out
}

func texts[T ~string](words []T) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return out
}
