package cluster

import (
	"fmt"
	"time"

	"ferry/plugins/api"
)

// Troubles are the kinds of which it was told that they cannot be followed, and not yet
// that they can again. They are part of a cursor, so that another life tells the end of
// it, and not once more its beginning.
type Troubles map[string]bool

// Note keeps what was told of a kind: Feed.Trouble's error.
func (t *Troubles) Note(resource string, err error) {
	if *t == nil {
		*t = Troubles{}
	}
	if err == nil {
		delete(*t, resource)
	} else {
		(*t)[resource] = true
	}
}

// TroubleEvent tells that a kind of objects cannot be followed and why, or with a
// nil error that it can again.
func TroubleEvent(cluster, resource string, err error, now time.Time) api.Event {
	e := api.Event{
		ID: fmt.Sprintf("trouble/%s/%s/%d", cluster, resource, now.UnixMilli()), At: now, Cluster: cluster,
		Reason: "NotWatched", Severity: api.SeverityWarning, About: "ferry/source/" + cluster + "/" + resource,
	}
	if err == nil {
		e.Resolved, e.Severity = true, api.SeverityInfo
		e.Title = fmt.Sprintf("%s of %s are watched again", resource, cluster)
		return e
	}
	e.Title = fmt.Sprintf("%s of %s cannot be watched", resource, cluster)
	e.Text = fmt.Sprintf("%v\nUntil it can, nothing of it is told. It is tried again every half minute.", err)
	return e
}
