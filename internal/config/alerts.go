package config

import (
	"fmt"
	"os"
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
	Sinks []Sink `yaml:"sinks,required" eg:"[{slack: {channel: C012AB3CD}}]" doc:"Where it is delivered; all get the same. Each is one of slack, webhook, log, elasticsearch, mattermost, discord, teams and notifier."`
}

// Sink is one place of a receiver.
type Sink struct {
	Name          string            `yaml:"name" doc:"What the sink is called where deliveries are counted and shown. Without it: as its kind. It must not change as long as deliveries wait."`
	Slack         SlackSink         `yaml:"slack" doc:"A channel of Slack: one message for each incident, edited as it develops, with details in its thread."`
	Webhook       WebhookSink       `yaml:"webhook" doc:"An address that gets JSON by POST, signed if there is a secret."`
	Log           string            `yaml:"log" doc:"File that gets a line of JSON for each delivery; stdout for ferry's own output."`
	Elasticsearch ElasticsearchSink `yaml:"elasticsearch" doc:"A data stream of Elasticsearch: a document for each delivery, once."`
	Mattermost    MattermostSink    `yaml:"mattermost" doc:"A channel of Mattermost, as a bot account."`
	Discord       DiscordSink       `yaml:"discord" doc:"A channel's webhook of Discord."`
	Teams         TeamsSink         `yaml:"teams" doc:"A workflow of Microsoft Teams."`
	Notifier      string            `yaml:"notifier" doc:"A plugin, by its name in plugins.notifiers."`
	Retries       int64             `yaml:"retries" doc:"How often a delivery that failed is tried again. Without it: for 24 hours. What is given up is kept, shown by undelivered, and can be sent again."`
	Title         string            `yaml:"title" doc:"Template of the first line (text/template over .Event, .Incident, .Firing, .Things). Without it: what is wrong, and where."`
	Text          string            `yaml:"text" doc:"Template of what stands below it. Without it: the event's text."`
}

// SlackSink is a channel of Slack.
type SlackSink struct {
	Channel string `yaml:"channel,required" eg:"C012AB3CD" doc:"The channel's ID. Ferry must have been invited."`
}

// WebhookSink is an address.
type WebhookSink struct {
	URL         string            `yaml:"url" doc:"The address."`
	URLFile     string            `yaml:"url_file" doc:"File that holds the address, where it is a secret."`
	SecretFile  string            `yaml:"secret_file" doc:"File that holds the secret with which requests are signed (HMAC-SHA256, in Ferry-Signature). Without it they are not."`
	Template    string            `yaml:"template" doc:"Template of the body (text/template over the delivery, with the function json). Without it: the delivery as JSON."`
	ContentType string            `yaml:"content_type" doc:"What the body is. Without it: application/json."`
	Headers     map[string]string `yaml:"headers" doc:"Further headers."`
	Batch       int64             `yaml:"batch" doc:"How many deliveries go into one request, as a JSON array. Without it: one, which stands in no array."`

	Address, Secret Secret `yaml:"-"`
}

// ElasticsearchSink is a data stream.
type ElasticsearchSink struct {
	URL          string `yaml:"url,required" eg:"https://elastic.example.com:9200" doc:"Address of the cluster."`
	Stream       string `yaml:"stream,required" eg:"logs-ferry-default" doc:"Name of the data stream."`
	APIKeyFile   string `yaml:"api_key_file" doc:"File that holds the encoded API key; or user and password_file."`
	User         string `yaml:"user" doc:"User."`
	PasswordFile string `yaml:"password_file" doc:"File that holds the user's password."`

	APIKey, Password Secret `yaml:"-"`
}

// MattermostSink is a channel of Mattermost.
type MattermostSink struct {
	URL       string `yaml:"url,required" eg:"https://chat.example.com" doc:"Address of the server."`
	TokenFile string `yaml:"token_file,required" eg:"/run/secrets/mattermost" doc:"File that holds the bot account's token."`
	Channel   string `yaml:"channel,required" eg:"4xp9fdt77pncbef59f4k1qe83o" doc:"The channel's ID."`

	Token Secret `yaml:"-"`
}

// DiscordSink is a channel's webhook.
type DiscordSink struct {
	URLFile  string `yaml:"url_file,required" eg:"/run/secrets/discord" doc:"File that holds the webhook's address."`
	Username string `yaml:"username" doc:"What the messages' author is called. Without it: the webhook's own name."`

	Address Secret `yaml:"-"`
}

// TeamsSink is a workflow.
type TeamsSink struct {
	URLFile string `yaml:"url_file,required" eg:"/run/secrets/teams" doc:"File that holds the workflow's address."`
	Updates bool   `yaml:"updates" doc:"Tells what changes in between, too, each time as a message."`

	Address Secret `yaml:"-"`
}

// InhibitRule keeps people from hearing what follows from something else.
type InhibitRule struct {
	SourceMatchers []string `yaml:"source_matchers,required" eg:"[reason=NodeNotReady]" doc:"What is in trouble."`
	TargetMatchers []string `yaml:"target_matchers,required" eg:"['node!=\"\"']" doc:"What nobody is told of meanwhile."`
	Equal          []string `yaml:"equal" doc:"The labels that must have the same value in both."`
}

