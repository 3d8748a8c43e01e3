package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"ferry/internal/near"
)

// Alerts say what becomes of the events of sources, in Alertmanager's words. Matchers,
// filters and templates are judged by whoever uses them (internal/app), with the place
// that At gives.
type Alerts struct {
	Route          AlertRoute    `yaml:"route" doc:"The root of the tree by which events find their receiver. Without it nothing is made of events."`
	Receivers      []Receiver    `yaml:"receivers" doc:"Who hears of things, by name."`
	InhibitRules   []InhibitRule `yaml:"inhibit_rules" doc:"What nobody is told of while something else is in trouble."`
	Filters        []EventFilter `yaml:"filters" doc:"Which events are taken at all. Each must let an event through; one that it cannot judge goes through."`
	ResolveTimeout time.Duration `yaml:"resolve_timeout" doc:"After how long an incident of which nothing is heard counts as over."`
	Own            OwnAlerts     `yaml:"own" doc:"What ferry tells of its own troubles."`
	Blame          time.Duration `yaml:"blame" doc:"For how long after a change an event about its app names the change."`
}

// IsSet reports whether anything is made of events.
func (a *Alerts) IsSet() bool { return a.Route.Receiver != "" || len(a.Receivers) > 0 }

// AlertRoute is a node of the tree. What it leaves out it has from the one above.
type AlertRoute struct {
	Matchers       []string      `yaml:"matchers" doc:"Which events take this way: [cluster=prod, 'severity=~\"error|critical\"', 'app!=\"\"'], all of them. The root takes every event and has none."`
	Receiver       string        `yaml:"receiver" doc:"Who hears of them."`
	GroupBy        []string      `yaml:"group_by" doc:"The labels whose values make an incident: [cluster, node]; about stands for what an event is about; [...] makes no incidents, every event is told by itself. Without it: [about]."`
	GroupWait      time.Duration `yaml:"group_wait" doc:"How long an incident waits for more before anybody is told. Without it: 2s."`
	GroupInterval  time.Duration `yaml:"group_interval" doc:"How long at least lies between two changes of a message. Without it: 30s."`
	RepeatInterval time.Duration `yaml:"repeat_interval" doc:"After how long people are told again of what still is so. Without it: 4h."`
	After          int64         `yaml:"after" doc:"How often it must happen before anybody is told. Without it: once."`
	Storm          Storm         `yaml:"storm" doc:"When so many incidents begin that the further ones share one message, a digest."`
	Continue       bool          `yaml:"continue" doc:"Lets the routes after this one match, too."`
	Routes         []AlertRoute  `yaml:"routes" doc:"Routes below this one, each with the same keys. The first that matches is taken."`
}

// Storm bounds the messages of a receiver. What it leaves out it has from the route
// above.
type Storm struct {
	MoreThan int64         `yaml:"more_than" doc:"So many new incidents of the receiver get a message each; critical ones, and what has nothing to do with the others, are counted by themselves. Without it: 3."`
	Within   time.Duration `yaml:"within" doc:"In which time. Without it: 1m."`
	Off      bool          `yaml:"off" doc:"Each incident has a message of its own, however many there are."`
}

// Receiver is who hears of things.
type Receiver struct {
	Name  string `yaml:",name"`
	Sinks []Sink `yaml:"sinks,required" eg:"[{slack: {channel: C012AB3CD}}]" doc:"Where it is delivered; all get the same. Each is one of slack, stdout and notifier."`
}

// Sink is one place of a receiver.
type Sink struct {
	Name     string    `yaml:"name" doc:"What the sink is called where deliveries are counted and shown. Without it: as the notifier, or slack, or stdout. It must not change as long as deliveries wait."`
	Slack    SlackSink `yaml:"slack" doc:"A channel of Slack: one message for each incident, edited as it develops, with details in its thread."`
	Stdout   bool      `yaml:"stdout" doc:"A line of JSON for each delivery on ferry's own output."`
	Notifier string    `yaml:"notifier" doc:"A plugin, by its name in plugins.notifiers: webhook, log, elasticsearch, mattermost, discord and teams come with ferry."`
	To       string    `yaml:"to" doc:"Where the notifier delivers to, if it knows several places: a channel's ID for mattermost, a data stream for elasticsearch. Without it: what the notifier's configuration says."`
	Retries  int64     `yaml:"retries" doc:"How often a delivery that failed is tried again. Without it: for 24 hours. What is given up is kept, shown by undelivered, and can be sent again."`
	Title    string    `yaml:"title" doc:"Template of the first line (text/template over .Event, .Incident, .Firing, .Things). Without it: what is wrong, and where."`
	Text     string    `yaml:"text" doc:"Template of what stands below it. Without it: the event's text."`
}

// SlackSink is a channel of Slack.
type SlackSink struct {
	Channel string `yaml:"channel,required" eg:"C012AB3CD" doc:"The channel's ID. Ferry must have been invited."`
}

// InhibitRule keeps people from hearing what follows from something else.
type InhibitRule struct {
	SourceMatchers []string      `yaml:"source_matchers,required" eg:"[reason=NodeNotReady]" doc:"What is in trouble."`
	TargetMatchers []string      `yaml:"target_matchers,required" eg:"['node!=\"\"']" doc:"What nobody is told of meanwhile."`
	Equal          []string      `yaml:"equal" doc:"The labels that must have the same value in both."`
	KeepFiringFor  time.Duration `yaml:"keep_firing_for" doc:"For how long the first still counts as in trouble when it is over: what follows from it takes a while to be well again. Without it: 2m."`
}

// DefaultKeepFiringFor is for how long what inhibits still counts when it is over. That a
// pod is well is known a minute after it is (resolve_after of the source events): this
// leaves it another minute to start.
const DefaultKeepFiringFor = 2 * time.Minute

