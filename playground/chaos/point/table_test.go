package point

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheTableDecides: what it does not know is an error, and so is a row that was
// never met; a row without a point needs a reason.
func TestTheTableDecides(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "effects.md")
	write := func(rows string) {
		t.Helper()
		text := "# Effects\n\n| effect | key | point |\n|---|---|---|\n" + rows + "\nAnd more | text | `none`\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("| Post (`a`) | none | `slack/x` `slack/y` |\n| Token | none | none: harmless |\n")
	table, err := readTable(file)
	if err != nil || len(table.rows) != 2 || strings.Join(table.rows[0].points, " ") != "slack/x slack/y" || table.rows[1].why != "harmless" {
		t.Fatalf("read %+v, %v", table, err)
	}
	y := newTally(table)
	y.meet("slack/x")
	if y.unknown() != nil || y.complete() == nil {
		t.Errorf("met, nobody killed: %v, %v", y.unknown(), y.complete())
	}
	y.killed(&spot{"slack/y", true})
	y.meet("github/new")
	if y.complete() != nil || y.unknown() == nil || y.odds(spot{"github/new", false}) != 0 {
		t.Errorf("killed at one of its points, and a stray: %v, %v", y.complete(), y.unknown())
	}
	write("| Post | none | - |\n")
	if _, err := readTable(file); err == nil {
		t.Error("a row with neither a point nor a reason is read")
	}
}

func TestRequestsNameTheirPoint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ method, path, body, want string }{
		{"POST", "/api/graphql", `{"query":"mutation($input:X!){createCommitOnBranch(input:$input){commit{oid}}}"}`, "github/createCommitOnBranch"},
		{"POST", "/api/graphql", `{"query":"query{viewer{login}}"}`, Reading},
		{"POST", "/api/v3/repos/acme/fleet/git/refs", "", "github/POST/refs"},
		{"PATCH", "/api/v3/repos/acme/fleet/pulls/3", "", "github/PATCH/pulls"},
		{"POST", "/api/v3/repos/acme/fleet/issues/3/labels", "", "github/POST/labels"},
		{"GET", "/api/v3/repos/acme/fleet/pulls/3", "", Reading},
	} {
		if got := OfGitHub(httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))); got != c.want {
			t.Errorf("%s %s is %s, want %s", c.method, c.path, got, c.want)
		}
	}
	post := httptest.NewRequest("POST", "/api/chat.postMessage", strings.NewReader(`metadata=%7B%22key%22%3A%22job%2Fx%2Fclosing%22%7D`))
	if got := OfSlack(post); got != "slack/chat.postMessage/closing" {
		t.Errorf("a closing reply is %s", got)
	}
	if got := OfCluster(httptest.NewRequest("PATCH", "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories/flux-system", nil)); got != "cluster/PATCH/gitrepositories" {
		t.Errorf("asking Flux is %s", got)
	}
}
