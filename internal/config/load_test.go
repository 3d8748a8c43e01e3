package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
)

var changing = []chat.Verb{"promote", "rollback", "kubectl"}

// tokens is an environment with all of them.
func tokens(name string) string {
	return map[string]string{EnvBotToken: "bot-secret", EnvAppToken: "app-secret", EnvGitHub: "hub-secret"}[name]
}

// write makes a folder with the file and a kubeconfig beside it, which the text
// calls KUBECONFIG, and returns the file's path.
func write(t testing.TB, text string) string {
	t.Helper()
	dir := t.TempDir()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	path := filepath.Join(dir, "config.yaml")
	for file, content := range map[string]string{kubeconfig: "apiVersion: v1\n", path: strings.ReplaceAll(text, "KUBECONFIG", kubeconfig)} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// small is a configuration with nothing wrong; tests add lines to it, which
// start on line 4.
const small = `clusters: {prod: {file: KUBECONFIG}, stage: {file: KUBECONFIG}}
namespaces: [podinfo]
repo: {owner: o, name: flux-image-updates}
`

func TestOlderForm(t *testing.T) {
	path := write(t, `clusters:            # name = folder in the Flux repository
  prod:  {file: KUBECONFIG}
  stage: {file: KUBECONFIG}
bot: {admins: [some.name]}
namespaces: [podinfo]
repo: {owner: o, name: flux-image-updates, branch: main}
`)
	c, err := Load("", func(name string) string {
		if name == EnvFile {
			return path
		}
		return tokens(name)
	}, changing...)
	if err != nil {
		t.Fatal(err)
	}
	if c.File != path {
		t.Errorf("File = %s, want what %s names", c.File, EnvFile)
	}
	if len(c.Clusters) != 2 || c.Clusters[0].Name != "prod" || c.Clusters[1].Name != "stage" {
		t.Errorf("clusters out of order: %+v", c.Clusters)
	}
	if got := c.Clusters[0].Folders(); !slices.Equal(got, []string{"clusters/prod", "prod"}) {
		t.Errorf("Folders = %q", got)
	}
	if c.Clusters[0].Context != "" || c.AllowSharedAPIServer {
		t.Errorf("something was made up: %+v", c)
	}
	if len(c.Bot.Admins) != 1 || c.Bot.Admins[0].Name() != "some.name" {
		t.Errorf("admins = %q", c.Bot.Admins)
	}
	if !slices.Equal(c.Namespaces, []string{"podinfo"}) || c.AllNamespaces() {
		t.Errorf("namespaces = %q", c.Namespaces)
	}
	want := Repo{Owner: "o", Name: "flux-image-updates", Branch: "main", Automated: AutomatedRefuse, CoAuthor: true, PullRequests: PullRequests{BranchPrefix: "ferry/"}}
	if !reflect.DeepEqual(c.Repo, want) {
		t.Errorf("repo = %+v", c.Repo)
	}
	if c.Slack.BotToken.Reveal() != "bot-secret" || c.Slack.AppToken.Reveal() != "app-secret" || c.GitHub.Token.Reveal() != "hub-secret" {
		t.Error("tokens of the environment are not there")
	}
	if c.Timeouts != Defaults().Timeouts || c.Log != Defaults().Log || c.State != Defaults().State {
		t.Error("defaults do not hold")
	}
}

func TestEverythingSaid(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secret, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(write(t, `
clusters:
  zeta: {file: KUBECONFIG, context: z, path: ./fleet/zeta/}
  alpha: &same {file: KUBECONFIG, context: a}
  mid: *same
allow_shared_api_server: true
namespaces: ["*"]
repo: {owner: o, name: n, branch: release/1.0}
roles:
- {name: dev, users: [U012AB3CD, "@some.one"], commands: [pro*], clusters: ["*a"], apps: ["web-*"]}
slack: {base_url: "http://127.0.0.1:4000/api", bot_token_file: `+secret+`, teams: [T01], channels: [C01, G02], command: /carry}
github: {base_url: "http://127.0.0.1:4000/api/v3/", token_file: `+secret+`}
state: {file: /tmp/x.db}
http: {address: ":8080"}
timeouts: {rollout: 1h30m, drain: 1s}
log: {level: debug, format: json}
`), tokens, changing...)
	if err != nil {
		t.Fatal(err)
	}
	var names []deploy.Cluster
	for _, cl := range c.Clusters {
		names = append(names, cl.Name)
	}
	if !slices.Equal(names, []deploy.Cluster{"zeta", "alpha", "mid"}) {
		t.Errorf("clusters = %q", names)
	}
	if got := c.Clusters[0].Folders(); !slices.Equal(got, []string{"fleet/zeta"}) {
		t.Errorf("Folders = %q", got)
	}
	if !c.AllNamespaces() {
		t.Error("AllNamespaces is false")
	}
	if c.Slack.BaseURL != "http://127.0.0.1:4000/api/" || c.GitHub.BaseURL != "http://127.0.0.1:4000/api/v3/" {
		t.Errorf("addresses: %s %s", c.Slack.BaseURL, c.GitHub.BaseURL)
	}
	if c.Timeouts.Rollout != 90*time.Minute || c.Timeouts.Drain != time.Second || c.Timeouts.Grace != 15*time.Second {
		t.Errorf("timeouts = %+v", c.Timeouts)
	}
	if c.GitHub.Token.Reveal() != "hub-secret" {
		t.Error("the file came before the environment")
	}
	if id, ok := c.Roles[0].Users[0].ID(); !ok || id != "U012AB3CD" {
		t.Errorf("ID = %q, %v", id, ok)
	}
	if c.Roles[0].Users[1].Name() != "some.one" {
		t.Errorf("Name = %q", c.Roles[0].Users[1].Name())
	}
	if got, want := c.At("clusters.mid.context"), c.File+":4"; got != want {
		t.Errorf("At = %s, want %s", got, want)
	}
	if got, want := c.At("log.nothing"), c.File+":16"; got != want {
		t.Errorf("At = %s, want %s", got, want)
	}
}

func TestTokenFromFile(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secret, []byte(" from-file\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(write(t, small+"github: {token_file: "+secret+"}\n"), func(name string) string {
		if name == EnvGitHub {
			return ""
		}
		return tokens(name)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.GitHub.Token.Reveal(); got != "from-file" {
		t.Errorf("token = %q", got)
	}
}

// TestProblems asserts every message, each with its line.
func TestProblems(t *testing.T) {
	role := func(fields string) string {
		return small + "roles:\n- {name: dev, users: [U012AB3CD], commands: [promote], clusters: [prod]" + fields + "}\n"
	}
	for _, c := range []struct {
		name, text string
		want       []string // without the folder
	}{
		{"unknown key", small + "clustres: {}\n", []string{`4: unknown key "clustres"; did you mean "clusters"?`}},
		{"unknown key and nothing near", small + "zzz: 1\n", []string{`4: unknown key "zzz"; the keys here are clusters, allow_shared_api_server, namespaces, repo, bot, roles, freezes, approvals, rollbacks, waves, slack, github, registries, plugins, alerts, state, http, timeouts, log`}},
		{"unknown key inside", small + "slack:\n  bot_token: x\n", []string{`5: unknown key "bot_token" in slack; did you mean "bot_token_file"?`}},
		{"unknown key of a cluster", "clusters:\n  prod:\n    file: KUBECONFIG\n    contxt: x\nnamespaces: [a]\nrepo: {owner: o, name: n}\n", []string{`4: unknown key "contxt" in clusters.prod; did you mean "context"?`}},
		{"twice", small + "namespaces: [b]\n", []string{`4: namespaces stands here a second time; keep this one or the one on line 2`}},
		{"cluster twice", "clusters:\n  prod: {file: KUBECONFIG}\n  prod: {file: KUBECONFIG}\nnamespaces: [a]\nrepo: {owner: o, name: n}\n", []string{`3: clusters.prod stands here a second time; keep this one or the one on line 2`}},
		{"not YAML", "clusters: [\n", []string{`1: this is not YAML: did not find expected node content; look at indentation, quotes and tabs on this line and the one before`}},
		{"tab", "clusters:\n\tprod: {}\n", []string{`2: this is not YAML: found character that cannot start any token; look at indentation, quotes and tabs on this line and the one before`}},
		{"empty file", "", []string{`1: the file is empty; config.example.yaml shows every key`}},
		{"second document", small + "---\na: 1\n", []string{`4: a second document; a configuration is one document: take the ` + "`---`" + ` out`}},
		{"no mapping", "just words\n", []string{`1: the file: "just words" is a text; keys and values are wanted: clusters, allow_shared_api_server, namespaces, repo, bot, roles, freezes, approvals, rollbacks, waves, slack, github, registries, plugins, alerts, state, http, timeouts, log`}},
		{"merge key", "clusters:\n  a: &a {file: KUBECONFIG}\n  b:\n    <<: *a\nnamespaces: [a]\nrepo: {owner: o, name: n}\n", []string{`3: clusters.b.file is missing; write file: /path/to/kubeconfig`, `4: merge keys and keys that are not plain text are not read here; write the keys out`}},

		{"nothing", "log: {}\n", []string{
			`1: clusters is missing; write clusters: {prod: {file: /path/to/kubeconfig}}`,
			`1: namespaces is missing; write namespaces: [default]`,
			`1: repo is missing; write repo: {owner: somebody, name: fleet}`,
		}},
		{"empty lists", "clusters: {}\nnamespaces: []\nrepo: {owner: '', name: }\n", []string{
			`1: clusters is empty; write clusters: {prod: {file: /path/to/kubeconfig}}`,
			`2: namespaces is empty; write namespaces: [default]`,
			`3: repo.owner is empty; write owner: somebody`,
			`3: repo.name is missing; write name: fleet`,
		}},
		{"cluster without anything", "clusters:\n  prod:\nnamespaces: [a]\nrepo: {owner: o, name: n}\n", []string{`2: clusters.prod.file is missing; write file: /path/to/kubeconfig`}},
		{"role without anything", small + "roles:\n- name: x\n", []string{
			`5: roles[0].users is missing; write users: [U012AB3CD]`,
			`5: roles[0].commands is missing; write commands: [promote, rollback]`,
			`5: roles[0].clusters is missing; write clusters: [dev]`,
		}},
		{"list wanted", "clusters: {prod: {file: KUBECONFIG}}\nnamespaces: podinfo\nrepo: {owner: o, name: n}\n", []string{`2: namespaces: "podinfo" is a text; a list is wanted: [podinfo]`}},
		{"list of objects wanted", small + "roles: {name: x}\n", []string{`4: roles: these are keys and values; a list is wanted: [a, b]`}},
		{"names wanted", "clusters: [prod]\nnamespaces: [a]\nrepo: {owner: o, name: n}\n", []string{`1: clusters: this is a list; names and what belongs to them are wanted: prod: {…}`}},
		{"object wanted", small + "log: debug\n", []string{`4: log: "debug" is a text; keys and values are wanted: level, format`}},
		{"value wanted", small + "log: {level: [debug]}\n", []string{`4: log.level: this is a list; one value is wanted`}},
		{"text wanted", small + "state: {file: 12}\n", []string{`4: state.file: "12" is a number; a text is wanted: put it in quotes, "12"`}},
		{"text wanted in list", "clusters: {prod: {file: KUBECONFIG}}\nnamespaces: [1.5, true]\nrepo: {owner: o, name: n}\n", []string{
			`2: namespaces[0]: "1.5" is a number; a text is wanted: put it in quotes, "1.5"`,
			`2: namespaces[1]: "true" is true or false; a text is wanted: put it in quotes, "true"`,
		}},
		{"nothing in list", "clusters: {prod: {file: KUBECONFIG}}\nnamespaces: [a, ]\nrepo: {owner: o, name: n}\nbot:\n  admins:\n  - x\n  -\n", []string{`7: bot.admins[1] is empty; write a value, or take it out`}},
		{"bool wanted", small + "allow_shared_api_server: maybe\n", []string{`4: allow_shared_api_server: "maybe" is a text; write true or false`}},
		{"duration", small + "timeouts: {rollout: 10}\n", []string{`4: timeouts.rollout: "10" is not a duration; write a number and its unit: 90s, 10m, 1h30m`}},
		{"no duration", small + "timeouts:\n  drain: 0s\n", []string{`5: timeouts.drain: 0s is no time at all; it must be more than 0s`}},

		{"cluster name", "clusters: {Prod_EU: {file: KUBECONFIG}}\nnamespaces: [a]\nrepo: {owner: o, name: n}\n", []string{`1: "Prod_EU" is no name for a cluster; lower-case letters, digits and dashes, at most 63, such as prod-eu; people type it`}},
		{"path leads out", "clusters: {a: {file: KUBECONFIG, path: ../x}}\nnamespaces: [a]\nrepo: {owner: o, name: n}\n", []string{`1: clusters.a.path: "../x" leads out of the repository; write it from the root of the repository, such as clusters/prod`}},
		{"kubeconfig is not there", "clusters:\n  a:\n    file: /not/there\nnamespaces: [a]\nrepo: {owner: o, name: n}\n", []string{`3: clusters.a.file: /not/there cannot be read: no such file or directory; name a kubeconfig file that ferry may read`}},
		{"kubeconfig is a folder", "clusters: {a: {file: /}}\nnamespaces: [a]\nrepo: {owner: o, name: n}\n", []string{`1: clusters.a.file: / is a folder; name a kubeconfig file that ferry may read`}},
		{"home", "clusters: {a: {file: ~/x}}\nnamespaces: [a]\nrepo: {owner: o, name: n}\n", []string{`1: clusters.a.file: ~/x: ~ has no meaning here; write the whole path`}},
		{"same context", "clusters:\n  a: {file: KUBECONFIG, context: x}\n  b: {file: KUBECONFIG, context: x}\nnamespaces: [a]\nrepo: {owner: o, name: n}\n", []string{`3: clusters.b is the same context of the same file as clusters.a; name another context, or set allow_shared_api_server: true if that is meant`}},
		{"namespace name", "clusters: {a: {file: KUBECONFIG}}\nnamespaces: [A b]\nrepo: {owner: o, name: n}\n", []string{`2: namespaces[0]: "A b" is no name of a namespace; lower-case letters, digits and dashes; ["*"] alone means all`}},
		{"all and one", "clusters: {a: {file: KUBECONFIG}}\nnamespaces: [a, '*']\nrepo: {owner: o, name: n}\n", []string{`2: namespaces: "*" means all of them and stands alone; write ["*"], or the names without it`}},

		{"owner with name", "clusters: {a: {file: KUBECONFIG}}\nnamespaces: [a]\nrepo: {owner: o/n, name: n}\n", []string{`3: repo.owner: "o/n" is more than an owner; write owner and name apart: {owner: somebody, name: fleet}`}},
		{"owner", "clusters: {a: {file: KUBECONFIG}}\nnamespaces: [a]\nrepo: {owner: o o, name: n}\n", []string{`3: repo.owner: "o o" is no GitHub user or organisation; letters, digits and dashes`}},
		{"name with owner", "clusters: {a: {file: KUBECONFIG}}\nnamespaces: [a]\nrepo: {owner: o, name: o/n}\n", []string{`3: repo.name: "o/n" is more than a name; write owner and name apart: {owner: somebody, name: fleet}`}},
		{"name with .git", "clusters: {a: {file: KUBECONFIG}}\nnamespaces: [a]\nrepo: {owner: o, name: n.git}\n", []string{`3: repo.name: "n.git" is no name of a repository; letters, digits, dots and dashes, without .git`}},
		{"ref", "clusters: {a: {file: KUBECONFIG}}\nnamespaces: [a]\nrepo: {owner: o, name: n, branch: refs/heads/x}\n", []string{`3: repo.branch: "refs/heads/x" is a ref; write the branch alone: x`}},
		{"branch", "clusters: {a: {file: KUBECONFIG}}\nnamespaces: [a]\nrepo: {owner: o, name: n, branch: a b}\n", []string{`3: repo.branch: "a b" is no branch; write its name, such as main`}},

		{"admin", small + "bot: {admins: [Some Name]}\n", []string{`4: bot.admins[0]: "Some Name" is neither a user ID nor a name; write the ID from the person's profile (U012AB3CD) or the name as in @some.name`}},
		{"admin in capitals", small + "bot: {admins: [SomeName]}\n", []string{`4: bot.admins[0]: "SomeName" is neither a user ID nor a name; an ID is capitals and digits throughout and starts with U or W; a name has no capitals`}},
		{"role of unknown cluster", role(", apps: [x]}\n- {name: ops, users: [a], commands: ['*'], clusters: [prdo]"), []string{`6: roles[1].clusters[0]: no cluster is called "prdo"; did you mean "prod"?`}},
		{"role of unknown cluster and nothing near", role("}\n- {name: ops, users: [a], commands: ['*'], clusters: ['x*']"), []string{`6: roles[1].clusters[0]: no cluster is called "x*"; there are prod, stage`}},
		{"role of unknown command", role("}\n- {name: ops, users: [a], commands: [promot], clusters: [prod]"), []string{`6: roles[1].commands[0]: no command that needs a role is called "promot"; did you mean "promote"?`}},
		{"bad pattern", role(", apps: ['[a']"), []string{`5: roles[0].apps[0]: "[a" is no pattern; write a name, or one with *, ? or [a-z] in it`}},
		{"role twice", role("}\n- {name: dev, users: [a], commands: [promote], clusters: [prod]"), []string{`6: roles[1].name: "dev" is the name of roles[0] too; give each role a name of its own`}},

		{"team", small + "slack: {teams: [acme]}\n", []string{`4: slack.teams[0]: "acme" is no workspace ID; it starts with T and is part of the workspace's address in the browser`}},
		{"channel", small + "slack: {channels: ['#deploys']}\n", []string{`4: slack.channels[0]: "#deploys" is no channel ID; it starts with C or G and stands at the end of the channel's details in Slack`}},
		{"slash command", small + "slack: {command: ferry}\n", []string{`4: slack.command: "ferry" is no slash command; a slash and lower-case letters, such as /ferry`}},
		{"address", small + "slack: {base_url: slack.com}\n", []string{`4: slack.base_url: "slack.com" is no address; write it whole, such as https://example.com/api/`}},
		{"address with user", small + "github: {base_url: 'https://me@example.com/'}\n", []string{`4: github.base_url: the address has a user, a query or a fragment; write scheme, host and path alone; tokens have keys of their own`}},
		{"state", small + "state: {file: ''}\n", []string{`4: state.file is empty; ferry cannot keep a promise that it does not remember: name a file, such as ferry.db`}},
		{"listen", small + "http: {address: '8080'}\n", []string{`4: http.address: "8080" is no address to listen on; write host:port, such as 127.0.0.1:8080, or :8080 for every interface`}},
		{"level", small + "log: {level: loud}\n", []string{`4: log.level: "loud" is unknown; write debug, info, warn or error`}},
		{"format", small + "log: {format: xml}\n", []string{`4: log.format: "xml" is unknown; write text or json`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, c.text)
			_, err := Load(path, tokens, changing...)
			got := strings.Split(strings.ReplaceAll(message(err), path+":", ""), "\n")
			if !slices.Equal(got, c.want) {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func message(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

func TestTokenProblems(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(empty, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, text string
		env        map[string]string
		want       string
	}{
		{"missing", small, map[string]string{EnvGitHub: ""}, `1: GitHub's token is missing; set GITHUB_API_TOKEN, or name a file that holds it: github.token_file`},
		{"missing though slack is there", small + "slack: {}\n", map[string]string{EnvBotToken: " "}, `4: Slack's bot token is missing; set SLACK_BOT_TOKEN, or name a file that holds it: slack.bot_token_file`},
		{"file is not there", small + "slack:\n  app_token_file: /not/there\n", map[string]string{EnvAppToken: ""}, `5: slack.app_token_file: /not/there cannot be read: no such file or directory; name a file that ferry may read, or set SLACK_APP_TOKEN`},
		{"file is empty", small + "github: {token_file: " + empty + "}\n", map[string]string{EnvGitHub: ""}, `4: github.token_file: ` + empty + ` is empty; put the token into it, or set GITHUB_API_TOKEN`},
		{"two lines", small, map[string]string{EnvGitHub: "a\nb"}, `1: GitHub's token from GITHUB_API_TOKEN has blanks or several lines in it; give the token alone`},
		{"swapped", small, map[string]string{EnvBotToken: "xapp-" + "1"}, `1: Slack's bot token from SLACK_BOT_TOKEN is an app-level token; it starts with xoxb-`},
		{"swapped too", small, map[string]string{EnvAppToken: "xoxb-" + "1"}, `1: Slack's app-level token from SLACK_APP_TOKEN is a bot token; it starts with xapp-`},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, c.text)
			_, err := Load(path, func(name string) string {
				if v, ok := c.env[name]; ok {
					return v
				}
				return tokens(name)
			})
			if got := strings.ReplaceAll(message(err), path+":", ""); got != c.want {
				t.Errorf("got:  %s\nwant: %s", got, c.want)
			}
		})
	}
}

func TestNoFile(t *testing.T) {
	_, err := Load("/not/there.yaml", tokens)
	want := `/not/there.yaml: /not/there.yaml cannot be read: no such file or directory; write one (config.example.yaml shows every key), or name it with -config or SERVICE_CONFIG_FILE_PATH`
	if message(err) != want {
		t.Errorf("got %s", message(err))
	}
	if _, ok := errors.AsType[Problems](err); !ok {
		t.Errorf("%T is no Problems", err)
	}
	t.Chdir(t.TempDir())
	if _, err := Load("", func(string) string { return "" }); !strings.HasPrefix(message(err), "config.yaml: ") {
		t.Errorf("got %s, want something about config.yaml", message(err))
	}
}

// TestAllAtOnce checks that problems of every stage come together, by line.
func TestAllAtOnce(t *testing.T) {
	path := write(t, "namespaces: x\nclusters: {a: {file: /not/there}}\nrepo: {owner: o}\nlog: {level: loud}\n")
	_, err := Load(path, func(string) string { return "" })
	problems, ok := errors.AsType[Problems](err)
	if !ok {
		t.Fatal(err)
	}
	var keys []string
	for _, p := range problems {
		keys = append(keys, p.Key)
	}
	want := []string{"namespaces", "slack.bot_token_file", "slack.app_token_file", "github.token_file", "clusters.a.file", "repo.name", "log.level"}
	if !slices.Equal(keys, want) {
		t.Errorf("keys = %q, want %q\n%v", keys, want, err)
	}
}

func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		small, "", "a: &a [*a]\n", "clusters: &c {a: *c}\n", "clusters: {a: {<<: {file: x}}}", "? [a]\n: b\n", "roles: [[], {}, ~]\n",
		"timeouts: {rollout: 1e400h}\n", "\ufeffclusters: {}\n", "clusters:\n  ? &x prod\n  : {file: *x}\n", "--- !!binary x\n", "clusters: !!map []\n",
		"a: !!int x\nlog: {level: !!str 1, format: !x y}\n", "%YAML 9.9\n---\n", "clusters: {\"\": {}, \".\": {}, \"a[0]\": {}}\n", "# nothing but this\n",
	} {
		f.Add([]byte(seed))
	}
	if example, err := os.ReadFile("../../config.example.yaml"); err == nil {
		f.Add(example)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path, tokens, changing...)
		if (c == nil) == (err == nil) {
			t.Fatalf("c = %v, err = %v", c, err)
		}
		if err == nil {
			if len(c.Clusters) == 0 || len(c.Namespaces) == 0 || c.Repo.Owner == "" {
				t.Fatalf("loaded without what it needs: %+v", c)
			}
			return
		}
		problems, ok := errors.AsType[Problems](err)
		if !ok || len(problems) == 0 {
			t.Fatalf("%T: %v", err, err)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Says == "" || p.Help == "" || strings.Contains(p.String(), "hub-secret") {
				t.Fatalf("bad problem: %+v", p)
			}
		}
	})
}
