package notifiers_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/notifiers/discord"
	"ferry/plugins/notifiers/elasticsearch"
	"ferry/plugins/notifiers/jsonlog"
	"ferry/plugins/notifiers/mattermost"
	"ferry/plugins/notifiers/teams"
	"ferry/plugins/notifiers/webhook"
)

// checked is a notifier that judges its configuration, as all that are shipped do.
type checked interface {
	api.Notifier
	api.Checker
}

func shipped() map[string]checked {
	return map[string]checked{
		"webhook": webhook.New("v1"), "log": jsonlog.New("v1"), "elasticsearch": elasticsearch.New("v1"),
		"mattermost": mattermost.New("v1"), "discord": discord.New("v1"), "teams": teams.New("v1"),
	}
}

// TestCheck: what is wrong with a configuration is said in words that name the key and
// what would work, and never show a secret.
func TestCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"url": "https://example.com/hush", "ftp": "ftp://example.com/hush", "word": "hush", "empty": " \n", "large": strings.Repeat("hush", 20_000)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ name, config, to, want string }{
		{"webhook", "url: https://example.com/hush", "", ""},
		{"webhook", "url_file: DIR/url\nsecret_file: DIR/word\nheaders: {Authorization: Bearer hush}\nbatch: 20", "", ""},
		{"webhook", "url: http://localhost:80\ntemplate: '{{.Labels.team}}{{index .Details 3}}'", "", ""},
		{"webhook", "", "", "url is missing: write url: https://example.com/hook, or url_file where the address is a secret"},
		{"webhook", "url: https://example.com\nurl_file: /x", "", "url and url_file stand beside each other: keep one of them"},
		{"webhook", "url: ftp://example.com/hush", "", "url: ftp://example.com/… is no address: it begins with https:// or http:// and names a host, as in https://example.com/hook"},
		{"webhook", "url: 'https://:80'", "", "url: https://:80/… is no address: it begins with https:// or http:// and names a host, as in https://example.com/hook"},
		{"webhook", "url_file: DIR/ftp", "", "url_file: DIR/ftp: ftp://example.com/… is no address: it begins with https:// or http:// and names a host, as in https://example.com/hook"},
		{"webhook", "url_file: DIR/word", "", "url_file: DIR/word: … is no address: it begins with https:// or http:// and names a host, as in https://example.com/hook"},
		{"webhook", "url_file: secrets/url", "", `url_file: "secrets/url" is not absolute: a plugin runs in a folder of its own; write it with all folders from /`},
		{"webhook", "url: https://example.com\nsecret_file: secret", "", `secret_file: "secret" is not absolute: a plugin runs in a folder of its own; write it with all folders from /`},
		{"webhook", "url: https://example.com\nsecret_file: DIR/none", "", "secret_file: DIR/none: no such file or directory"},
		{"webhook", "url: https://example.com\nsecret_file: DIR/empty", "", "secret_file: DIR/empty: it is empty"},
		{"webhook", "url: https://example.com\nsecret_file: DIR/large", "", "secret_file: DIR/large: it is larger than 64 KiB: that is no secret"},
		{"webhook", "url: https://example.com\nsecret_file: DIR", "", "secret_file: DIR: is a directory"},
		{"webhook", "url: https://example.com\ntemplate: '{{'", "", "template: template: webhook:1: unclosed action"},
		{"webhook", "url: https://example.com\ntemplate: '{{.Key}}'", "", "template: template: webhook:1:2: executing \"webhook\" at <.Key>: can't evaluate field Key in type *api.Notification"},
		{"webhook", "url: https://example.com\ntemplate: x\nbatch: 2", "", "template and batch: a template is of one delivery; leave batch out"},
		{"webhook", "url: https://example.com\nbatch: -1", "", "batch: -1 is none: say how many deliveries go into one request"},
		{"webhook", "url: https://example.com\nheaders: {'a b': hush}", "", `headers: "a b" is no name of a header: letters, digits and dashes`},
		{"webhook", "url: https://example.com\nheaders: {ferry-delivery: hush}", "", "headers: Ferry-Delivery is ferry's to set: leave it out"},
		{"webhook", "url: https://example.com\nheaders: {x-token: \"hush\\nx: y\"}", "", "headers: X-Token: a header is one line"},
		{"webhook", "url: https://example.com\ncontent_type: \"a\\nb: hush\"", "", "content_type: a header is one line"},
		{"webhook", "url: https://example.com\nurls: hush\nbatch: hush", "", "the configuration: line 2: there is no key \"urls\"; line 3: a value of another kind is expected"},
		{"webhook", "url: https://example.com/hush\nurl: https://example.com", "", "the configuration: line 2: mapping key \"url\" already defined at line 1"},
		{"webhook", "url: 'hush", "", "the configuration is no YAML"},
		{"webhook", "url: https://example.com", "elsewhere", "to: \"elsewhere\": it has the one place that its configuration names; leave `to` out, and give another place a notifier of its own"},

		{"log", "file: DIR/alerts.jsonl", "", ""},
		{"log", "", "", "file is missing: name one, such as /var/log/ferry/alerts.jsonl"},
		{"log", "file: stdout", "", "file: stdout is ferry's own: name a file, such as /var/log/ferry/alerts.jsonl"},
		{"log", "file: alerts.jsonl", "", `file: "alerts.jsonl" is not absolute: a plugin runs in a folder of its own; write it with all folders from /`},
		{"log", "file: DIR/none/alerts.jsonl", "", "file: DIR/none/alerts.jsonl: no such file or directory"},
		{"log", "file: DIR", "", "file: DIR: is a directory"},
		{"log", "file: DIR/alerts.jsonl", "elsewhere", "to: \"elsewhere\": it has the one place"},

		{"elasticsearch", "url: https://example.com\nstream: logs-ferry-default", "logs-other", ""},
		{"elasticsearch", "url: https://example.com\nstream: logs\nuser: ferry\npassword_file: DIR/word", "", ""},
		{"elasticsearch", "stream: logs", "", "url is missing: write that of the cluster, such as https://elastic.example.com:9200"},
		{"elasticsearch", "url: elastic\nstream: logs", "", "url: … is no address: it begins with https:// or http://"},
		{"elasticsearch", "url: https://example.com", "", "stream is missing: name a data stream, such as logs-ferry-default"},
		{"elasticsearch", "url: https://example.com\nstream: Logs", "", `stream: "Logs" is no name of a data stream: small letters, digits, dashes and dots, such as logs-ferry-default`},
		{"elasticsearch", "url: https://example.com\nstream: -logs", "", `stream: "-logs" is no name of a data stream`},
		{"elasticsearch", "url: https://example.com\nstream: logs", "a b", `to: "a b" is no name of a data stream`},
		{"elasticsearch", "url: https://example.com\nstream: logs\napi_key_file: /x\nuser: y", "", "api_key_file and user stand beside each other: keep one of them"},
		{"elasticsearch", "url: https://example.com\nstream: logs\nuser: y", "", "user and password_file belong together: write both, or api_key_file"},
		{"elasticsearch", "url: https://example.com\nstream: logs\npassword_file: /x", "", "user and password_file belong together: write both, or api_key_file"},
		{"elasticsearch", "url: https://example.com\nstream: logs\napi_key_file: DIR/empty", "", "api_key_file: DIR/empty: it is empty"},
		{"elasticsearch", "url: https://example.com\nstream: logs\napi_key_file: key", "", `api_key_file: "key" is not absolute`},

		{"mattermost", "url: https://example.com\ntoken_file: DIR/word\nchannel: " + here, there, ""},
		{"mattermost", "token_file: DIR/word\nchannel: " + here, "", "url is missing: write that of the server, such as https://chat.example.com"},
		{"mattermost", "url: example.com\ntoken_file: DIR/word\nchannel: " + here, "", "url: … is no address"},
		{"mattermost", "url: https://example.com\ntoken_file: DIR/word\nchannel: town-square", "", `channel: "town-square" is no ID of a channel: 26 small letters and digits, at the foot of the channel's details in Mattermost`},
		{"mattermost", "url: https://example.com\ntoken_file: DIR/word\nchannel: " + here, "town-square", `to: "town-square" is no ID of a channel: 26 small letters and digits`},
		{"mattermost", "url: https://example.com\nchannel: " + here, "", "token_file is missing: name a file, such as /run/secrets/ferry/token"},
		{"mattermost", "url: https://example.com\ntoken_file: DIR/none\nchannel: " + here, "", "token_file: DIR/none: no such file or directory"},

		{"discord", "url_file: DIR/url\nusername: ferry", "", ""},
		{"discord", "", "", "url_file is missing: name a file, such as /run/secrets/ferry/url"},
		{"discord", "url_file: DIR/ftp", "", "url_file: DIR/ftp: ftp://example.com/… is no address"},
		{"discord", "url_file: DIR/url\nusername: My Discord", "", "username: at most 80 characters, without the word Discord"},
		{"discord", "url_file: DIR/url", "elsewhere", "to: \"elsewhere\": it has the one place"},

		{"teams", "url_file: DIR/url\nupdates: true", "", ""},
		{"teams", "updates: true", "", "url_file is missing: name a file, such as /run/secrets/ferry/url"},
		{"teams", "url_file: DIR/empty", "", "url_file: DIR/empty: it is empty"},
		{"teams", "url_file: DIR/url", "elsewhere", "to: \"elsewhere\": it has the one place"},
	} {
		config, want := strings.ReplaceAll(c.config, "DIR", dir), strings.ReplaceAll(c.want, "DIR", dir)
		n := shipped()[c.name]
		err := n.Check(t.Context(), api.CheckRequest{Binding: "b", Config: []byte(config), To: []string{"", c.to}})
		if c.want == "" {
			if err != nil {
				t.Errorf("%s with %q: %v", c.name, config, err)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "hush") && !strings.Contains(c.config, "file: hush") {
			t.Errorf("%s with %q: %v, want %q", c.name, config, err, want)
		}
		// What may come by itself is looked for soon again, and nothing else is.
		missing := strings.HasSuffix(c.want, ": no such file or directory") && c.name != "log" || strings.HasSuffix(c.want, ": it is empty")
		if after, again := api.Retry(err); again != missing || again && after != 2*time.Second {
			t.Errorf("%s with %q: it is looked at again: %v, after %s", c.name, config, again, after)
		}
		// What Check finds wrong is delivered nowhere, and said with the same words.
		_, err = n.Deliver(t.Context(), api.Notification{ID: "1", Config: []byte(config), To: c.to})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s with %q delivers: %v, want %q", c.name, config, err, want)
		}
	}
}

