package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/url"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pageSize keeps the body of one list answer to a few megabytes.
const pageSize = "250"

// key names an object within its kind.
type key struct{ namespace, name string }

// metadata is what is read of an object's metadata.
type metadata struct {
	Name              string            `json:"name"`
	Namespace         string            `json:"namespace,omitempty"`
	UID               string            `json:"uid,omitempty"`
	ResourceVersion   string            `json:"resourceVersion,omitempty"`
	Generation        int64             `json:"generation,omitempty"`
	CreationTimestamp metav1.Time       `json:"creationTimestamp,omitzero"`
	Labels            map[string]string `json:"labels,omitempty"`
	Annotations       map[string]string `json:"annotations,omitempty"`
}

func (m *metadata) meta() *metadata { return m }
func (m *metadata) key() key        { return key{m.Namespace, m.Name} }

// object is what a feed carries: a struct that embeds metadata under
// "metadata".
type object interface{ meta() *metadata }

// feed lists and watches one resource in one scope. Its callbacks are called
// by one goroutine, in order: replace with the whole content after each list,
// followed, then put and drop for each change.
type feed[T any, P interface {
	*T
	object
}] struct {
	client   *client
	resource resource
	// namespace is the scope; empty for the whole cluster.
	namespace string
	// query holds selectors.
	query url.Values

	replace func([]P)
	put     func(P)
	drop    func(key)
	// followed, if any, is called when the server has taken a watch: from then on
	// nothing is missed that comes after what is known.
	followed func()
	// heard is called whenever the server said something.
	heard func()
}

// run lists and watches until ctx ends or something goes wrong that listing
// again would not mend.
func (f *feed[T, P]) run(ctx context.Context) error {
	for {
		version, err := f.list(ctx)
		if err == nil {
			err = f.follow(ctx, version)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case apierrors.IsResourceExpired(err) || apierrors.IsGone(err):
			// Too far behind: list again.
		default:
			return fmt.Errorf("watch %s: %w", f, err)
		}
	}
}

func (f *feed[T, P]) String() string {
	if f.namespace == "" {
		return f.resource.plural
	}
	return f.resource.plural + " in " + f.namespace
}

func (f *feed[T, P]) list(ctx context.Context) (version string, err error) {
	query := url.Values{"limit": {pageSize}}
	maps.Copy(query, f.query)
	var all []P
	for {
		var page struct {
			Metadata metav1.ListMeta `json:"metadata"`
			Items    []T             `json:"items"`
		}
		if err := f.client.get(ctx, f.resource.path(f.namespace, ""), query, &page); err != nil {
			return "", err
		}
		f.heard()
		for i := range page.Items {
			all = append(all, &page.Items[i])
		}
		if page.Metadata.Continue == "" {
			f.replace(all)
			return page.Metadata.ResourceVersion, nil
		}
		query.Set("continue", page.Metadata.Continue)
	}
}

// follow watches from a version on, over any number of streams. A stream that
// breaks is opened again at once: if the cluster is gone, that tells. One that the
// server ends with an answer for a moment is opened again after that.
func (f *feed[T, P]) follow(ctx context.Context, version string) error {
	for short := 0; ; {
		query := url.Values{
			"watch": {"true"}, "allowWatchBookmarks": {"true"}, "resourceVersion": {version},
			// Spread, so that the watches of a fleet do not end together.
			"timeoutSeconds": {strconv.Itoa(300 + rand.IntN(300))},
		}
		maps.Copy(query, f.query)
		body, err := f.client.watch(ctx, f.resource.path(f.namespace, ""), query)
		if err != nil {
			return err
		}
		f.heard()
		if f.followed != nil {
			f.followed()
		}
		begun := time.Now()
		version, err = f.drain(body, version)
		if short++; time.Since(begun) > time.Second {
			short = 0
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && (!passes(err) || short == shortest):
			return err
		case short == shortest:
			return errors.New("the server ends every watch at once")
		case err != nil:
			if err := pause(ctx, min(respite(err, short), f.client.answer)); err != nil {
				return err
			}
		}
	}
}

// shortest is how many watches may end at once, one after the other.
const shortest = 3

// drain takes events until the stream ends, however it does, and returns the
// last version seen. Errors are those that the server tells, or that it sent
// what is no object.
func (f *feed[T, P]) drain(body io.ReadCloser, version string) (string, error) {
	defer func() { _ = body.Close() }() // reading told all there is to tell
	decoder := json.NewDecoder(body)
	for {
		var event struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if decoder.Decode(&event) != nil {
			return version, nil
		}
		f.heard()
		if event.Type == "ERROR" {
			var status metav1.Status
			if err := json.Unmarshal(event.Object, &status); err != nil {
				return version, fmt.Errorf("decode the error of a watch: %w", err)
			}
			return version, &apierrors.StatusError{ErrStatus: status}
		}
		o := P(new(T))
		if err := json.Unmarshal(event.Object, o); err != nil {
			return version, fmt.Errorf("decode %s: %w", f.resource.kind, err)
		}
		version = o.meta().ResourceVersion
		switch event.Type {
		case "ADDED", "MODIFIED":
			f.put(o)
		case "DELETED":
			f.drop(o.meta().key())
		}
	}
}
