package executor_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"ferry/plugins/api"
	"ferry/plugins/flux/executor"
	"ferry/plugins/flux/line"
)

// attacks reads the list of attempts.
func attacks(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../testdata/attacks.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for row := range strings.Lines(string(text)) {
		row = strings.TrimSuffix(row, "\n")
		if row == "" || strings.HasPrefix(row, "#") {
			continue
		}
		if strings.HasPrefix(row, `"`) {
			if row, err = strconv.Unquote(row); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, row)
	}
	return out
}

// TestAttacks tries each, with and without a cluster at its end, as somebody who may
// do a lot; confirmed, too, as if the chat were lied to. None reaches a server.
func TestAttacks(t *testing.T) {
	prod, stage := cluster(t), cluster(t)
	prod.Asked()
	stage.Asked()
	var hits atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer elsewhere.Close()
	all, byRule := attacks(t), 0
	for _, text := range all {
		text = strings.ReplaceAll(text, "OTHER", elsewhere.URL)
		if _, err := line.Parse(text); err == nil {
			byRule++
		}
		for _, end := range []string{"", " on prod", " on prod,stage", " on *"} {
			for _, clusters := range [][]api.Cluster{{at("prod", prod)}, {at("prod", prod), at("stage", stage), {Name: "lab"}}} {
				r := request("U1", text+end, clusters...)
				for _, r.Confirmed = range []bool{false, true} {
					var out bytes.Buffer
					result, err := executor.New("test").Execute(t.Context(), r, &out)
					if !api.IsRefusal(err) || out.Len() > 0 {
						t.Errorf("%q gets through: %q, %+v, %v", r.Line, out.String(), result, err)
					}
				}
			}
		}
	}
	if asked := append(prod.Asked(), stage.Asked()...); len(asked) > 0 || hits.Load() > 0 {
		t.Errorf("servers were asked: %q, and another one %d times", asked, hits.Load())
	}
	if len(all) < 150 || byRule > len(all)/6 {
		t.Errorf("%d attempts, %d of them refused by rules alone: this proves little", len(all), byRule)
	}
	t.Logf("%d attempts, %d of them refused by rules alone", len(all), byRule)
}
