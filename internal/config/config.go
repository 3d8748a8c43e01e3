// Package config reads what ferry is told: one YAML file and a few variables of
// the environment. It is strict, because a key that is read over is a rule that
// nobody keeps: an unknown key, a value of the wrong kind, a role for a cluster
// that does not exist are errors, and all of them are told at once, each with
// file, line and what would work.
//
// The types in this file are the only place where a key is declared: decoding
// (decode.go), defaults (Defaults), the reference in the documentation (Keys)
// and the tests on the example file are made from their tags. What the types
// alone cannot say is in check.go. Nothing is read twice: a Config is a value
// that does not change, and no room but internal/app sees it.
//
// Paths of files are taken as they are written: a relative one starts in the
// working directory of ferry.
package config

import (
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
)

// The variables of the environment that ferry reads.
const (
	EnvFile     = "SERVICE_CONFIG_FILE_PATH"
	EnvBotToken = "SLACK_BOT_TOKEN" //nolint:gosec // the name of a variable, not its value
	EnvAppToken = "SLACK_APP_TOKEN" //nolint:gosec // as above
	EnvGitHub   = "GITHUB_API_TOKEN"
)

// DefaultFile is read where no other file is named.
const DefaultFile = "config.yaml"

// Config is all that ferry is told. The tags of its fields give the key, what
// it means, and whether it must be there; defaults are in Defaults.
type Config struct {
	// File is the path that was read.
	File string `yaml:"-"`

	Clusters             []Cluster  `yaml:"clusters,required" eg:"{prod: {file: /path/to/kubeconfig}}" doc:"The clusters, by name, in the order in which ferry shows them. A name is lower-case letters, digits and dashes."`
	AllowSharedAPIServer bool       `yaml:"allow_shared_api_server" doc:"Says that two of the clusters are meant to be one API server. Without it ferry refuses to start with such a pair."`
	Namespaces           []string   `yaml:"namespaces,required" eg:"[default]" doc:"The namespaces in which ferry looks for apps, on every cluster; [\"*\"] for all of them."`
	Repo                 Repo       `yaml:"repo,required" eg:"{owner: somebody, name: fleet}" doc:"The Flux repository that ferry commits to."`
	Bot                  Bot        `yaml:"bot" doc:"Who looks after ferry."`
	Roles                []Role     `yaml:"roles" doc:"Who may change what. Without a role only the admins change anything; everybody may look."`
	Freezes              []Freeze   `yaml:"freezes" doc:"Times at which nothing may change, unless somebody whose role lets them pass gives a reason."`
	Approvals            []Approval `yaml:"approvals" doc:"What others have to agree to before it changes."`
	Rollbacks            []Rollback `yaml:"rollbacks" doc:"What becomes of a version that does not get healthy, or does not stay so. The first rule that is about the app counts; without one the way back is offered."`
	Waves                []Wave     `yaml:"waves" doc:"In which order clusters get what is promoted to several of them at once."`
	Slack                Slack      `yaml:"slack" doc:"The workspace that ferry listens in."`
	GitHub               GitHub     `yaml:"github" doc:"Where the repository is."`
	Registries           Registries `yaml:"registries" doc:"Where versions are looked up before a change to them is planned."`
	Plugins              Plugins    `yaml:"plugins" doc:"Processes of their own that ferry hands commands to, gets events from and notifies through."`
	Alerts               Alerts     `yaml:"alerts" doc:"What becomes of the events of sources, in Alertmanager's words."`
	State                State      `yaml:"state" doc:"What ferry remembers."`
	HTTP                 HTTP       `yaml:"http" doc:"Metrics and health."`
	Timeouts             Timeouts   `yaml:"timeouts" doc:"How long things may take. Durations are written with their unit: 90s, 10m, 1h30m."`
	Log                  Log        `yaml:"log" doc:"What ferry writes to standard error."`

	lines map[string]int // of the keys in the file
}

// Cluster is one cluster and how it is reached.
type Cluster struct {
	Name    deploy.Cluster `yaml:",name"`
	File    string         `yaml:"file,required" eg:"/path/to/kubeconfig" doc:"Path of the kubeconfig file."`
	Context string         `yaml:"context" doc:"Context in that file. Without it: the one called like the cluster, else the file's current one."`
	Path    string         `yaml:"path" doc:"Folder of the cluster in the repository. Without it: clusters/<name>, else <name>."`
	// Delivery is empty for what holds where nothing is said.
	Delivery string `yaml:"delivery" doc:"direct: changes are committed to the branch, unless its rules want pull requests. pull_request: each is proposed, and followed once people have merged it. Without it: direct."`
}

// The values of clusters.<name>.delivery.
const (
	DeliveryDirect      = "direct"
	DeliveryPullRequest = "pull_request"
)

// Folders returns where in the repository the cluster's own folder may be, the
// likeliest first; the first one that exists is meant.
func (c Cluster) Folders() []string {
	if c.Path != "" {
		return []string{c.Path}
	}
	return []string{"clusters/" + string(c.Name), string(c.Name)}
}

