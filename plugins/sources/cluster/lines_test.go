package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestLines(t *testing.T) {
	long, longer := strings.Repeat("x", 40<<10), strings.Repeat("y", 90<<10)
	in := newLines(iotest.HalfReader(strings.NewReader("a\n\n" + long + "\r\n" + longer + "\nb\nlast")))
	for _, want := range []string{"a", long, longer, "b", "last"} {
		if got, err := in.next(); string(got) != want || err != nil {
			t.Fatalf("%.20q of %d bytes, %v, want %.20q of %d", got, len(got), err, want, len(want))
		}
	}
	if _, err := in.next(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	cut := errors.New("cut")
	if text, err := newLines(io.MultiReader(strings.NewReader("half"), iotest.ErrReader(cut))).next(); !errors.Is(err, cut) {
		t.Errorf("%q, %v: half a line is none", text, err)
	}
}

type named struct {
	Metadata Meta `json:"metadata"`
	Status   *struct{ Phase string }
}

type knowing struct{ named }

func (k *knowing) Version() string { return k.Metadata.Version }

// TestLine tells of items that know their version and of others alike.
func TestLine(t *testing.T) {
	lines := []string{
		`{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"1"},"status":{"phase":"x"}}}`,
		`{"type":"DELETED","object":{"metadata":{"name":"a","resourceVersion":"2"}}}`,
		`{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"3"}}}`,
	}
	const want = "ADDED a 1; DELETED a 2; seen 3; "
	if got := told(t, &Feed[named]{}, func(n named) string { return n.Metadata.Name }, lines); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := told(t, &Feed[knowing]{}, func(k knowing) string { return k.Metadata.Name }, lines); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	f := &Feed[named]{}
	// Its status is a word, which is none of the item's.
	err := f.line(t.Context(), []byte(`{"type":"ERROR","object":{"kind":"Status","status":"Failure","reason":"Expired","message":"too old","code":410}}`))
	if !Gone(err) || err.Error() != "too old" || f.version != "" {
		t.Errorf("%v, at %q", err, f.version)
	}
	for _, broken := range []string{`{"type":"ADDED","object":{"metadata":7}}`, `{"type":"ADDED","obj`} {
		if err := f.line(t.Context(), []byte(broken)); err == nil || f.version != "" {
			t.Errorf("%s is read: %v, at %q", broken, err, f.version)
		}
	}
}

func told[T any](t *testing.T, f *Feed[T], name func(T) string, lines []string) (got string) {
	f.Changed = func(_ context.Context, how Change, item T, version string) error {
		got += fmt.Sprintf("%s %s %s; ", how, name(item), version)
		return nil
	}
	f.Seen = func(_ context.Context, version string) error {
		got += "seen " + version + "; "
		return nil
	}
	for i, one := range lines {
		if err := f.line(t.Context(), []byte(one)); err != nil || f.version != fmt.Sprint(i+1) {
			t.Errorf("%s: %v, at %q", one, err, f.version)
		}
	}
	return got
}

func TestWithoutManagers(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: `{}`,
		`{"a":1,"managedFields":[{"f":{"f:x":{"k":["]}\"\\"]}}},{}],"b":2}`: `{"a":1,"b":2}`,
		`{"managedFields":[],"b":2}`:                                        `{"b":2}`,
		`{"a":1,"managedFields":[{"x":"["}]}`:                               `{"a":1}`,
		`{"managedFields":[1]}`:                                             `{}`,
		`{"note":"\"managedFields\":[","b":["]"]}`:                          `{"note":"\"managedFields\":[","b":["]"]}`,
		`{"a":1,"managedFields":[{"x":1}`:                                   `{"a":1,"managedFields":[{"x":1}`,
		`{"a":1,"managedFields":[{"x":"`:                                    `{"a":1,"managedFields":[{"x":"`,
		`{"a":1,"managedFields":[{"x":"\`:                                   `{"a":1,"managedFields":[{"x":"\`,
		`["managedFields",{"managedFields":null,"b":1}]`:                    `["managedFields",{"managedFields":null,"b":1}]`,
	} {
		if got := string(withoutManagers([]byte(text))); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
}
