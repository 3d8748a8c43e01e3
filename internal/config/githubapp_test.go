package config

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// keyFile writes something that looks like a private key.
func keyFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.pem")
	if text == "" {
		text = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte("hunter2")}))
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// withoutToken is an environment in which GitHub's token is missing.
func withoutToken(name string) string {
	if name == EnvGitHub {
		return ""
	}
	return tokens(name)
}

func TestGitHubApp(t *testing.T) {
	key := keyFile(t, "")
	for written, id := range map[string]AppID{"12345": "12345", `"12345"`: "12345", "Iv1.8a61f9b3a7aba766": "Iv1.8a61f9b3a7aba766", "Iv23liABC": "Iv23liABC"} {
		c, err := Load(write(t, small+"github: {app: {id: "+written+", installation_id: 67890, key_file: "+key+"}}\n"), withoutToken)
		if err != nil {
			t.Errorf("%s: %v", written, err)
			continue
		}
		if a := c.GitHub.App; !a.IsSet() || a.ID != id || a.Installation != 67890 || a.KeyFile != key {
			t.Errorf("%s: %+v", written, a)
		}
	}
	if c, err := Load(write(t, small), tokens); err != nil || c.GitHub.App.IsSet() {
		t.Errorf("without one: %v", err)
	}
}

func TestGitHubAppProblems(t *testing.T) {
	key, words := keyFile(t, ""), keyFile(t, "hunter2")
	app := func(text string) string { return small + "github: {app: {" + text + "}}\n" }
	const keep = "; keep one: the App, or the account that the token belongs to"
	for _, c := range []struct {
		name, text string
		getenv     func(string) string
		want       string
	}{
		{"token file beside it", small + "github: {token_file: /x, app: {id: 1, installation_id: 2, key_file: " + key + "}}\n", withoutToken, `4: github.token_file stands beside github.app` + keep},
		{"token in the environment", app("id: 1, installation_id: 2, key_file: " + key), tokens, `4: github.app is set, and GITHUB_API_TOKEN in the environment, too` + keep},
		{"no installation", app("id: 1, key_file: " + key), withoutToken, `4: github.app.installation_id is missing; write installation_id: 67890`},
		{"installation as text", app(`id: 1, installation_id: "2", key_file: ` + key), withoutToken, ""},
		{"installation of nothing", app("id: 1, installation_id: 0, key_file: " + key), withoutToken, `4: github.app.installation_id: 0 is too small; it must be more than 0`},
		{"installation by name", app("id: 1, installation_id: acme, key_file: " + key), withoutToken, `4: github.app.installation_id: "acme" is a text; a whole number is wanted, without quotes or units`},
		{"id that is none", app("id: my app, installation_id: 2, key_file: " + key), withoutToken, `4: github.app.id: "my app" is no ID of an App; write the number or the client ID that the App's settings show`},
		{"key that is none", app("id: 1, installation_id: 2, key_file: " + words), withoutToken, `4: github.app.key_file: ` + words + ` holds no private key; put the .pem file there that GitHub gave out in the App's settings`},
		{"key that is not there", app("id: 1, installation_id: 2, key_file: /not/there"), withoutToken, `4: github.app.key_file: /not/there cannot be read: no such file or directory; name a file that ferry may read`},
		{"unknown key", app("id: 1, installation_id: 2, key_fil: " + key), withoutToken, `4: unknown key "key_fil" in github.app; did you mean "key_file"?`},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, c.text)
			_, err := Load(path, c.getenv)
			got := ""
			if err != nil {
				got = strings.ReplaceAll(message(err), path+":", "")
			}
			if !strings.HasPrefix(got, c.want) || c.want == "" && got != "" || strings.Contains(got, "hunter2") {
				t.Errorf("got:  %s\nwant: %s", got, c.want)
			}
		})
	}
}