// Repo is a repository and its branch.
type Repo struct {
	Owner      string            `yaml:"owner,required" eg:"somebody" doc:"User or organisation that owns the repository."`
	Name       string            `yaml:"name,required" eg:"fleet" doc:"Name of the repository."`
	Branch     string            `yaml:"branch" doc:"The branch that Flux follows and ferry commits to."`
	Fields     map[string]string `yaml:"fields" doc:"Which version is meant of apps that have both in Git: chart or image, by the app's name or namespace/name. A command that says so goes before."`
	Automated  string            `yaml:"automated" doc:"refuse: what Flux's image automation would write over is not promoted. warn: it is, and a warning says so."`
	CommitEach bool              `yaml:"commit_each" doc:"Makes a commit of each promotion. Without it, those that wait at the same time become one."`

	CoAuthor bool              `yaml:"co_author" doc:"Names who asked as co-author of the commit, by the address in Slack; that needs the Slack app's scope users:read.email."`
	People   map[string]string `yaml:"people" doc:"What Git calls people, by user ID, where it is not what Slack does: {U012AB3CD: Ada Lovelace <ada@example.com>}."`

	Commit       Commit       `yaml:"commit" doc:"What commits say, above the trailers, which ferry always adds itself. Templates, whose fields are listed above."`
	PullRequests PullRequests `yaml:"pull_requests" doc:"What the pull requests look like that ferry opens, where clusters.<name>.delivery or the rules of the branch want them."`
}

// Commit says what commits say.
type Commit struct {
	Subject Template `yaml:"subject" doc:"The first line. Without it: what becomes which version where, such as promote podinfo to 6.5.4 on prod, cut to 72 characters."`
	Body    Template `yaml:"body" doc:"What stands below it. Without it: a line for each edit."`
}

// The values of repo.automated.
const (
	AutomatedRefuse = "refuse"
	AutomatedWarn   = "warn"
)

// PullRequests say what pull requests look like.
type PullRequests struct {
	BranchPrefix  string   `yaml:"branch_prefix" doc:"What the names of their branches begin with; cluster, app and job follow."`
	Labels        []string `yaml:"labels" doc:"Labels that they get."`
	Reviewers     []string `yaml:"reviewers" doc:"Logins of those who are asked for a review."`
	TeamReviewers []string `yaml:"team_reviewers" doc:"Teams that are asked for a review, as they stand in the team's address: platform."`
	AutoMerge     string   `yaml:"auto_merge" doc:"merge, squash or rebase: GitHub merges them so as soon as the rules of the branch are met, at once where there are none. Without it people do."`
	Draft         bool     `yaml:"draft" doc:"Opens them as drafts."`
	Title         Template `yaml:"title" doc:"Their title, a template like repo.commit.subject. Without it: what that says."`
	Body          Template `yaml:"body" doc:"What their text begins with, a template like repo.commit.body. Without it: what that says. What changes in the clusters, and the trailers, follow by themselves."`
}

// Bot says who looks after ferry.
type Bot struct {
	Admins []Person `yaml:"admins" doc:"People who may do everything, each as a user ID (U…), a user group's ID (S…) or a name. Names are looked up at start, and those that nobody goes by for a day from then; IDs are safer, since people can change their names."`
}

// Role lets people use commands on some apps of some clusters.
type Role struct {
	Name       string   `yaml:"name,required" eg:"developers" doc:"What the role is called in answers."`
	Users      []Person `yaml:"users,required" eg:"[U012AB3CD]" doc:"Who has it, each as a user ID (U…), a user group's ID (S…) or a name."`
	Commands   []string `yaml:"commands,required" eg:"[promote, rollback]" doc:"The commands it allows, as patterns: [promote, rollback], [\"*\"]. Commands that change nothing need no role."`
	Clusters   []string `yaml:"clusters,required" eg:"[dev]" doc:"On which clusters, as patterns: [dev, \"stage-*\"], [\"*\"] for all."`
	Apps       []string `yaml:"apps" doc:"For which apps, as patterns of their names. Without it: all."`
	Namespaces []string `yaml:"namespaces" doc:"For apps in which namespaces, as patterns. Without it: all."`
	Passes     []string `yaml:"passes" doc:"Which of freeze, hold and approval its commands may pass, there, with a reason that is announced and recorded. Without it: none. Admins may pass all."`
}

// Slack is how the workspace is reached and which part of it is listened to.
type Slack struct {
	BotToken     Secret           `yaml:"-"`
	AppToken     Secret           `yaml:"-"`
	BotTokenFile string           `yaml:"bot_token_file" doc:"File that holds the bot token. SLACK_BOT_TOKEN in the environment comes first."`
	AppTokenFile string           `yaml:"app_token_file" doc:"File that holds the app-level token. SLACK_APP_TOKEN in the environment comes first."`
	BaseURL      string           `yaml:"base_url" doc:"Address of Slack's Web API."`
	Teams        []chat.TeamID    `yaml:"teams" doc:"Workspace IDs (T…) whose people are answered. Without it: the workspace of the bot token."`
	Channels     []chat.ChannelID `yaml:"channels" doc:"Channel IDs (C…, G…) in which ferry answers. Without it: wherever it was invited. Direct messages are always answered."`
	Command      string           `yaml:"command" doc:"The slash command, as it is called in the app's manifest."`
}

