package config

import "ferry/internal/event"

// OwnAlerts are the events by which ferry tells of its own troubles.
type OwnAlerts struct {
	Off bool `yaml:"off" doc:"Nobody is told by itself of deliveries that were given up, sinks that fail, plugins that do not run, and clusters that ferry cannot see."`
}

// sourceNames returns the names of all sources. That of ferry's own events is no plugin's.
func sourceNames(c *Config, p *problems) []string {
	out := []string{event.Ferry}
	for _, s := range c.Plugins.Sources {
		if s.Name == event.Ferry {
			key := join("plugins.sources", s.Name)
			p.at(key, key+": that is what the events are called that ferry tells of itself", "give the source another name")
		}
		out = append(out, s.Name)
	}
	return out
}
