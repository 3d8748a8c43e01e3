package match_test

import (
	"strings"
	"testing"

	"ferry/plugins/match"
)

type labels map[string]string

func (l labels) Label(name string) string { return l[name] }

func TestMatch(t *testing.T) {
	t.Parallel()
	have := labels{"cluster": "prod", "namespace": "kube-system", "severity": "error", "app.kubernetes.io/name": "web, and more"}
	for text, want := range map[string]bool{
		"":                                       true,
		"{}":                                     true,
		`cluster=prod`:                           true,
		`cluster="prod"`:                         true,
		`cluster=prod-eu`:                        false,
		`cluster=pro`:                            false,
		`cluster=~"pro"`:                         false, // anchored
		`cluster=~"pro."`:                        true,
		`cluster=~"a|prod"`:                      true,
		`cluster!~"stage|dev"`:                   true,
		`cluster!~"prod"`:                        false,
		`cluster!=prod`:                          false,
		`missing=""`:                             true,
		`missing!=""`:                            false,
		`cluster=prod,namespace=~"kube-.*"`:      true,
		`{cluster=prod, namespace="default"}`:    false,
		`cluster=prod severity=error`:            true,
		`app.kubernetes.io/name="web, and more"`: true,
		`cluster=~".*",severity!=info , missing=""`: true,
	} {
		ms, err := match.Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := ms.Matches(have); got != want {
			t.Errorf("%q = %v, want %v", text, got, want)
		}
		again, err := match.Parse(ms.String())
		if err != nil || again.String() != ms.String() || again.Matches(have) != want {
			t.Errorf("%q is written %q, which reads as %v, %v", text, ms, again, err)
		}
	}
}

func TestNotMatchers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"prod": "write label=value", "=prod": "write label=value", "cluster=": "no value", "cluster=~(": "missing", `cluster="prod`: "not closed",
		"cluster==prod": "quotation marks", "clu$ter=prod": "no label", "cluster~prod": "none of", "cluster!prod": "none of", `cluster="a"b`: "write label",
		strings.Repeat("a=b,", 17): "at most 16", "a=" + strings.Repeat("x", 300): "at most 256", "cluster = prod": "write label",
		"cluster='prod'": "write \"prod\" with double", "cluster=~'a b'": "write \"a\" with double",
	} {
		if ms, err := match.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q reads as %q, %v; want an error with %q", text, ms, err, want)
		}
	}
}

func TestEmpty(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"": true, `cluster=""`: true, `cluster=~".*"`: true, `cluster!="x"`: true, "cluster=prod": false, `cluster=~".+"`: false, `cluster=prod,a!="b"`: false} {
		ms, err := match.Parse(text)
		if err != nil || ms.Empty() != want {
			t.Errorf("%q: %v, %v; want %v", text, ms.Empty(), err, want)
		}
	}
	if (match.Matcher{}).Matches(labels{}) {
		t.Error("the zero matcher matches")
	}
}

// TestImpossible: what can match nothing is known where one value is demanded.
func TestImpossible(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "kind=Pod": "", "kind=Pod,kind=Pod": "", "kind=Pod,name=Node": "", `kind=~"a",kind=~"b"`: "", `node="",kind=Pod`: "", `kind=Pod,kind=~"P.*"`: "",
		"kind=Pod,kind=Node": "kind", `kind=Pod,kind!=Pod`: "kind", `cluster=a,kind=~"N.*",kind=Pod`: "kind", `kind!~"P.*",kind=Pod`: "kind",
	} {
		ms, err := match.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if label, ok := ms.Impossible(); label != want || ok != (want != "") {
			t.Errorf("%q: %q, %v; want %q", text, label, ok, want)
		}
	}
}
