package config

import (
	"encoding/pem"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/near"
)

var (
	dnsLabel   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	repoOwner  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)
	repoName   = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
	branchName = regexp.MustCompile(`^[^\s~^:?*\[\\]+$`)
	appID      = regexp.MustCompile(`^([1-9][0-9]*|[A-Za-z][A-Za-z0-9.]+)$`)
	teamID     = regexp.MustCompile(`^[TE][A-Z0-9]{2,}$`)
	channelID  = regexp.MustCompile(`^[CG][A-Z0-9]{2,}$`)
	slashName  = regexp.MustCompile(`^/[a-z0-9_-]{1,31}$`)
)

// check finds what the types cannot say, and brings addresses and folders into
// the one form that the rooms expect.
func check(c *Config, p *problems, verbs []chat.Verb) {
	if len(verbs) > 0 {
		verbs = append(slices.Clip(verbs), c.Plugins.Verbs()...)
	}
	checkClusters(c, p)
	checkNames(p, "namespaces", c.Namespaces, func(n string) bool { return n == "*" || dnsLabel.MatchString(n) },
		"no name of a namespace", `lower-case letters, digits and dashes; ["*"] alone means all`)
	if i := slices.Index(c.Namespaces, "*"); i >= 0 && len(c.Namespaces) > 1 {
		p.at(fmt.Sprintf("namespaces[%d]", i), `namespaces: "*" means all of them and stands alone`, `write ["*"], or the names without it`)
	}
	checkRepo(c.Repo, p)
	checkPullRequests(c.Repo.PullRequests, p)
	checkTemplates(c.Repo, p)
	checkAuthors(c.Repo, p)
	checkPeople(p, "bot.admins", c.Bot.Admins)
	checkRoles(c, p, verbs)
	checkGates(c, p, verbs)
	checkRollbacks(c, p)
	checkWaves(c, p)
	checkNames(p, "slack.teams", c.Slack.Teams, matching[chat.TeamID](teamID), "no workspace ID", "it starts with T and is part of the workspace's address in the browser")
	checkNames(p, "slack.channels", c.Slack.Channels, matching[chat.ChannelID](channelID), "no channel ID", "it starts with C or G and stands at the end of the channel's details in Slack")
	if !slashName.MatchString(c.Slack.Command) {
		p.at("slack.command", fmt.Sprintf("slack.command: %q is no slash command", c.Slack.Command), "a slash and lower-case letters, such as /ferry")
	}
	c.Slack.BaseURL = checkURL(p, "slack.base_url", c.Slack.BaseURL)
	c.GitHub.BaseURL = checkURL(p, "github.base_url", c.GitHub.BaseURL)
	checkRegistries(c.Registries, p)
	checkPlugins(c, p)
	checkAlerts(c, p)
	oneOf(p, "repo.automated", c.Repo.Automated, AutomatedRefuse, AutomatedWarn)
	for _, app := range slices.Sorted(maps.Keys(c.Repo.Fields)) {
		oneOf(p, join("repo.fields", app), c.Repo.Fields[app], "chart", "image")
	}
	if c.State.File == "" {
		p.at("state.file", "state.file is empty", "ferry cannot keep a promise that it does not remember: name a file, such as ferry.db")
	}
	checkAddress(p, c.HTTP.Address)
	oneOf(p, "log.level", c.Log.Level, "debug", "info", "warn", "error")
	oneOf(p, "log.format", c.Log.Format, "text", "json")
}

func checkClusters(c *Config, p *problems) {
	type place struct{ file, context string }
	first := map[place]string{}
	for i := range c.Clusters {
		cl := &c.Clusters[i]
		key := join("clusters", string(cl.Name))
		if !dnsLabel.MatchString(string(cl.Name)) {
			p.at(key, fmt.Sprintf("%q is no name for a cluster", cl.Name), "lower-case letters, digits and dashes, at most 63, such as prod-eu; people type it")
		}
		if cl.Path != "" {
			clean := path.Clean(cl.Path)
			if path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../") {
				p.at(key+".path", fmt.Sprintf("%s.path: %q leads out of the repository", key, cl.Path), "write it from the root of the repository, such as clusters/prod")
			}
			cl.Path = clean
		}
		if cl.Delivery != "" {
			oneOf(p, key+".delivery", cl.Delivery, DeliveryDirect, DeliveryPullRequest)
		}
		if cl.File == "" {
			continue
		}
		checkReadable(p, key+".file", cl.File, "name a kubeconfig file that ferry may read")
		at := place{cl.File, cl.Context}
		if other, twice := first[at]; twice && cl.Context != "" && !c.AllowSharedAPIServer {
			p.at(key, fmt.Sprintf("%s is the same context of the same file as clusters.%s", key, other), "name another context, or set allow_shared_api_server: true if that is meant")
		}
		first[at] = string(cl.Name)
	}
}

