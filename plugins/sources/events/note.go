package events

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/sources/cluster"
)

// note is an Event of events.k8s.io/v1, and what the older recorders leave in it.
type note struct {
	Metadata   cluster.Meta `json:"metadata"`
	Time       *time.Time   `json:"eventTime,omitempty"`
	Series     *series      `json:"series,omitempty"`
	Type       string       `json:"type"`
	Reason     string       `json:"reason"`
	Action     string       `json:"action,omitempty"`
	Note       string       `json:"note"`
	Controller string       `json:"reportingController,omitempty"`
	Regarding  reference    `json:"regarding"`
	Related    *reference   `json:"related,omitempty"`
	// Of core/v1.
	Count  int        `json:"deprecatedCount,omitempty"`
	Last   *time.Time `json:"deprecatedLastTimestamp,omitempty"`
	Source *struct {
		Component string `json:"component,omitempty"`
		Host      string `json:"host,omitempty"`
	} `json:"deprecatedSource,omitempty"`
}

type series struct {
	Count int       `json:"count"`
	Last  time.Time `json:"lastObservedTime"`
}

type reference struct {
	Kind       string `json:"kind,omitempty"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name,omitempty"`
	UID        string `json:"uid,omitempty"`
	APIVersion string `json:"apiVersion,omitempty"`
}

// at is when it happened the last time, and how often it has.
func (n *note) at() (last time.Time, count int) {
	switch {
	case n.Series != nil:
		return n.Series.Last, n.Series.Count
	case n.Last != nil:
		return *n.Last, max(n.Count, 1)
	case n.Time != nil:
		return *n.Time, 1
	}
	return n.Metadata.Created, 1
}

// Version implements cluster.Versioned.
func (n *note) Version() string { return n.Metadata.Version }

// covered says whether a problem tells what this Event says.
func (n *note) covered(c *config) bool {
	by := map[string]string{
		"Evicted": evicted, "NodeNotReady": notReady, "BackoffLimitExceeded": jobFailed, "DeadlineExceeded": jobFailed,
	}[n.Reason]
	pulls := strings.Contains(strings.ToLower(n.Note), "image")
	switch {
	case n.Reason == "BackOff" && pulls, n.Reason == "Failed" && pulls, n.Reason == "InspectFailed":
		by = imagePull
	case n.Reason == "BackOff":
		by = crashLoop
	}
	return by != "" && !c.skips(by)
}

func (c *config) wants(n *note) bool {
	return slices.Contains(c.Events.Types, n.Type) && c.covers(n.Regarding.Namespace) && c.Events.Reasons.Has(n.Reason) &&
		(c.Events.Covered || !n.covered(c))
}

// event is what is told of it. Its ID is that of this occurrence, whenever and
// however it is seen; what it is about is left to ferry, which knows workloads by
// their pods' names.
func (n *note) event(clusterName string) api.Event {
	at, count := n.at()
	e := api.Event{
		ID: fmt.Sprintf("event/%s/%d/%d", n.Metadata.UID, count, at.UnixMicro()), At: at, Cluster: clusterName,
		Kind: n.Regarding.Kind, Namespace: n.Regarding.Namespace, Name: n.Regarding.Name, Reason: n.Reason, Severity: api.SeverityInfo, Count: count,
		Moment: true, // no Event says that another one is over
	}
	if n.Type == "Warning" {
		e.Severity = api.SeverityWarning
	}
	first, rest, _ := strings.Cut(strings.TrimSpace(n.Note), "\n")
	e.Title = cluster.Clip(fmt.Sprintf("%s: %s: %s", n.Regarding.Name, n.Reason, first), 300)
	e.Text = cluster.Clip(rest, 4000)
	if n.Source != nil && n.Source.Host != "" {
		e.Labels = map[string]string{"node": n.Source.Host}
	}
	if object, err := json.Marshal(n); err == nil {
		e.Object = object
	}
	return e
}

// eventsLive is how long API servers keep Events unless they are told otherwise.
const eventsLive = time.Hour

// notes follows Events. Each is told when the version that it came with was reached;
// after a gap those that are newer than the last one.
func (w *watcher) notes() func(context.Context) error {
	query := url.Values{}
	if types := w.config.Events.Types; len(types) == 1 {
		query.Set("fieldSelector", "type="+types[0])
	}
	first := w.cursor.Events == ""
	f := &cluster.Feed[note]{
		Client: w.client, Path: "/apis/events.k8s.io/v1/events", Query: query, From: w.cursor.Events, Trouble: w.troubled("events"), Troubled: w.cursor.Troubled["events"],
		Seen: func(ctx context.Context, version string) error {
			defer w.out.Mark() // that somebody watched is to be known after a quiet hour, too
			return w.out.Do(ctx, func(func(api.Event)) { w.reached(version) })
		},
		Changed: func(ctx context.Context, how cluster.Change, n note, version string) error {
			return w.out.Do(ctx, func(tell func(api.Event)) {
				if how != cluster.Deleted && w.config.wants(&n) {
					tell(n.event(w.cluster))
				}
				w.reached(version)
			})
		},
		Listed: func(ctx context.Context, all []note, _, version string, _ bool) error {
			defer w.out.Mark()
			return w.out.Do(ctx, func(tell func(api.Event)) {
				if !first {
					w.catchUp(all, version, tell)
				}
				first = false
				w.reached(version)
			})
		},
	}
	return f.Run
}

func (w *watcher) reached(version string) { w.cursor.Events, w.cursor.At = version, w.now() }

// catchUp tells what came while nobody watched, in its order, and whether some of
// that can be gone already.
func (w *watcher) catchUp(all []note, version string, tell func(api.Event)) {
	newer := w.since(version)
	all = slices.DeleteFunc(all, func(n note) bool { return !newer(&n) || !w.config.wants(&n) })
	slices.SortStableFunc(all, order)
	if away := w.now().Sub(w.cursor.At); away > eventsLive {
		tell(api.Event{
			ID: "gap/" + w.cluster + "/" + w.cursor.Events, At: w.now(), Cluster: w.cluster, Reason: "EventsMissed", Severity: api.SeverityWarning,
			Title: "Events of " + w.cluster + " may be missing",
			Text: fmt.Sprintf("Nobody watched from %s to %s, and an API server keeps Events for an hour. What it still has follows.",
				stamp(w.cursor.At), stamp(w.now())),
			About: "ferry/source/" + w.cluster + "/gap", Moment: true,
		})
	}
	for i := range all {
		tell(all[i].event(w.cluster))
	}
}

// order is that in which Events were written, by their versions: many say only the second in which something happened.
func order(a, b note) int {
	v, err := strconv.ParseUint(a.Metadata.Version, 10, 64)
	u, err2 := strconv.ParseUint(b.Metadata.Version, 10, 64)
	if err == nil && err2 == nil {
		return cmp.Compare(v, u)
	}
	x, _ := a.at()
	y, _ := b.at()
	return x.Compare(y)
}

// since says which Events came after the cursor: by version, or by time if the API
// server's versions are not those of the cursor any more.
func (w *watcher) since(version string) func(*note) bool {
	last, err := strconv.ParseUint(w.cursor.Events, 10, 64)
	now, err2 := strconv.ParseUint(version, 10, 64)
	if err != nil || err2 != nil || now < last {
		return func(n *note) bool {
			at, _ := n.at()
			return at.After(w.cursor.At)
		}
	}
	return func(n *note) bool {
		v, err := strconv.ParseUint(n.Metadata.Version, 10, 64)
		return err != nil || v > last
	}
}
