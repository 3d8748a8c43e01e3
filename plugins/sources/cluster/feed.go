package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"strconv"
	"time"
)

// Change is what became of an object.
type Change string

// The changes.
const (
	Added    Change = "ADDED"
	Modified Change = "MODIFIED"
	Deleted  Change = "DELETED"
)

// Feed follows one kind of objects. Its functions are called one after the other;
// an error of one of them ends Run. Those that are nil are not called.
type Feed[T any] struct {
	Client *Client
	// Path is that of the collection, such as /api/v1/pods; Query narrows it.
	Path  string
	Query url.Values
	// Metadata asks for nothing but the objects' metadata.
	Metadata bool
	// From is the resource version to go on after; empty: from a list.
	From string

	// Slim, if set, takes from an item what is not needed as soon as it has arrived,
	// so that a list never stands in memory as a whole.
	Slim func(*T)
	// Recalled is given the world at From, while the API server knows it. Only
	// asked for if it is set.
	Recalled func(ctx context.Context, items []T) error
	// Listed is given the world as it is. lost says that the API server could not
	// tell what happened between the version before and now.
	Listed func(ctx context.Context, items []T, kind, version string, lost bool) error
	// Changed is given one object and the version after it.
	Changed func(ctx context.Context, how Change, item T, version string) error
	// Seen says that nothing else happened up to a version; also when a watch has ended
	// in peace, that nothing did by then.
	Seen func(ctx context.Context, version string) error
	// Trouble is told when the cluster has not let itself be followed for a while,
	// and nil when it does again.
	Trouble func(ctx context.Context, err error) error
	// Troubled says that trouble was told in a life before, and not that it is over.
	Troubled bool

	version  string // seen up to here; empty: list
	recalled bool   // or there is nothing to recall
	doubted  bool   // whether version is one of this cluster's is to be looked at

	tries    int // since the cluster answered
	denials  int // the latest of them, in a row, in which the credentials were not taken
	troubled bool
}

// stopped is an error of whoever is told, not of the cluster.
type stopped struct{ error }

func (s stopped) Unwrap() error { return s.error }

func stop(err error) error {
	if err == nil {
		return nil
	}
	return stopped{err}
}

// Pauses between tries. What is not there, or not allowed, is asked for rarely.
const (
	firstPause = 200 * time.Millisecond
	lastPause  = 30 * time.Second
)

// Tries until there is trouble. An API server that does not answer, or not yet, is
// mostly being restarted: that takes less than the minute that so many tries last.
const (
	patience = 4
	patient  = 9
)

func (f *Feed[T]) triesUntilTrouble(err error) int {
	if denied(err) && f.Client.known.Load() {
		return patient // others are asked for before
	}
	if r, ok := errors.AsType[*Refusal](err); ok && !r.passes() {
		return patience
	}
	return patient
}

// Refusals in a row until credentials are given up that the API server has taken before,
// which is some seconds: whoever gave them may have newer ones.
const rotated = 5

// dismissed says why a feed ends whose credentials are not taken, nil if it goes on.
// Those that never were, in this life, are told as trouble before.
func (f *Feed[T]) dismissed(ctx context.Context, err error) error {
	known := f.Client.known.Load()
	switch {
	case !denied(err), f.denials < rotated, !known && f.denials < patient, !f.Client.strange(ctx):
		return nil
	case known:
		return fmt.Errorf("the API server no longer takes the credentials of the kubeconfig, which is to be read anew: %w", err)
	}
	return fmt.Errorf("the API server does not take the credentials of the kubeconfig: %w", err)
}