// checkReadable opens a file; what is in it is for the room to judge that uses it.
func checkReadable(p *problems, key, file, help string) {
	if strings.HasPrefix(file, "~") {
		p.at(key, fmt.Sprintf("%s: %s: ~ has no meaning here", key, file), "write the whole path")
		return
	}
	f, err := os.Open(file)
	if err != nil {
		p.at(key, key+": "+unreadable(err), help)
		return
	}
	defer f.Close()
	switch info, err := f.Stat(); {
	case err != nil:
		p.at(key, key+": "+unreadable(err), help)
	case info.IsDir():
		p.at(key, fmt.Sprintf("%s: %s is a folder", key, file), help)
	}
}

func checkRepo(r Repo, p *problems) {
	switch {
	case r.Owner == "":
	case strings.Contains(r.Owner, "/"):
		p.at("repo.owner", fmt.Sprintf("repo.owner: %q is more than an owner", r.Owner), "write owner and name apart: {owner: somebody, name: fleet}")
	case !repoOwner.MatchString(r.Owner):
		p.at("repo.owner", fmt.Sprintf("repo.owner: %q is no GitHub user or organisation", r.Owner), "letters, digits and dashes")
	}
	switch {
	case r.Name == "":
	case strings.Contains(r.Name, "/"):
		p.at("repo.name", fmt.Sprintf("repo.name: %q is more than a name", r.Name), "write owner and name apart: {owner: somebody, name: fleet}")
	case !repoName.MatchString(r.Name) || strings.HasSuffix(r.Name, ".git"):
		p.at("repo.name", fmt.Sprintf("repo.name: %q is no name of a repository", r.Name), "letters, digits, dots and dashes, without .git")
	}
	switch {
	case strings.HasPrefix(r.Branch, "refs/"):
		p.at("repo.branch", fmt.Sprintf("repo.branch: %q is a ref", r.Branch), "write the branch alone: "+strings.TrimPrefix(r.Branch, "refs/heads/"))
	case !branchName.MatchString(r.Branch):
		p.at("repo.branch", fmt.Sprintf("repo.branch: %q is no branch", r.Branch), "write its name, such as main")
	}
}

// checkApp demands that ferry is either an App or a token's account, and that the
// App's key is one. It is not kept: whoever asks GitHub for a token reads it then.
func checkApp(g GitHub, p *problems, getenv func(string) string) {
	if !g.App.IsSet() {
		return
	}
	const help = "keep one: the App, or the account that the token belongs to"
	if g.TokenFile != "" {
		p.at("github.token_file", "github.token_file stands beside github.app", help)
	}
	if getenv(EnvGitHub) != "" {
		p.at("github.app", "github.app is set, and "+EnvGitHub+" in the environment, too", help)
	}
	if g.App.ID != "" && !appID.MatchString(string(g.App.ID)) {
		p.at("github.app.id", fmt.Sprintf("github.app.id: %q is no ID of an App", g.App.ID), "write the number or the client ID that the App's settings show")
	}
	if g.App.KeyFile == "" {
		return
	}
	const key = "github.app.key_file"
	text, err := os.ReadFile(g.App.KeyFile)
	if err != nil {
		p.at(key, key+": "+unreadable(err), "name a file that ferry may read")
		return
	}
	if block, _ := pem.Decode(text); block == nil || !strings.HasSuffix(block.Type, "PRIVATE KEY") {
		p.at(key, fmt.Sprintf("%s: %s holds no private key", key, g.App.KeyFile), "put the .pem file there that GitHub gave out in the App's settings")
	}
}

