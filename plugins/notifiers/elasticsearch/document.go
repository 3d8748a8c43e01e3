package elasticsearch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ferry/plugins/api"
)

// document is a notification as it is stored: with the field that every document of a
// data stream has, and the event as text, so that its fields cannot clash with others'.
type document struct {
	Timestamp time.Time `json:"@timestamp"`
	api.Notification
	Event string `json:"event,omitempty"`
}

// create is an action of a bulk request. Index is the data stream, if it is another
// than that of the address.
type create struct {
	ID    string `json:"_id"`
	Index string `json:"_index,omitempty"`
}

// bulk is a request for several documents, and which of them are in it; what becomes
// of the others stands in out.
func (c *cluster) bulk(all []api.Notification, out []api.Outcome) (body []byte, in []int) {
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	for i := range all {
		n := &all[i]
		action := create{ID: n.ID}
		if n.To != "" && n.To != c.Stream {
			if out[i].Err = named("to", n.To); out[i].Err != nil {
				continue
			}
			action.Index = n.To
		}
		before := b.Len()
		doc := document{Timestamp: n.At, Notification: *n, Event: string(n.Event)}
		if err := errors.Join(to.Encode(map[string]create{"create": action}), to.Encode(doc)); err != nil {
			b.Truncate(before)
			out[i].Err = fmt.Errorf("encode delivery %s: %w", n.ID, err)
			continue
		}
		in = append(in, i)
	}
	return b.Bytes(), in
}
