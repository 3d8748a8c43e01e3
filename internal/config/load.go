package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"ferry/internal/chat"
)

// Load reads the configuration from the file at path or, where that is empty,
// from the one that SERVICE_CONFIG_FILE_PATH names, else from config.yaml;
// tokens come from the environment or from the files that the configuration
// names. verbs are the commands that need a role: where given, the roles are
// checked against them. The error is a Problems.
func Load(path string, getenv func(string) string, verbs ...chat.Verb) (*Config, error) {
	if path == "" {
		path = getenv(EnvFile)
	}
	if path == "" {
		path = DefaultFile
	}
	p := &problems{file: path, lines: map[string]int{}}
	text, err := os.ReadFile(path)
	if err != nil {
		p.line(0, "", unreadable(err), "write one (config.example.yaml shows every key), or name it with -config or "+EnvFile)
		return nil, p.err()
	}
	c := parse(text, p)
	if c == nil {
		return nil, p.err()
	}
	c.File = path
	check(c, p, verbs)
	checkApp(c.GitHub, p, getenv)
	readSecrets(c, p, getenv)
	if err := p.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// At returns where a key stands, as "file:line", for rooms that find something
// wrong with it later: At("clusters.prod.context").
func (c *Config) At(key string) string {
	p := problems{lines: c.lines}
	return fmt.Sprintf("%s:%d", c.File, p.lineOf(key))
}

// parse decodes the text over the defaults. It returns nil if there is nothing
// to go on with.
func parse(text []byte, p *problems) *Config {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		p.line(1, "", "the file is empty", "config.example.yaml shows every key")
		return nil
	case err != nil:
		p.yaml(err)
		return nil
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		p.line(second.Line, "", "a second document", "a configuration is one document: take the `---` out")
	case !errors.Is(err, io.EOF):
		p.yaml(err)
	}
	c := Defaults()
	d := decoder{problems: p}
	d.root(doc.Content[0], &c)
	c.lines = p.lines
	return &c
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)

// yaml notes an error of the YAML parser.
func (p *problems) yaml(err error) {
	says, line := err.Error(), 1
	if m := yamlLine.FindStringSubmatch(says); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
		says = says[len(m[0]):]
	}
	p.line(line, "", "this is not YAML: "+says, "look at indentation, quotes and tabs on this line and the one before")
}

// readSecrets gets the tokens.
func readSecrets(c *Config, p *problems, getenv func(string) string) {
	for _, s := range []struct {
		to             *Secret
		file, key, env string
		what, prefix   string
	}{
		{&c.Slack.BotToken, c.Slack.BotTokenFile, "slack.bot_token_file", EnvBotToken, "Slack's bot token", "xoxb-"},
		{&c.Slack.AppToken, c.Slack.AppTokenFile, "slack.app_token_file", EnvAppToken, "Slack's app-level token", "xapp-"},
		{&c.GitHub.Token, c.GitHub.TokenFile, "github.token_file", EnvGitHub, "GitHub's token", ""},
	} {
		if s.env == EnvGitHub && c.GitHub.App.IsSet() {
			continue
		}
		value, from := strings.TrimSpace(getenv(s.env)), s.env
		if value == "" && s.file != "" {
			from = s.file
			text, err := os.ReadFile(s.file)
			if err != nil {
				p.at(s.key, fmt.Sprintf("%s: %s", s.key, unreadable(err)), "name a file that ferry may read, or set "+s.env)
				continue
			}
			value = strings.TrimSpace(string(text))
		}
		switch other := swapped(value, s.prefix); {
		case value == "" && from != s.env:
			p.at(s.key, fmt.Sprintf("%s: %s is empty", s.key, s.file), "put the token into it, or set "+s.env)
		case value == "":
			p.at(s.key, s.what+" is missing", fmt.Sprintf("set %s, or name a file that holds it: %s", s.env, s.key))
		case strings.ContainsAny(value, " \t\r\n"):
			p.at(s.key, fmt.Sprintf("%s from %s has blanks or several lines in it", s.what, from), "give the token alone")
		case other != "":
			p.at(s.key, fmt.Sprintf("%s from %s is %s", s.what, from, other), "it starts with "+s.prefix)
		}
		*s.to = NewSecret(value)
	}
}

// swapped tells what a token of another kind is; "" if it may be the right one.
func swapped(value, prefix string) string {
	for start, what := range map[string]string{
		"xoxb-": "a bot token", "xapp-": "an app-level token", "xoxp-": "a user token",
	} {
		if prefix != "" && start != prefix && strings.HasPrefix(value, start) {
			return what
		}
	}
	return ""
}

// unreadable says why a file cannot be read, path included.
func unreadable(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Sprintf("%s cannot be read: %s", e.Path, e.Err)
	}
	return err.Error()
}
