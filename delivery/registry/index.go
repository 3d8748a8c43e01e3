package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

const (
	// maxIndex bounds an index.yaml; the largest that are known have some 20 MiB.
	maxIndex = 64 << 20
	// indexBytes bounds what is kept of all indexes together.
	indexBytes = 16 << 20
	// patience is how much longer than a look-up an index may take.
	patience = 6
)

// index is what is kept of an index.yaml.
type index struct {
	// charts are the versions of each chart as they stand there, by name, with a
	// line break between them: one string takes a fraction of a list of them.
	charts         map[string]string
	etag, modified string
	checked        time.Time
}

func (i *index) versions(chart string) []string {
	if i.charts[chart] == "" {
		return nil
	}
	return strings.Split(i.charts[chart], "\n")
}

func (i *index) has(chart, version string) bool {
	return slices.ContainsFunc(i.versions(chart), func(v string) bool { return same(version, v) })
}

// weight is about how many bytes it takes.
func (i *index) weight() int {
	n := 256
	for name, versions := range i.charts {
		n += len(name) + len(versions) + 64
	}
	return n
}

// inIndex looks a version up. One that is there stays there, for a while; for
// one that is not, the index is asked whether it has changed.
func (r *Registry) inIndex(ctx context.Context, repo Chart, version string) (Found, error) {
	at, shown, err := r.addresses.chart(repo.URL)
	if err != nil {
		return Found{}, err
	}
	known, ok := r.indexes.get(at.String())
	if ok {
		age := r.o.Clock().Sub(known.checked)
		ok = age < briefly || age < settled && known.has(repo.Name, version)
	}
	if !ok {
		if known, err = r.fetch(ctx, at, known); err != nil {
			return Found{}, err
		}
	}
	switch versions := known.versions(repo.Name); {
	case known.has(repo.Name, version):
		return Found{Exists: true}, nil
	case len(versions) == 0:
		return Found{Why: NoRepository, Says: fmt.Sprintf("the chart repository %s has no chart `%s`", shown, repo.Name)}, nil
	default:
		return Found{
			Why: NoVersion, Near: nearest(version, versions, mostOf),
			Says: fmt.Sprintf("the chart `%s` in %s has no version `%s`", repo.Name, shown, version),
		}, nil
	}
}

// fetch gets an index, unless it is still the known one, which may be nil.
func (r *Registry) fetch(ctx context.Context, at *url.URL, known *index) (*index, error) {
	return together(ctx, &r.flights, words(at), patience*r.o.Timeout, func(ctx context.Context) (*index, error) {
		if err := r.paused(at.Host); err != nil {
			return nil, err
		}
		i, err := r.download(ctx, at, known)
		if err != nil {
			return nil, r.explain(ctx, err, at.Host, words(at))
		}
		r.indexes.put(at.String(), i, i.weight(), 24*time.Hour)
		return i, nil
	})
}

func (r *Registry) download(ctx context.Context, at *url.URL, known *index) (*index, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	req.Header.Set("User-Agent", "ferry")
	if known != nil {
		setIf(req.Header, "If-None-Match", known.etag)
		setIf(req.Header, "If-Modified-Since", known.modified)
	}
	if err := r.signIndex(ctx, req); err != nil {
		return nil, err
	}
	client := http.Client{Transport: r.o.Transport, CheckRedirect: redirected}
	resp, err := client.Do(req)
	if e, ok := errors.AsType[*url.Error](err); ok {
		return nil, e.Err // without the address, which may hold a secret
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	now := r.o.Clock()
	switch {
	case resp.StatusCode == http.StatusNotModified && known != nil:
		same := *known
		same.checked = now
		return &same, nil
	case resp.StatusCode != http.StatusOK:
		return nil, statusOf(resp)
	}
	body := &io.LimitedReader{R: resp.Body, N: maxIndex + 1}
	charts, err := scan(body)
	switch {
	case body.N <= 0:
		return nil, fmt.Errorf("the index has more than %d MiB", maxIndex>>20)
	case err != nil:
		return nil, fmt.Errorf("read the index: %w", err)
	}
	return &index{charts: charts, etag: resp.Header.Get("Etag"), modified: resp.Header.Get("Last-Modified"), checked: now}, nil
}

// signIndex adds the credentials for the host, never to what goes unencrypted to
// one that is not meant to be asked that way.
func (r *Registry) signIndex(ctx context.Context, req *http.Request) error {
	who, err := r.keys.find(ctx, req.URL.Host, strings.TrimSuffix(req.URL.Path, "/index.yaml"))
	if err != nil || who == authn.Anonymous || req.URL.Scheme == "http" && !r.addresses.mayPlain(req.URL.Host) {
		return err
	}
	c, err := authn.Authorization(ctx, who)
	if err != nil {
		return errors.Join(errors.New("sign in"), err)
	}
	switch {
	case c.RegistryToken != "":
		req.Header.Set("Authorization", "Bearer "+c.RegistryToken)
	case c.Username != "":
		req.SetBasicAuth(c.Username, c.Password)
	}
	return nil
}

func setIf(h http.Header, key, value string) {
	if value != "" {
		h.Set(key, value)
	}
}