// Run follows until ctx ends, which is no error, or until the API server has not taken
// the credentials for a while.
func (f *Feed[T]) Run(ctx context.Context) error {
	f.troubled = f.Troubled
	f.version, f.doubted, f.recalled = f.From, f.From != "", f.From == "" || f.Recalled == nil
	for lost := false; ; {
		err := f.follow(ctx, lost)
		if _, own := errors.AsType[stopped](err); own || ctx.Err() != nil {
			return ended(ctx, err)
		}
		if lost = Gone(err); lost {
			f.version = ""
		}
		wait := firstPause
		if err != nil {
			f.doubted = true
			f.tries++
			if f.denials++; !denied(err) {
				f.denials = 0
			}
			if end := f.dismissed(ctx, err); end != nil {
				return end
			}
			if f.tries >= f.triesUntilTrouble(err) && !f.troubled && f.Trouble != nil {
				f.troubled = true
				if err := f.Trouble(ctx, err); err != nil {
					return ended(ctx, err)
				}
			}
			wait = min(firstPause<<min(f.tries-1, 10), lastPause)
		}
		if !pause(ctx, wait) {
			return nil
		}
	}
}

// answered notes that the cluster lets itself be followed.
func (f *Feed[T]) answered(ctx context.Context) error {
	f.tries, f.denials = 0, 0
	if !f.troubled {
		return nil
	}
	f.troubled = false
	return stop(f.Trouble(ctx, nil))
}

func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // told to stop
	}
	return err
}

func pause(ctx context.Context, about time.Duration) bool {
	select {
	case <-time.After(about/2 + rand.N(about)):
		return true
	case <-ctx.Done():
		return false
	}
}

// recall asks for the world at From. What is forgotten is no error: the list that
// follows is compared with what the source remembers.
func (f *Feed[T]) recall(ctx context.Context) error {
	items, _, _, err := f.list(ctx, url.Values{"resourceVersion": {f.From}, "resourceVersionMatch": {"Exact"}})
	r, refused := errors.AsType[*Refusal](err)
	switch {
	case err == nil:
		f.recalled = true
		return stop(f.Recalled(ctx, items))
	case refused && !denied(err) && (!r.passes() || f.tries >= patience):
		f.version, f.recalled = "", true
		return nil
	}
	return err
}

// behind says whether the cluster's versions are lower than the one that was seen: it
// was restored from a backup, and a watch from there would be silent, without an
// error, until they have caught up.
func (f *Feed[T]) behind(ctx context.Context) (bool, error) {
	query := url.Values{"limit": {"1"}}
	for k, v := range f.Query {
		query[k] = v
	}
	var p page
	if err := f.page(ctx, query, &p); err != nil {
		return false, err
	}
	seen, err := strconv.ParseUint(f.version, 10, 64)
	now, err2 := strconv.ParseUint(p.Metadata.ResourceVersion, 10, 64)
	return err == nil && err2 == nil && now < seen, nil
}

// follow lists if need be, and watches until the watch ends.
func (f *Feed[T]) follow(ctx context.Context, lost bool) error {
	if f.doubted && f.version != "" {
		behind, err := f.behind(ctx)
		if err != nil {
			return err
		}
		if behind {
			f.version, f.recalled, lost = "", true, true
		}
	}
	f.doubted = false
	if !f.recalled {
		if err := f.recall(ctx); err != nil {
			return err
		}
	}
	if f.version == "" {
		items, kind, version, err := f.list(ctx, url.Values{})
		if err != nil {
			return err
		}
		if err := f.Listed(ctx, items, kind, version, lost || f.From != ""); err != nil {
			return stop(err)
		}
		f.version = version
	}
	if err := f.watch(ctx); err != nil || f.Seen == nil {
		return err
	}
	return stop(f.Seen(ctx, f.version))
}

type page struct {
	Kind     string `json:"kind"`
	Metadata struct {
		ResourceVersion string `json:"resourceVersion"`
		Continue        string `json:"continue"`
	} `json:"metadata"`
}

const pageSize = "500"

