package pipeline

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"ferry/internal/event"
)

// TestEncode demands that what the log holds is read as what was written.
func TestEncode(t *testing.T) {
	for _, e := range []event.Event{
		{},
		{ID: "1", At: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Title: `<"&`, Labels: map[string]string{"a": "b"}, About: "x", Resolved: true, Count: 3},
		{ID: "2", Object: json.RawMessage(`{"a":[1,{"b":"}"}],"c":"ü"}`), About: "x", Count: 1},
		{ID: "3", Object: json.RawMessage(`7`)},
	} {
		raw, err := encode(&e)
		var got event.Event
		if err != nil || json.Unmarshal(raw, &got) != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("%s, %v: %+v, want %+v", raw, err, got, e)
		}
	}
	for _, raw := range [][][]byte{{}, {[]byte("1")}, {[]byte(`{"a":1}`), []byte("[]"), []byte("2")}} {
		var got []json.RawMessage
		if err := json.Unmarshal(array(raw), &got); err != nil || len(got) != len(raw) {
			t.Errorf("%s: %v", array(raw), err)
		}
	}
}
