package app

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"ferry/plugins/api"
)

// TestEventOf: nothing that a plugin says of an event is lost on the way. The source is
// ferry's to say.
func TestEventOf(t *testing.T) {
	t.Parallel()
	said := api.Event{
		ID: "1", Cursor: "2", At: time.Unix(3, 0), Cluster: "4", Kind: "5", Namespace: "6", Name: "7", Reason: "8", Severity: "Warning", Title: "9", Text: "10",
		Labels: map[string]string{"11": "12"}, Object: json.RawMessage("13"), About: "14", Resolved: true, Moment: true, Still: true, Count: 15,
	}
	for of, v := range map[string]reflect.Value{"said": reflect.ValueOf(said), "taken": reflect.ValueOf(eventOf(&said))} {
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; v.Field(i).IsZero() != (name == "Source") {
				t.Errorf("%s: %s is %v", of, name, v.Field(i))
			}
		}
	}
}