// TestInfo: the schemas are schemas that know every key that the notifier reads, and no
// other.
func TestInfo(t *testing.T) {
	t.Parallel()
	keys := map[string]string{
		"webhook": "batch content_type headers secret_file template url url_file", "log": "file", "elasticsearch": "api_key_file password_file stream url user",
		"mattermost": "channel token_file url", "discord": "url_file username", "teams": "updates url_file",
	}
	for name, n := range shipped() {
		i := n.Info()
		var schema struct {
			Additional *bool `json:"additionalProperties"`
			Properties map[string]struct {
				Type        string `json:"type"`
				Ref         string `json:"$ref"`
				Description string `json:"description"`
			} `json:"properties"`
		}
		if err := json.Unmarshal(i.Schema, &schema); err != nil || schema.Additional == nil || *schema.Additional {
			t.Errorf("%s: %v, %s", name, err, i.Schema)
		}
		if i.Name != name || i.Version != "v1" || i.Description == "" || i.Docs != "docs/notifiers.md#"+name || len(schema.Properties) != len(strings.Fields(keys[name])) {
			t.Errorf("%s says it is %+v", name, i)
		}
		for _, key := range strings.Fields(keys[name]) {
			p, ok := schema.Properties[key]
			if !ok || p.Description == "" || p.Type+p.Ref == "" {
				t.Errorf("%s: the schema has no %s, or says nothing of it", name, key)
			}
			err := n.Check(t.Context(), api.CheckRequest{Config: []byte(key + ": [{}]")})
			if err == nil || err.Error() != "the configuration: line 1: a value of another kind is expected" {
				t.Errorf("%s does not read %s: %v", name, key, err)
			}
		}
	}
}