// EventFilter decides which events are taken.
type EventFilter struct {
	Keep    string   `yaml:"keep,required" eg:"'event.namespace != \"kube-system\"'" doc:"CEL: an event for which it is false is not taken. It sees event.cluster, kind, namespace, name, reason, severity, title, text, labels, count, resolved, at, and object."`
	Sources []string `yaml:"sources" doc:"Of which sources, as patterns of their names. Without it: of all."`
}

// The kinds of sinks.
const (
	SinkSlack         = "slack"
	SinkWebhook       = "webhook"
	SinkLog           = "log"
	SinkElasticsearch = "elasticsearch"
	SinkMattermost    = "mattermost"
	SinkDiscord       = "discord"
	SinkTeams         = "teams"
	SinkNotifier      = "notifier"
)

// Kinds are those that the sink names; a valid one names one.
func (s *Sink) Kinds() []string {
	w, e, m := s.Webhook, s.Elasticsearch, s.Mattermost
	var out []string
	for _, one := range []struct {
		kind string
		set  bool
	}{
		{SinkSlack, s.Slack != (SlackSink{})},
		{SinkWebhook, w.URL != "" || w.URLFile != "" || w.SecretFile != "" || w.Template != ""},
		{SinkLog, s.Log != ""},
		{SinkElasticsearch, e != (ElasticsearchSink{})},
		{SinkMattermost, m != (MattermostSink{})},
		{SinkDiscord, s.Discord != (DiscordSink{})},
		{SinkTeams, s.Teams != (TeamsSink{})},
		{SinkNotifier, s.Notifier != ""},
	} {
		if one.set {
			out = append(out, one.kind)
		}
	}
	return out
}

// Called is the sink's name among those of its receiver.
func (s *Sink) Called() string {
	if kinds := s.Kinds(); s.Name == "" && len(kinds) > 0 {
		return kinds[0]
	}
	return s.Name
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
	const all = "write one of slack, webhook, log, elasticsearch, mattermost, discord, teams and notifier"
	kinds := s.Kinds()
	switch {
	case len(kinds) == 0:
		p.at(key, key+" leads nowhere", all)
	case len(kinds) > 1:
		p.at(key, fmt.Sprintf("%s: %s stand beside each other", key, strings.Join(kinds, " and ")), "a sink is one of them: make two of it")
	}
	if s.Name != "" && !pluginName.MatchString(s.Name) {
		p.at(key+".name", fmt.Sprintf("%s.name: %q is no name for a sink", key, s.Name), "lower-case letters, digits and dashes, at most 31")
	}
	if ch := s.Slack.Channel; ch != "" && !channelID.MatchString(ch) {
		p.at(key+".slack.channel", fmt.Sprintf("%s.slack.channel: %q is no channel ID", key, ch), "it starts with C or G and stands at the end of the channel's details in Slack")
	}
	if s.Notifier != "" {
		var names []string
		for _, n := range c.Plugins.Notifiers {
			names = append(names, n.Name)
		}
		unknown(p, key+".notifier", s.Notifier, names, "notifier", "name it in plugins.notifiers")
	}
	if w := &s.Webhook; w.URL != "" && w.URLFile != "" {
		p.at(key+".webhook.url_file", key+".webhook: url and url_file stand beside each other", "keep one of them")
	} else if len(kinds) == 1 && kinds[0] == SinkWebhook && w.URL == "" && w.URLFile == "" {
		p.at(key+".webhook.url", key+".webhook.url is missing", "write url: https://example.com/hook, or url_file")
	}
	readSinkSecrets(p, key, s)
}

func readSinkSecrets(p *problems, key string, s *Sink) {
	s.Webhook.Address = NewSecret(s.Webhook.URL)
	for _, one := range []struct {
		key, file string
		to        *Secret
	}{
		{".webhook.url_file", s.Webhook.URLFile, &s.Webhook.Address},
		{".webhook.secret_file", s.Webhook.SecretFile, &s.Webhook.Secret},
		{".elasticsearch.api_key_file", s.Elasticsearch.APIKeyFile, &s.Elasticsearch.APIKey},
		{".elasticsearch.password_file", s.Elasticsearch.PasswordFile, &s.Elasticsearch.Password},
		{".mattermost.token_file", s.Mattermost.TokenFile, &s.Mattermost.Token},
		{".discord.url_file", s.Discord.URLFile, &s.Discord.Address},
		{".teams.url_file", s.Teams.URLFile, &s.Teams.Address},
	} {
		if one.file == "" {
			continue
		}
		at := key + one.key
		text, err := os.ReadFile(one.file)
		value := strings.TrimSpace(string(text))
		switch {
		case err != nil:
			p.at(at, at+": "+unreadable(err), "name a file that ferry may read")
		case value == "":
			p.at(at, fmt.Sprintf("%s: %s is empty", at, one.file), "put the secret into it")
		case strings.ContainsAny(value, " \t\r\n"):
			p.at(at, fmt.Sprintf("%s: %s has blanks or several lines in it", at, one.file), "give the secret alone")
		default:
			*one.to = NewSecret(value)
		}
	}
}
