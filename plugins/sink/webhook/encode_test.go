package webhook

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"ferry/plugins/sink"
)

// TestEncode demands what encoding/json would write, wherever the event stands.
func TestEncode(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	ds := []sink.Delivery{
		{},
		{ID: "a", Key: "a", Revision: 1, At: at, Title: `<"&`, Labels: map[string]string{"x": "y"}, Details: []string{"z"}},
		{ID: "b", At: at, Event: json.RawMessage(`{"object":{"a":[1,2,{"b":"}"}]},"title":"ü"}`)},
		{Event: json.RawMessage(`[]`)},
	}
	same := func(got []byte, err error, of any) {
		t.Helper()
		want, werr := json.Marshal(of)
		var a, b any
		if err != nil || werr != nil || json.Unmarshal(got, &a) != nil || json.Unmarshal(want, &b) != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
	for i := range ds {
		got, err := encode(nil, &ds[i])
		same(got, err, ds[i])
	}
	got, err := array(ds)
	same(got, err, ds)
	got, err = array(ds[:1])
	same(got, err, ds[:1])
}
