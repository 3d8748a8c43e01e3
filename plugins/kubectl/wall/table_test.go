package wall_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const (
	foreign  = "/apis/example.com/v1/namespaces/podinfo/copies"
	asTable  = "application/json;as=Table;v=v1;g=meta.k8s.io"
	password = `"columnDefinitions":[{"name":"Name","type":"string","format":"name"},{"name":"Password","type":"string"},{"name":"All","type":"string"},{"name":"Ready","type":"string"},{"name":"Size","type":"integer"},{"name":"Age","type":"date"},{"name":"List","type":"array"}]`
)

// copied is an object that holds a Secret, or none.
func copied(kind, annotations string) string {
	return `{"kind":"Copy","apiVersion":"example.com/v1","metadata":{"name":"c","annotations":{` + annotations + `}},"spec":{"kind":"` + kind +
		`","apiVersion":"v1","data":{"password":"` + encoded() + `"},"size":3},"status":{"ready":"True"}}`
}

func tableOf(object string) string {
	return `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"7"},` + password + `,"rows":[{"cells":["c","` + encoded() + `","map[password:` + encoded() + `]","True",3,"2d",["` + encoded() + `"]],"object":` + object + `}]}`
}

// shownRow is the one row of a table that is answered.
func shownRow(t *testing.T, body string) (cells []any, object string) {
	t.Helper()
	var table struct {
		Kind string `json:"kind"`
		Rows []struct {
			Cells  []any           `json:"cells"`
			Object json.RawMessage `json:"object"`
		} `json:"rows"`
	}
	if err := json.Unmarshal([]byte(body), &table); err != nil || table.Kind != "Table" || len(table.Rows) != 1 {
		t.Fatalf("%s: %v", body, err)
	}
	return table.Rows[0].Cells, string(table.Rows[0].Object)
}

// TestColumnsOfOthers: a cell that shows what is in a Secret within the object is hidden,
// by whatever way it came there; the others are not, nor any of an object without one.
func TestColumnsOfOthers(t *testing.T) {
	const partial = `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"c"}}`
	all := fmt.Sprint([]any{"c", encoded(), "map[password:" + encoded() + "]", "True", 3, "2d", []any{encoded()}})
	hidden := "[c *** *** True 3 2d ***]"
	applied := `"kubectl.kubernetes.io/last-applied-configuration":"` + strings.ReplaceAll(copied("Secret", ""), `"`, `\"`) + `"`
	for name, row := range map[string]struct {
		object, asked string
		want          string
		kept          string // what stands in its object
	}{
		"a Secret":                       {copied("Secret", ""), "", hidden, `"PartialObjectMetadata"`},
		"spelled in codes":               {strings.Replace(copied("Secret", ""), `"Secret"`, `"\u0053ecret"`, 1), "", hidden, `"PartialObjectMetadata"`},
		"in a copy of what was applied":  {copied("Secret", applied), "", hidden, `"PartialObjectMetadata"`},
		"whose text stands elsewhere":    {copied("Secret", `"guess":"`+encoded()+`"`), "", hidden, `"PartialObjectMetadata"`},
		"none":                           {copied("Thing", ""), "", all, `"PartialObjectMetadata"`},
		"asked for with objects":         {copied("Secret", ""), "&includeObject=Object", hidden, `"spec"`},
		"none, asked for with objects":   {copied("Thing", ""), "&includeObject=Object", all, `"spec"`},
		"of which only metadata is told": {partial, "", "[c *** *** *** 3 2d ***]", `"PartialObjectMetadata"`},
	} {
		for _, watched := range []bool{false, true} {
			body, path := tableOf(row.object), foreign+"?limit=500"+row.asked
			if watched {
				body, path = `{"type":"ADDED","object":`+body+"}\n", path+"&watch=true"
			}
			c := serve(t, "application/json", body)
			code, got := ask(t, c, grant(), http.MethodGet, path, func(r *http.Request) { r.Header.Set("Accept", asTable+",application/json") })
			if query := c.asked[0].URL.Query(); query.Get("includeObject") != "Object" || query.Get("limit") != "500" {
				t.Errorf("%s: it is asked for with %v", name, query)
			}
			if watched {
				var event struct{ Object json.RawMessage }
				if err := json.Unmarshal([]byte(got), &event); err != nil {
					t.Fatalf("%s: %v", got, err)
				}
				got = string(event.Object)
			}
			cells, object := shownRow(t, got)
			if code != http.StatusOK || fmt.Sprint(cells) != row.want {
				t.Errorf("%s, watched %v: %v, want %v", name, watched, cells, row.want)
			}
			if !strings.Contains(object, row.kept) || strings.Contains(object, `"spec"`) != (row.asked != "") {
				t.Errorf("%s: its object is %s", name, object)
			}
			if row.want == hidden && !strings.Contains(row.object, "guess") && strings.Contains(got, encoded()) {
				t.Errorf("%s: %s", name, got)
			}
		}
	}
}

// TestWhatIsNoTableOfOthers is asked for as it was, and comes out as it is.
func TestWhatIsNoTableOfOthers(t *testing.T) {
	body := tableOf(`{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"c"}}`)
	for path, accept := range map[string]string{
		"/api/v1/namespaces/podinfo/pods": asTable, foreign: "application/json", foreign + "/c": "application/json",
	} {
		c := serve(t, "application/json", body)
		_, got := ask(t, c, grant(), http.MethodGet, path, func(r *http.Request) { r.Header.Set("Accept", accept) })
		if c.asked[0].URL.RawQuery != "" || got != body {
			t.Errorf("%s as %s is asked for with %s, and is %s", path, accept, c.asked[0].URL.RawQuery, got)
		}
	}
}