// EventFilter decides which events are taken.
type EventFilter struct {
	Keep    string   `yaml:"keep,required" eg:"'event.namespace != \"kube-system\"'" doc:"CEL: an event for which it is false is not taken. It sees event.cluster, kind, namespace, name, reason, severity, title, text, labels, count, resolved, at, and object."`
	Sources []string `yaml:"sources" doc:"Of which sources, as patterns of their names. Without it: of all."`
}

// The kinds of sinks.
const (
	SinkSlack    = "slack"
	SinkStdout   = "stdout"
	SinkNotifier = "notifier"
)

// Kinds are those that the sink names; a valid one names one.
func (s *Sink) Kinds() (out []string) {
	if s.Slack != (SlackSink{}) {
		out = append(out, SinkSlack)
	}
	if s.Stdout {
		out = append(out, SinkStdout)
	}
	if s.Notifier != "" {
		out = append(out, SinkNotifier)
	}
	return out
}

// Called is the sink's name among those of its receiver.
func (s *Sink) Called() string {
	switch kinds := s.Kinds(); {
	case s.Name != "" || len(kinds) == 0:
		return s.Name
	case s.Notifier != "":
		return s.Notifier
	default:
		return kinds[0]
	}
}

func checkAlerts(c *Config, p *problems) {
	a := &c.Alerts
	var receivers []string
	for i := range a.Receivers {
		r := &a.Receivers[i]
		key := join("alerts.receivers", r.Name)
		if !pluginName.MatchString(r.Name) {
			p.at(key, fmt.Sprintf("%q is no name for a receiver", r.Name), "lower-case letters, digits and dashes, at most 31, such as operators")
		}
		receivers = append(receivers, r.Name)
		seen := map[string]int{}
		for j := range r.Sinks {
			at, s := fmt.Sprintf("%s.sinks[%d]", key, j), &r.Sinks[j]
			checkSink(c, p, at, s)
			if first, twice := seen[s.Called()]; twice {
				p.at(at+".name", fmt.Sprintf("%s: %q is the name of sinks[%d], too", at, s.Called(), first), "give each a name of its own: name: …")
			}
			seen[s.Called()] = j
		}
	}
	if !a.IsSet() {
		return
	}
	if a.Route.Receiver == "" {
		p.at("alerts.route.receiver", "alerts.route.receiver is missing", "name one of alerts.receivers: what no other route takes is told there")
	}
	if len(a.Route.Matchers) > 0 || a.Route.Continue {
		p.at("alerts.route", "alerts.route: the root takes every event, and has neither matchers nor continue", "write them into alerts.route.routes")
	}
	checkAlertRoute(p, "alerts.route", &a.Route, receivers)
	sources := sourceNames(c, p)
	for i, f := range a.Filters {
		checkPatterns(p, fmt.Sprintf("alerts.filters[%d].sources", i), f.Sources, sources, "no source is called")
	}
}

func checkAlertRoute(p *problems, key string, r *AlertRoute, receivers []string) {
	if r.Receiver != "" {
		unknown(p, key+".receiver", r.Receiver, receivers, "receiver", "name it in alerts.receivers")
	}
	for i, label := range r.GroupBy {
		if label == "..." && len(r.GroupBy) > 1 {
			p.at(key+".group_by", key+`.group_by: "..." stands alone`, `write ["..."], or the labels without it`)
		}
		if label == "" || strings.ContainsFunc(label, unicode.IsSpace) {
			p.at(fmt.Sprintf("%s.group_by[%d]", key, i), fmt.Sprintf("%s.group_by: %q is no label", key, label), "name one, such as cluster, namespace, app, node or about")
		}
	}
	if r.Storm.Off && (r.Storm.MoreThan != 0 || r.Storm.Within != 0) {
		p.at(key+".storm.off", key+".storm: off and a bound stand beside each other", "keep one of them")
	}
	for i := range r.Routes {
		checkAlertRoute(p, fmt.Sprintf("%s.routes[%d]", key, i), &r.Routes[i], receivers)
	}
}

// unknown complains of a name that is not among those that there are.
func unknown(p *problems, key, name string, known []string, what, help string) {
	if slices.Contains(known, name) {
		return
	}
	if meant := near.Names(name, known, 1); len(meant) > 0 {
		help = fmt.Sprintf("did you mean %q?", meant[0])
	}
	p.at(key, fmt.Sprintf("%s: there is no %s %q", key, what, name), help)
}

func checkSink(c *Config, p *problems, key string, s *Sink) {
	kinds := s.Kinds()
	switch {
	case len(kinds) == 0:
		p.at(key, key+" leads nowhere", "write one of slack, stdout and notifier")
	case len(kinds) > 1:
		p.at(key, fmt.Sprintf("%s: %s stand beside each other", key, strings.Join(kinds, " and ")), "a sink is one of them: make two of it")
	}
	if s.Name != "" && !pluginName.MatchString(s.Name) {
		p.at(key+".name", fmt.Sprintf("%s.name: %q is no name for a sink", key, s.Name), "lower-case letters, digits and dashes, at most 31")
	}
	if ch := s.Slack.Channel; ch != "" && !channelID.MatchString(ch) {
		p.at(key+".slack.channel", fmt.Sprintf("%s.slack.channel: %q is no channel ID", key, ch), "it starts with C or G and stands at the end of the channel's details in Slack")
	}
	if s.To != "" && s.Notifier == "" {
		p.at(key+".to", key+".to: only a notifier is told where to", "name the notifier, too")
	}
	if s.Notifier != "" {
		var names []string
		for _, n := range c.Plugins.Notifiers {
			names = append(names, n.Name)
		}
		unknown(p, key+".notifier", s.Notifier, names, "notifier", "name it in plugins.notifiers")
	}
}
