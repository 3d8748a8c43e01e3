package wall

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// What a cluster shows of a kind of its own in a table is made by the cluster: a column
// may be any field of the object, so also one of a Secret that stands within. So the
// objects are asked for with their rows, which kubectl has not asked for, and are taken
// out again.

// wholeRows asks for the objects of a table's rows, if a request is for a table of a kind
// whose columns are not Kubernetes' own. extra is true if kubectl did not ask for them.
func wholeRows(req *http.Request, r request) (whole, extra bool) {
	if r.kind.Known || req.Method != http.MethodGet || !wantsTable(req.Header.Get("Accept")) {
		return false, false
	}
	query := req.URL.Query()
	extra = query.Get("includeObject") != "Object"
	query.Set("includeObject", "Object")
	req.URL.RawQuery = query.Encode()
	return true, extra
}

func wantsTable(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		if _, params, err := mime.ParseMediaType(part); err == nil && params["as"] == "Table" {
			return true
		}
	}
	return false
}

// tableRow is a row of a table.
type tableRow struct {
	Cells      []json.RawMessage `json:"cells"`
	Conditions json.RawMessage   `json:"conditions,omitempty"`
	Object     json.RawMessage   `json:"object,omitempty"`
}

// column is what a table says of one of its columns.
type column struct {
	Type string `json:"type"`
}

// table redacts a table whose rows were asked for with their objects, alone or in an
// event of a watch; is says whether it is one.
func table(raw []byte, a answer) (clean []byte, is bool, err error) {
	var top map[string]json.RawMessage
	if json.Unmarshal(raw, &top) != nil {
		return nil, false, nil //nolint:nilerr // whoever reads it as something else says so
	}
	switch kind := string(top["kind"]); {
	case kind == `"Table"`:
		err = rows(top, a)
	case kind == "" && top["type"] != nil && top["object"] != nil:
		top["object"], is, err = table(top["object"], a)
		if !is {
			return nil, false, err
		}
	default:
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	clean, err = json.Marshal(top)
	return clean, true, err
}

// rows redacts those of a table.
func rows(top map[string]json.RawMessage, a answer) error {
	var all []tableRow
	var columns []column
	for name, into := range map[string]any{"rows": &all, "columnDefinitions": &columns} {
		if text := top[name]; text != nil {
			if err := json.Unmarshal(text, into); err != nil {
				return fmt.Errorf("read what the cluster answers: %w", err)
			}
		}
	}
	for i := range all {
		if err := all[i].redact(columns, a); err != nil {
			return err
		}
	}
	text, err := json.Marshal(all)
	top["rows"] = text
	return err
}

// redact hides the cells of a row that might show something secret, and takes its object
// out if nobody asked for it.
func (r *tableRow) redact(columns []column, a answer) error {
	var o struct {
		Kind     string          `json:"kind"`
		Metadata json.RawMessage `json:"metadata"`
	}
	if len(r.Object) > 0 {
		if err := json.Unmarshal(r.Object, &o); err != nil {
			return fmt.Errorf("read what the cluster answers: %w", err)
		}
	}
	known := o.Kind != "" && o.Kind != "PartialObjectMetadata"
	if suspicious := bytes.Contains(r.Object, []byte("Secret")) || bytes.Contains(r.Object, []byte(`\u`)); !known || suspicious {
		if err := r.judge(columns, !known, &o.Metadata); err != nil {
			return err
		}
	}
	if !a.extra || !known {
		return nil
	}
	part := map[string]any{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": o.Metadata}
	text, err := json.Marshal(part)
	r.Object = text
	return err
}

// judge redacts the object of a row and hides the cells that it does not explain. With
// hide they are hidden also if there is no Secret in it, for it is not the whole object.
func (r *tableRow) judge(columns []column, hide bool, metadata *json.RawMessage) error {
	before, after := map[string]int{}, map[string]int{}
	if len(r.Object) > 0 {
		d := json.NewDecoder(bytes.NewReader(r.Object))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			return fmt.Errorf("read what the cluster answers: %w", err)
		}
		texts(v, before)
		if !walk(v, false) && !hide {
			return nil
		}
		texts(v, after)
		object, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("write what the cluster answers: %w", err)
		}
		r.Object = object
		var o struct {
			Metadata json.RawMessage `json:"metadata"`
		}
		if err := json.Unmarshal(object, &o); err != nil {
			return fmt.Errorf("read what the cluster answers: %w", err)
		}
		*metadata = o.Metadata
	}
	for i, cell := range r.Cells {
		var of column
		if i < len(columns) {
			of = columns[i]
		}
		if !explained(cell, of, before, after) {
			r.Cells[i] = json.RawMessage(`"` + hidden + `"`)
		}
	}
	return nil
}

// explained says whether a cell shows nothing secret: it is no text, or an age, or a text
// that stands in the object, after what is secret was taken out, as often as before.
func explained(cell json.RawMessage, of column, before, after map[string]int) bool {
	if bytes.HasPrefix(cell, []byte("{")) || bytes.HasPrefix(cell, []byte("[")) {
		return false
	}
	if of.Type == "date" || !bytes.HasPrefix(cell, []byte(`"`)) {
		return true
	}
	var text string
	if json.Unmarshal(cell, &text) != nil {
		return false
	}
	return text == "" || after[text] > 0 && after[text] == before[text]
}

// texts counts the values in v, as they are written.
func texts(v any, into map[string]int) {
	switch v := v.(type) {
	case map[string]any:
		for _, item := range v {
			texts(item, into)
		}
	case []any:
		for _, item := range v {
			texts(item, into)
		}
	case nil:
	default:
		into[fmt.Sprint(v)]++
	}
}