func checkPeople(p *problems, key string, people []Person) {
	for i, one := range people {
		at := fmt.Sprintf("%s[%d]", key, i)
		if _, ok := one.ID(); ok {
			continue
		}
		if _, ok := one.Group(); ok {
			continue
		}
		switch name := one.Name(); {
		case name == "" || strings.ContainsAny(name, " \t\r\n<>@"):
			p.at(at, fmt.Sprintf("%s: %q is neither a user ID nor a name", at, one), "write the ID from the person's profile (U012AB3CD) or the name as in @some.name")
		case name != strings.ToLower(name):
			p.at(at, fmt.Sprintf("%s: %q is neither a user ID nor a name", at, one), "an ID is capitals and digits throughout and starts with U or W; a name has no capitals")
		}
	}
}

func checkRoles(c *Config, p *problems, verbs []chat.Verb) {
	clusters, commands := clusterNames(c), texts(verbs)
	first := map[string]int{}
	for i, r := range c.Roles {
		key := fmt.Sprintf("roles[%d]", i)
		if j, twice := first[r.Name]; twice && r.Name != "" {
			p.at(key+".name", fmt.Sprintf("%s.name: %q is the name of roles[%d] too", key, r.Name, j), "give each role a name of its own")
		}
		first[r.Name] = i
		checkPeople(p, key+".users", r.Users)
		checkPatterns(p, key+".commands", r.Commands, commands, "no command that needs a role is called")
		checkPatterns(p, key+".clusters", r.Clusters, clusters, "no cluster is called")
		checkPatterns(p, key+".apps", r.Apps, nil, "")
		checkPatterns(p, key+".namespaces", r.Namespaces, nil, "")
	}
}

// checkPatterns demands patterns that can be read and, where the names are
// known, that each of them stands for one at least.
func checkPatterns(p *problems, key string, patterns, known []string, nothing string) {
	for i, pattern := range patterns {
		at := fmt.Sprintf("%s[%d]", key, i)
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			p.at(at, fmt.Sprintf("%s: %q is no pattern", at, pattern), `write a name, or one with *, ? or [a-z] in it`)
			continue
		}
		if len(known) == 0 || slices.ContainsFunc(known, func(name string) bool { ok, _ := path.Match(pattern, name); return ok }) {
			continue
		}
		help := "there are " + strings.Join(known, ", ")
		if meant := near.Names(pattern, known, 1); len(meant) > 0 {
			help = fmt.Sprintf("did you mean %q?", meant[0])
		}
		p.at(at, fmt.Sprintf("%s: %s %q", at, nothing, pattern), help)
	}
}

func checkNames[T ~string](p *problems, key string, names []T, ok func(T) bool, not, help string) {
	for i, name := range names {
		if at := fmt.Sprintf("%s[%d]", key, i); !ok(name) {
			p.at(at, fmt.Sprintf("%s: %q is %s", at, name, not), help)
		}
	}
}

func matching[T ~string](re *regexp.Regexp) func(T) bool {
	return func(s T) bool { return re.MatchString(string(s)) }
}

// checkURL returns the address with a slash at its end.
func checkURL(p *problems, key, address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		p.at(key, fmt.Sprintf("%s: %q is no address", key, address), "write it whole, such as https://example.com/api/")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		p.at(key, fmt.Sprintf("%s: the address has a user, a query or a fragment", key), "write scheme, host and path alone; tokens have keys of their own")
	}
	return strings.TrimSuffix(address, "/") + "/"
}

func checkAddress(p *problems, address string) {
	if address == "" {
		return
	}
	_, port, err := net.SplitHostPort(address)
	if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || n > 65535 {
		p.at("http.address", fmt.Sprintf("http.address: %q is no address to listen on", address), "write host:port, such as 127.0.0.1:8080, or :8080 for every interface")
	}
}

func oneOf(p *problems, key, value string, known ...string) {
	if !slices.Contains(known, value) {
		p.at(key, fmt.Sprintf("%s: %q is unknown", key, value), "write "+strings.Join(known[:len(known)-1], ", ")+" or "+known[len(known)-1])
	}
}
