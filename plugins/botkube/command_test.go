package botkube

import (
	"slices"
	"testing"
)

// TestParseCommand takes out what is for the host, and leaves the rest as written.
func TestParseCommand(t *testing.T) {
	for text, want := range map[string]command{
		"kubectl get  pods":                                     {line: "kubectl get  pods", words: []string{"kubectl", "get", "pods"}},
		`k a --cluster-name=prod b`:                             {line: "k a b", words: []string{"k", "a", "b"}, cluster: "prod"},
		`k --cluster-name "prod eu" --all-clusters`:             {line: "k", words: []string{"k"}, cluster: "prod eu", all: true},
		`k --all-clusters=false x`:                              {line: "k x", words: []string{"k", "x"}},
		`k --filter='a "b"' x --filterx=1`:                      {line: "k x --filterx=1", words: []string{"k", "x", "--filterx=1"}, filter: `a "b"`},
		`k --filter x "a \" b" c\ d 'e\f' "g\h"`:                {line: `k "a \" b" c\ d 'e\f' "g\h"`, words: []string{"k", `a " b`, "c d", `e\f`, `g\h`}, filter: "x"},
		`k "--cluster-name=x" '--filter' "--all-clusters" "--"`: {line: `k "--cluster-name=x" '--filter' "--all-clusters" "--"`, words: []string{"k", "--cluster-name=x", "--filter", "--all-clusters", "--"}},
		`k "" -- --filter=x`:                                    {line: `k "" -- --filter=x`, words: []string{"k", "", "--", "--filter=x"}},
		"k get pods -o jsonpath='{.items[*].metadata.name}'":    {line: "k get pods -o jsonpath='{.items[*].metadata.name}'", words: []string{"k", "get", "pods", "-o", "jsonpath={.items[*].metadata.name}"}},
		"": {},
	} {
		got, err := parseCommand(text)
		if err != nil || got.line != want.line || !slices.Equal(got.words, want.words) || got.cluster != want.cluster || got.all != want.all || got.filter != want.filter {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{`k "x`, `k 'x`, `k x\`, "k --filter", "k --cluster-name"} {
		if got, err := parseCommand(text); err == nil {
			t.Errorf("%s is taken: %+v", text, got)
		}
	}
}

// TestExpand replaces the first word alone, and once.
func TestExpand(t *testing.T) {
	aliases := map[string]string{"kgp": "kubectl get pods", "kubectl": "kgp"}
	for line, want := range map[string]string{"kgp -n a": "kubectl get pods -n a", "kgp": "kubectl get pods", "kgpx": "kgpx", "x kgp": "x kgp", "": ""} {
		if got := Expand(aliases, line); got != want {
			t.Errorf("%q becomes %q", line, got)
		}
	}
}

func FuzzParseCommand(f *testing.F) {
	f.Add(`k "a b" --filter=x`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCommand(text)
		if err != nil {
			return
		}
		again, err := parseCommand(c.line)
		if err != nil || again.line != c.line && c.filter == "" && c.cluster == "" {
			t.Errorf("%q becomes %q, then %q, %v", text, c.line, again.line, err)
		}
	})
}