// GitHub is how the repository is reached.
type GitHub struct {
	Token     Secret `yaml:"-"`
	TokenFile string `yaml:"token_file" doc:"File that holds the token. GITHUB_API_TOKEN in the environment comes first."`
	App       App    `yaml:"app" doc:"The GitHub App that ferry acts as, instead of a token's account."`
	BaseURL   string `yaml:"base_url" doc:"Address of GitHub's REST API; https://HOST/api/v3/ for GitHub Enterprise Server."`
}

// Registries say whether versions are looked up, and where.
type Registries struct {
	Lookup       string            `yaml:"lookup" doc:"off: versions are not looked up. warn: one that is not in its registry is refused, and a registry that does not answer is told of. require: that is refused, too."`
	Mirrors      map[string]string `yaml:"mirrors" doc:"Addresses that are asked instead of a registry's host (ghcr.io) or of a chart repository (https://…). One that begins with http:// is asked without encryption."`
	DockerConfig string            `yaml:"docker_config" doc:"File with the credentials for registries, as docker login writes it (config.json). Without it ferry asks as nobody."`
}

// The values of registries.lookup.
const (
	LookupOff     = "off"
	LookupWarn    = "warn"
	LookupRequire = "require"
)

// App is an installation of a GitHub App. The key stays in its file: it is read
// for each token that is asked for, so that it can be replaced.
type App struct {
	ID           AppID  `yaml:"id,required" eg:"12345" doc:"The App's ID or its client ID."`
	Installation int64  `yaml:"installation_id,required" eg:"67890" doc:"ID of its installation in the organisation or account that owns the repository."`
	KeyFile      string `yaml:"key_file,required" eg:"/run/secrets/github-app.pem" doc:"File that holds the App's private key, as GitHub gives it out (PEM)."`
}

// AppID is an App's ID, a number, or its client ID, a text; GitHub takes either.
type AppID string

// IsSet reports whether ferry acts as an App.
func (a App) IsSet() bool { return a != (App{}) }

// State is where ferry remembers.
type State struct {
	File string `yaml:"file" doc:"File of the embedded store: jobs, messages to be sent, history. It is made if it does not exist; its folder must."`
	Keep Keep   `yaml:"keep" doc:"How much of it is kept, and for how long. What is beyond is forgotten within the hour."`
}

// HTTP is where ferry can be asked how it is.
type HTTP struct {
	Address string `yaml:"address" doc:"Address (host:port) for /metrics, /healthz and /readyz. Without it nothing listens."`
}

// Timeouts say how long things may take.
type Timeouts struct {
	Rollout   time.Duration `yaml:"rollout" doc:"From the commit until the app is healthy; then the change counts as failed."`
	Grace     time.Duration `yaml:"grace" doc:"How long a reported failure must last before it is believed: a registry may stumble, a controller tries again."`
	Merge     time.Duration `yaml:"merge" doc:"From opening a pull request until it is merged; then ferry no longer waits for it. It stays open."`
	Approve   time.Duration `yaml:"approve" doc:"For people to approve a change that needs it; then it is given up."`
	Plan      time.Duration `yaml:"plan" doc:"For one attempt to find, edit, render and commit a change."`
	Reconcile time.Duration `yaml:"reconcile" doc:"For asking Flux on a cluster to look at the repository now."`
	Drain     time.Duration `yaml:"drain" doc:"How long running jobs may go on when ferry is stopped. What is not done then is taken up at the next start."`
}

// Log is what ferry writes to standard error.
type Log struct {
	Level  string `yaml:"level" doc:"debug, info, warn or error."`
	Format string `yaml:"format" doc:"text or json."`
}

// Defaults returns what holds where the file says nothing.
func Defaults() Config {
	return Config{
		Repo:       Repo{Branch: "main", Automated: AutomatedRefuse, CoAuthor: true, PullRequests: PullRequests{BranchPrefix: "ferry/"}},
		Slack:      Slack{BaseURL: "https://slack.com/api/", Command: "/ferry"},
		GitHub:     GitHub{BaseURL: "https://api.github.com/"},
		Registries: Registries{Lookup: LookupWarn},
		Plugins:    Plugins{Dir: "plugins"},
		Alerts:     Alerts{ResolveTimeout: 24 * time.Hour, Blame: 30 * time.Minute},
		State:      State{File: "ferry.db", Keep: defaultKeep()},
		Timeouts: Timeouts{
			Rollout: 10 * time.Minute, Grace: 15 * time.Second, Merge: 24 * time.Hour, Approve: 24 * time.Hour, Plan: 2 * time.Minute,
			Reconcile: 30 * time.Second, Drain: 5 * time.Second,
		},
		Log: Log{Level: "info", Format: "text"},
	}
}

// AllNamespaces reports whether apps are looked for in every namespace.
func (c *Config) AllNamespaces() bool { return len(c.Namespaces) == 1 && c.Namespaces[0] == "*" }
