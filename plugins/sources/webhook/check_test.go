package webhook

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ferry/plugins/api"
)

// TestCheck: a secret that is not there yet is waited for; what nobody mends by writing
// it is not.
func TestCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"token": "T\n", "empty": " \n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		config, want string
		waits        bool
	}{
		{open, "", false},
		{"paths: [{path: /x, format: flux, token_file: DIR/token, hmac_key_file: DIR/token}]", "", false},
		{"paths: [{path: /x, format: flux, anybody: true}, {path: /y, format: flux, token_file: DIR/none}]", "paths[1]: token_file: open DIR/none: no such file or directory", true},
		{"paths: [{path: /x, format: flux, token: T, hmac_key_file: DIR/empty}]", "paths[0]: hmac_key_file: DIR/empty is empty", true},
		{"paths: [{path: /x, format: flux, token_file: DIR}]", "paths[0]: token_file: read DIR: is a directory", false},
		{"paths: [{path: x, format: flux, token_file: DIR/none}]", `paths[0]: "x" is no path`, false},
		{"paths: [{path: /x, format: json, token_file: DIR/none, map: {title: item ! 1}}]", "paths[0].map.title: Syntax error", false},
	} {
		err := Source{}.Check(t.Context(), api.CheckRequest{Config: []byte(strings.ReplaceAll(c.config, "DIR", dir))})
		says := ""
		if err != nil {
			says = strings.ReplaceAll(err.Error(), dir, "DIR")
		}
		if after, again := api.Retry(err); !strings.HasPrefix(says, c.want) || (says == "") != (c.want == "") || again != c.waits || again && after != 2*time.Second {
			t.Errorf("%s: %q, again %v after %s; want %q, %v", c.config, says, again, after, c.want, c.waits)
		}
	}
}

// TestNobodyWithoutTheSecret: a path whose secret was not read lets nobody in.
func TestNobodyWithoutTheSecret(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	if (&path{TokenFile: "x"}).knows(r) || (&path{KeyFile: "x"}).signed(r, nil) {
		t.Error("somebody may post")
	}
}
