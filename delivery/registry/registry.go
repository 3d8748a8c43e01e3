// Package registry says whether a version exists, before ferry plans a change to
// it: an image's tag or digest is asked of its OCI registry, a chart's version of
// the index.yaml of its Helm repository or of its OCI registry. For what does not
// exist it names the versions nearest to it, for what does the digest that pins
// it.
//
// It only asks, and asks little: one HEAD for a tag that exists, a conditional
// GET for an index that is known, one request for all who ask the same at the
// same time. What cannot change (a digest, a version in an index) is remembered;
// that something is missing is believed for seconds only, because people push
// what they were told is missing. A registry that does not answer, or wants to be
// left alone, is not asked again for a while: the answer is then an error at
// once, and whoever asked goes on without it or not, as configured.
//
//	registry.go     what is asked and answered
//	image.go        tags, digests, lists of tags           (OCI distribution)
//	index.go        indexes of Helm repositories           (scan.go reads them)
//	address.go      mirrors, names, who may speak plain HTTP
//	credentials.go  who ferry is to a registry
//	nearest.go      which versions somebody may have meant
//	explain.go      what an error means for who asked
package registry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/sync/singleflight"

	"ferry/internal/fault"
)

// Options say who may be asked, and how. The zero value asks everybody, as
// nobody.
type Options struct {
	// Mirrors are addresses that are asked instead of others: of a registry's host
	// ("ghcr.io"), or of a chart repository and all below it ("https://…"). A path
	// in a registry's new address stands before the names of its repositories.
	Mirrors map[string]string
	// Credentials are by host of the address that is asked: of the mirror, where
	// there is one.
	Credentials map[string]Credential
	// DockerConfig is the path of a config.json as `docker login` writes it, for
	// hosts that are not in Credentials. It is read when it is needed.
	DockerConfig string
	// Insecure are hosts that speak plain HTTP. Loopback may by itself, and so may
	// a mirror whose address begins with http://.
	Insecure []string
	// Transport is nil for Go's default.
	Transport http.RoundTripper
	// Timeout bounds a look-up, 5 s if it is 0. An index may be large: fetching one
	// may take six times as long.
	Timeout time.Duration
	// Clock is nil for the time of day.
	Clock func() time.Time
	// Log is nil for none.
	Log *slog.Logger
}

// Credential is who ferry is to a host. Secret is asked each time that it signs
// in.
type Credential struct {
	User   string
	Secret func(context.Context) (string, error)
}

// Chart is a chart and where it is published: in a Helm repository ("https://…",
// whose index.yaml lists it by name), or in an OCI registry ("oci://…", where its
// repository is called like it; without a name URL is the repository itself).
type Chart struct {
	URL, Name string
}

// Why tells what is not there.
type Why string

// What may be missing.
const (
	NoRepository Why = "no_repository" // of images, or no chart of that name
	NoVersion    Why = "no_version"
	OtherDigest  Why = "other_digest" // the tag is there, and is something else
)

// Found is what a look-up says.
type Found struct {
	Exists bool
	// Digest is what the tag of an image or of a chart in an OCI registry is now:
	// "sha256:…", of the index where there are several platforms, which is what
	// tag@sha256:… pins. It is empty for a chart in a Helm repository.
	Digest string
	// Near are at most five versions that exist, the likeliest first, where the
	// wanted one does not. It may be empty.
	Near []string
	// Why and Says, a sentence for people, are set where Exists is false.
	Why  Why
	Says string
}

// How long what is known counts.
const (
	briefly = 5 * time.Second  // what may change: tags, and that something is missing
	settled = 10 * time.Minute // that a version is in an index
	forever = time.Hour        // that a digest exists
	mostOf  = 5                // versions that are suggested
)

