package webhook

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"ferry/plugins/api"
)

// TestEncode demands what encoding/json would write, wherever the event stands.
func TestEncode(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	ns := []api.Notification{
		{},
		{ID: "a", Incident: "a", Revision: 1, At: at, Title: `<"&`, Labels: map[string]string{"x": "y"}, Details: []string{"z"}, State: api.Resolved},
		{ID: "b", At: at, Event: json.RawMessage(`{"object":{"a":[1,2,{"b":"}"}]},"title":"ü"}`), Config: []byte("secret"), To: "there", Order: "b"},
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
	for i := range ns {
		got, err := encode(nil, &ns[i])
		same(got, err, ns[i])
	}
	got, err := array(ns)
	same(got, err, ns)
	got, err = array(ns[:1])
	same(got, err, ns[:1])
}