func (f *Feed[T]) list(ctx context.Context, query url.Values) (items []T, kind, version string, err error) {
	for k, v := range f.Query {
		query[k] = v
	}
	query.Set("limit", pageSize)
	for {
		var p struct {
			page
			Items []T `json:"items"`
		}
		if err := f.page(ctx, query, &p); err != nil {
			return nil, "", "", err
		}
		if f.Slim != nil {
			for i := range p.Items {
				f.Slim(&p.Items[i])
			}
		}
		items = append(items, p.Items...)
		if p.Metadata.Continue == "" {
			return items, p.Kind, p.Metadata.ResourceVersion, nil
		}
		query.Set("continue", p.Metadata.Continue)
		query.Del("resourceVersion")
		query.Del("resourceVersionMatch")
	}
}

func (f *Feed[T]) page(ctx context.Context, query url.Values, into any) error {
	ctx, cancel := context.WithTimeout(ctx, longestList)
	defer cancel()
	body, err := f.Client.get(ctx, f.Path, query, f.accept("PartialObjectMetadataList"))
	if err != nil {
		return err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(into); err != nil {
		return fmt.Errorf("read %s: %w", f.Path, err)
	}
	return nil
}

func (f *Feed[T]) accept(as string) string {
	if f.Metadata {
		return "application/json;as=" + as + ";g=meta.k8s.io;v=v1"
	}
	return "application/json"
}

// watchFor is how long the API server is asked to keep a watch open; it is given up
// somewhat later, so that a connection that died in silence is noticed.
const watchFor = 5 * time.Minute

// watch tells of changes after f.version until the API server ends the watch.
func (f *Feed[T]) watch(ctx context.Context) error {
	open, cancel := context.WithTimeout(ctx, watchFor+30*time.Second)
	defer cancel()
	query := url.Values{
		"watch": {"true"}, "allowWatchBookmarks": {"true"}, "resourceVersion": {f.version},
		"timeoutSeconds": {strconv.Itoa(int(watchFor / time.Second))},
	}
	for k, v := range f.Query {
		query[k] = v
	}
	body, err := f.Client.get(open, f.Path, query, f.accept("PartialObjectMetadata"))
	if err != nil {
		return err
	}
	defer body.Close()
	if err := f.answered(ctx); err != nil {
		return err
	}
	for in := newLines(body); ; {
		text, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("watch %s: %w", f.Path, err)
		}
		if err := f.line(ctx, text); err != nil {
			return err
		}
	}
}

// line tells of one line of a watch. An item is decoded once: in a storm, reading JSON
// is most of what a source does.
func (f *Feed[T]) line(ctx context.Context, text []byte) error {
	var read struct {
		Type   Change `json:"type"`
		Object T      `json:"object"`
	}
	known, versioned := any(&read.Object).(Versioned)
	if versioned {
		text = withoutManagers(text)
	}
	err := json.Unmarshal(text, &read)
	switch read.Type {
	case Added, Modified, Deleted:
	default: // what it says of itself need not look like an item
		return f.sign(ctx, text)
	}
	version := ""
	switch {
	case err != nil:
	case versioned:
		version = known.Version()
	default:
		version, err = versionIn(text)
	}
	if err != nil {
		return fmt.Errorf("watch %s: %w", f.Path, err)
	}
	if f.Slim != nil {
		f.Slim(&read.Object)
	}
	if err := f.Changed(ctx, read.Type, read.Object, version); err != nil {
		return stop(err)
	}
	f.version = version
	return nil
}

// sign is a line that is about no item: a bookmark, or an error.
func (f *Feed[T]) sign(ctx context.Context, text []byte) error {
	var read struct {
		Type   Change  `json:"type"`
		Object Refusal `json:"object"`
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return fmt.Errorf("watch %s: %w", f.Path, err)
	}
	if read.Type == "ERROR" {
		return &read.Object
	}
	version, err := versionIn(text)
	if err != nil {
		return fmt.Errorf("watch %s: %w", f.Path, err)
	}
	if f.Seen != nil {
		if err := f.Seen(ctx, version); err != nil {
			return stop(err)
		}
	}
	f.version = version
	return nil
}
