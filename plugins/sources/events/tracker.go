package events

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"ferry/plugins/api"
)

// subject is whom a problem is about: the workload that owns what has it, so that
// ten pods of one deployment are one problem.
type subject struct{ Kind, Namespace, Name string }

// finding is one thing that is wrong with one object.
type finding struct {
	subject
	Reason string
	// Mark tells one occurrence from the next: another one is told again, as news
	// of the same problem. It stays the same for as long as nothing new happens.
	Mark string
	// Stamp makes the problem's ID together with its name: the same if the same
	// object is seen again after a crash, another one the next time.
	Stamp    string
	Severity string
	// What follows the name in the title, for example "is in a crash loop".
	Says, Text string
	Labels     map[string]string
	Count      int
}

func (f *finding) key() string {
	return strings.Join([]string{f.Kind, f.Namespace, f.Name, f.Reason}, "/")
}

// view is what is wrong with an object now, and when it has to be looked at again
// because time alone changes it; zero: never.
type view struct {
	findings []finding
	again    time.Time
}

// mark is that of what happened last.
func (v view) mark() (last string) {
	for i := range v.findings {
		last = max(last, v.findings[i].Mark)
	}
	return last
}

// told is what was told of a problem.
type told struct {
	ID   string `json:"i"`
	Mark string `json:"m,omitempty"`
}

// tracker knows what is wrong with whom. It keeps nothing of objects that nothing
// is wrong with.
type tracker struct {
	cluster string
	// settle is for how long something must not be seen until it is over: a
	// container that crashes runs for a while between two crashes.
	settle time.Duration

	told    map[string]told
	members map[string]map[string]finding // by problem, then object
	has     map[string][]string           // by object, its problems
	over    map[string]time.Time          // since when nobody has it
	looks   map[string]func(time.Time) view
	due     map[string]time.Time
	synced  map[string]bool // by resource: what is there was listed
	runs    *runs
}

func newTracker(cluster string, known map[string]told, settle time.Duration) *tracker {
	t := &tracker{
		cluster: cluster, settle: settle, told: map[string]told{}, members: map[string]map[string]finding{}, has: map[string][]string{},
		over: map[string]time.Time{}, looks: map[string]func(time.Time) view{}, due: map[string]time.Time{}, synced: map[string]bool{}, runs: newRuns(),
	}
	maps.Copy(t.told, known)
	return t
}

// mostTold is how many problems a cursor names. What is open beyond that is told
// again after a restart, mostly with the same ID.
const mostTold = 2000

func (t *tracker) remembered() map[string]told {
	if len(t.told) <= mostTold {
		return t.told
	}
	out := map[string]told{}
	for _, key := range slices.Sorted(maps.Keys(t.told))[:mostTold] {
		out[key] = t.told[key]
	}
	return out
}

// see looks at an object and tells what is new.
func (t *tracker) see(resource, object string, now time.Time, look func(time.Time) view, tell func(api.Event)) {
	object = resource + "/" + object
	v := look(now)
	delete(t.looks, object)
	delete(t.due, object)
	if !v.again.IsZero() {
		t.looks[object], t.due[object] = look, v.again
	}
	t.set(object, v.findings, now, tell)
}

// gone forgets an object.
func (t *tracker) gone(resource, object string, now time.Time, tell func(api.Event)) {
	object = resource + "/" + object
	delete(t.looks, object)
	delete(t.due, object)
	t.set(object, nil, now, tell)
}

// only forgets the objects of a resource that are no longer there. From then on
// what nobody has any more can be over.
func (t *tracker) only(resource string, there map[string]bool, now time.Time, tell func(api.Event)) {
	known := map[string]bool{}
	for object := range t.has {
		known[object] = true
	}
	for object := range t.looks {
		known[object] = true
	}
	for object := range known {
		if name, ok := strings.CutPrefix(object, resource+"/"); ok && !there[name] {
			t.gone(resource, name, now, tell)
		}
	}
	t.synced[resource] = true
	for key := range t.told {
		if len(t.members[key]) == 0 && t.over[key].IsZero() {
			t.over[key] = now
		}
	}
}

// set says what an object has.
func (t *tracker) set(object string, findings []finding, now time.Time, tell func(api.Event)) {
	before := t.has[object]
	delete(t.has, object)
	slices.SortStableFunc(findings, func(a, b finding) int { return strings.Compare(a.Mark, b.Mark) })
	for i := range findings {
		f := &findings[i]
		key := f.key()
		if !slices.Contains(t.has[object], key) {
			t.has[object] = append(t.has[object], key)
		} else if f.Mark <= t.members[key][object].Mark {
			continue // two containers of one pod
		}
		if t.members[key] == nil {
			t.members[key] = map[string]finding{}
		}
		t.members[key][object] = *f
		delete(t.over, key)
		t.news(key, object, f, now, tell)
	}
	for _, key := range before {
		if slices.Contains(t.has[object], key) {
			continue
		}
		delete(t.members[key], object)
		if len(t.members[key]) == 0 {
			delete(t.members, key)
			t.over[key] = now
		}
	}
}

// news tells of a problem that was not told, or of another occurrence of one.
func (t *tracker) news(key, object string, f *finding, now time.Time, tell func(api.Event)) {
	last, known := t.told[key]
	if known && (f.Mark == "" || f.Mark <= last.Mark) {
		return
	}
	if !known {
		last.ID = digest(key, object, f.Stamp)
	}
	last.Mark = f.Mark
	t.told[key] = last
	tell(api.Event{
		ID: last.ID + "/" + digest(f.Mark), At: now, Cluster: t.cluster, Kind: f.Kind, Namespace: f.Namespace, Name: f.Name, Reason: f.Reason,
		Severity: f.Severity, Title: f.Name + " " + f.Says, Text: f.Text, Labels: f.Labels, Count: f.Count, About: t.cluster + "/" + key,
	})
}

// tick looks again at what is due, and tells what is over.
func (t *tracker) tick(now time.Time, tell func(api.Event)) {
	for object, at := range t.due {
		if at.After(now) {
			continue
		}
		resource, name, _ := strings.Cut(object, "/")
		t.see(resource, name, now, t.looks[object], tell)
	}
	for key, since := range t.over {
		parts := strings.Split(key, "/")
		if now.Sub(since) < t.settle || len(parts) != 4 || !t.ready(parts[3]) {
			continue
		}
		delete(t.over, key)
		last, known := t.told[key]
		if !known {
			continue
		}
		delete(t.told, key)
		tell(api.Event{
			ID: last.ID + "/over", At: now, Cluster: t.cluster, Kind: parts[0], Namespace: parts[1], Name: parts[2], Reason: parts[3],
			Severity: api.SeverityInfo, Title: parts[2] + ": " + parts[3] + " is over", About: t.cluster + "/" + key, Resolved: true,
		})
	}
}

// ready says whether enough was seen to know that a problem is over.
func (t *tracker) ready(reason string) bool {
	for _, resource := range seenIn(reason) {
		if !t.synced[resource] {
			return false
		}
	}
	return true
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}
