package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"
	sigs "sigs.k8s.io/yaml"
)

// document is an index as any YAML parser reads it.
type document struct {
	Entries map[string][]struct {
		Version string `yaml:"version"`
	} `yaml:"entries"`
}

// parsed is what scan is to find, by yaml.v3, and whether that can read it.
func parsed(text []byte) (map[string]string, bool) {
	var d document
	if err := yaml.Unmarshal(text, &d); err != nil {
		return nil, false
	}
	out := map[string]string{}
	for name, items := range d.Entries {
		var versions []string
		for _, i := range items {
			if i.Version != "" {
				versions = append(versions, i.Version)
			}
		}
		if len(versions) > 0 {
			out[name] = strings.Join(versions, "\n")
		}
	}
	return out, true
}

// TestScanReadsWhatYAMLSays writes indexes full of traps with the encoders that
// chart repositories use, and compares with a whole parse.
func TestScanReadsWhatYAMLSays(t *testing.T) {
	t.Parallel()
	word := rapid.StringMatching(`[a-zA-Z0-9:#{}"'\[\] .,\-]{0,40}`)
	text := rapid.OneOf(word,
		rapid.Just("version: 9.9.9"), rapid.Just("a\nversion: 9.9.9\n- version: 9.9.9\nb"), rapid.Just("entries:\n  trap:\n  - version: 9.9.9"),
		rapid.Map(rapid.SliceOfN(word, 1, 12), func(w []string) string { return strings.Join(w, " ") }),
		rapid.Map(rapid.SliceOfN(word, 1, 5), func(w []string) string { return strings.Join(w, "\n") }))
	version := rapid.OneOf(rapid.StringMatching(`v?[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(-rc\.[0-9])?(\+[a-z0-9]{1,7})?`), rapid.Just("1.0"), rapid.Just("1e10"))
	item := rapid.Custom(func(t *rapid.T) map[string]any {
		m := map[string]any{"version": version.Draw(t, "version")}
		for _, key := range []string{"apiVersion", "description", "appVersion", "urls", "zz"} {
			if rapid.Bool().Draw(t, key) {
				m[key] = text.Draw(t, "text")
			}
		}
		if rapid.Bool().Draw(t, "nested") {
			m["dependencies"] = []any{map[string]any{"name": "x", "version": "9.9.9"}, map[string]any{"version": "9.9.8"}}
			m["annotations"] = map[string]any{"version": "9.9.7", "note": text.Draw(t, "note")}
			m["keywords"] = []any{"version: 9.9.6", text.Draw(t, "keyword")}
		}
		return m
	})
	name := rapid.OneOf(rapid.StringMatching(`[a-z][a-z0-9-]{0,15}`), rapid.SampledFrom([]string{"version", "entries", "yes", "1.0", "generated"}))
	rapid.Check(t, func(t *rapid.T) {
		index := map[string]any{
			"apiVersion": "v1", "generated": text.Draw(t, "generated"),
			"entries": rapid.MapOfN(name, rapid.SliceOfN(item, 0, 4), 0, 4).Draw(t, "entries"),
		}
		for style, encode := range map[string]func(any) ([]byte, error){"yaml.v3": yaml.Marshal, "two": indented(2), "seven": indented(7), "sigs": sigs.Marshal, "JSON": json.Marshal} {
			written, err := encode(index)
			if err != nil {
				t.Fatal(err)
			}
			want, ok := parsed(written)
			if !ok {
				continue // yaml.v3 cannot read all that it writes: block scalars that begin with a line break
			}
			for _, variant := range [][]byte{written, bytes.ReplaceAll(written, []byte("\n"), []byte("\r\n"))} {
				got, err := scan(bytes.NewReader(variant))
				if err != nil {
					t.Fatalf("%s: %v\n%s", style, err, variant)
				}
				if !maps.Equal(got, want) {
					t.Fatalf("%s: %q, want %q\n%s", style, got, want, variant)
				}
			}
		}
	})
}

func indented(n int) func(any) ([]byte, error) {
	return func(v any) ([]byte, error) {
		var b bytes.Buffer
		enc := yaml.NewEncoder(&b)
		enc.SetIndent(n)
		err := enc.Encode(v)
		return b.Bytes(), err
	}
}

func TestScanByHand(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"\ufeff# a comment\n---\napiVersion: v1\nentries:\n\n  # the chart\n  app: # here\n    - version: 1.0.0 # the last\n      name: app\n    -\n      name: app\n      version: '1.0.1'\n",
		"entries:\n  \"app\":\n  - \"version\": \"1.0.0\"\n  -   version: 1.0.1\n      name: app\n",
		"generated: x\nentries:\n   app:\n   - name: version\n     version:   1.0.0\n     version2: 3\n   - urls:\n     - version: 9\n     version: 1.0.1",
		"entries:\n  app:\n  - version: 1.0.0\n  -\n       name: x\n       version: 1.0.1\n",
		"entries:\n  other:\n  app:\n  - version: 1.0.0\n  - version: &last 1.0.1\nserverInfo: {}\nother:\n  trap:\n  - version: 9.9.9\n",
		"entries:\n  app:\n  - description: |\n      version: 9\n\n     # not a comment\n    version: 1.0.0\n  - version: 1.0.1\n    home: >-\n      - version: 9\n",
	} {
		got, err := scan(strings.NewReader(text))
		if err != nil || len(got) != 1 || got["app"] != "1.0.0\n1.0.1" {
			t.Errorf("%q, %v, of\n%s", got, err, text)
		}
	}
}

// FuzzScan looks for input that makes it panic, hang, or answer nothing at all.
func FuzzScan(f *testing.F) {
	f.Add([]byte(podinfoIndex))
	f.Add([]byte(`{"entries":{"a":[{"version":"1"}]}}`))
	f.Add([]byte("entries:\n  a:\n  - version: \"1.0.0\"\n    x: |\n      version: 2\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, err := scan(bytes.NewReader(text)); err == nil && got == nil {
			t.Error("neither an index nor an error")
		}
	})
}

// BenchmarkScan reads an index of the size of the largest that are known.
func BenchmarkScan(b *testing.B) {
	var text bytes.Buffer
	text.WriteString("apiVersion: v1\nentries:\n")
	for chart := 0; text.Len() < 20<<20; chart++ {
		fmt.Fprintf(&text, "  chart-%d:\n", chart)
		for v := range 200 {
			fmt.Fprintf(&text, "  - annotations:\n      category: Database\n    apiVersion: v2\n    appVersion: 7.2.%d\n    created: \"2026-01-01T00:00:00Z\"\n    "+
				"dependencies:\n    - name: common\n      repository: oci://registry.example/charts\n      version: 2.x.x\n    description: %s\n    "+
				"digest: %064d\n    urls:\n    - https://charts.example/chart-%d-1.%d.0.tgz\n    version: 1.%d.0\n", v, strings.Repeat("text ", 30), v, chart, v, v)
		}
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := scan(bytes.NewReader(text.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
}