// Registry looks versions up. It is safe for concurrent use.
type Registry struct {
	o         Options
	addresses addresses
	keys      keychain
	transport http.RoundTripper
	flights   singleflight.Group
	answers   *memory[Found]
	sessions  *memory[http.RoundTripper] // by repository: signed in where that is asked for
	indexes   *memory[*index]            // by address
	pauses    *memory[*fault.Error]      // by host: it is not asked until this is forgotten
}

// New checks the options. It sends nothing, and reads no file.
func New(o Options) (*Registry, error) {
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a, err := newAddresses(o.Mirrors, o.Insecure)
	if err != nil {
		return nil, err
	}
	return &Registry{
		o: o, addresses: a, keys: newKeychain(o),
		transport: transport.NewUserAgent(guard{o.Transport, a}, "ferry"),
		answers:   newMemory[Found](4096, o.Clock),
		sessions:  newMemory[http.RoundTripper](256, o.Clock),
		indexes:   newMemory[*index](indexBytes, o.Clock),
		pauses:    newMemory[*fault.Error](256, o.Clock),
	}, nil
}

// Image looks an image up: repository is its name without tag and digest,
// version a tag, a digest ("sha256:…"), or both ("tag@sha256:…"), in which case
// the tag must have that digest now. An error is Invalid (no such version can
// exist), Denied, Unavailable, or the end of ctx.
func (r *Registry) Image(ctx context.Context, repository, version string) (Found, error) {
	p, err := r.addresses.image(repository)
	if err != nil {
		return Found{}, err
	}
	tag, digest := split(version)
	if tag != "" && !tagged.MatchString(tag) || digest != "" && !digested.MatchString(digest) || tag+digest == "" {
		return Found{}, fault.Newf(fault.Invalid, "`%s` is not an image tag or digest", version).
			WithHelp("write a tag (6.5.4), a digest (sha256:…) or both (6.5.4@sha256:…)")
	}
	return r.ask(ctx, p, wanted{tag: tag, digest: digest, says: version})
}

// Chart looks a chart's version up, which must be exact: for a range it is
// Invalid. Errors are as those of Image.
func (r *Registry) Chart(ctx context.Context, repo Chart, version string) (Found, error) {
	if at, ok := strings.CutPrefix(repo.URL, "oci://"); ok {
		p, err := r.addresses.image(strings.TrimSuffix(at+"/"+repo.Name, "/"))
		if err != nil {
			return Found{}, err
		}
		// A tag has no plus sign; Helm writes an underscore.
		tag := strings.ReplaceAll(version, "+", "_")
		if !exact(version) || !tagged.MatchString(tag) {
			return Found{}, notExact(version)
		}
		return r.ask(ctx, p, wanted{tag: tag, says: version, chart: true})
	}
	if !exact(version) {
		return Found{}, notExact(version)
	}
	return r.inIndex(ctx, repo, version)
}

func notExact(version string) error {
	return fault.Newf(fault.Invalid, "`%s` is not the exact version of a chart", version).
		WithHelp("write all three numbers, as the chart is published, such as 6.5.4")
}

// together has all who ask for a key at the same time wait for one answer. Who
// asks may leave before it is there: the asking goes on for the others, for at
// most the time given.
func together[T any](ctx context.Context, g *singleflight.Group, key string, limit time.Duration, ask func(context.Context) (T, error)) (T, error) {
	answer := g.DoChan(key, func() (any, error) {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		return ask(bounded)
	})
	const more = time.Second // for what does not obey its context, such as a credential helper
	waiting, cancel := context.WithTimeout(ctx, limit+more)
	defer cancel()
	var none T
	select {
	case a := <-answer:
		if a.Err != nil {
			return none, a.Err
		}
		return a.Val.(T), nil
	case <-waiting.Done():
		if ctx.Err() != nil {
			return none, fmt.Errorf("look up %s: %w", key, context.Cause(ctx))
		}
		return none, fault.Newf(fault.Unavailable, "the look-up of %s did not end within %s", key, limit)
	}
}

// copied returns an answer that the caller may change.
func copied(f Found) Found {
	f.Near = slices.Clone(f.Near)
	return f
}
