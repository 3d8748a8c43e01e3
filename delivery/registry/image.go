package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

var (
	tagged   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	digested = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

const (
	// sessionLife is after which time credentials are looked up again.
	sessionLife = 10 * time.Minute
	// tagPages and tagsPerPage bound a list of tags; more than 1000 a page is an
	// error to some registries.
	tagPages, tagsPerPage = 20, 1000
	// maxPage and maxManifest bound the bodies that are read.
	maxPage, maxManifest = 4 << 20, 4 << 20
)

// manifests are what a tag may stand for. Registries convert what is not asked
// for, and its digest is another one then.
var manifests = strings.Join([]string{
	string(types.OCIImageIndex), string(types.DockerManifestList), string(types.OCIManifestSchema1), string(types.DockerManifestSchema2),
}, ", ")

// wanted is a tag, a digest or both; says is how it was asked for.
type wanted struct {
	tag, digest, says string
	chart             bool
}

func (w wanted) reference() string {
	if w.tag == "" {
		return w.digest
	}
	return w.tag
}

// split splits "tag@digest", "tag" or "digest".
func split(version string) (tag, digest string) {
	if strings.HasPrefix(version, "sha256:") {
		return "", version
	}
	tag, digest, _ = strings.Cut(version, "@")
	return tag, digest
}

// errMissing is a 404.
var errMissing = errors.New("it is not there")

// ask answers from what is known, or has the registry asked.
func (r *Registry) ask(ctx context.Context, p place, w wanted) (Found, error) {
	key := p.shown + " " + w.says
	if w.chart {
		key = "the chart " + key
	}
	if f, ok := r.answers.get(key); ok {
		return copied(f), nil
	}
	f, err := together(ctx, &r.flights, key, r.o.Timeout, func(ctx context.Context) (Found, error) {
		f, err := r.look(ctx, p, w)
		if err != nil {
			return f, r.explain(ctx, err, p.host(), p.shown)
		}
		life := briefly
		if f.Exists && w.tag == "" {
			life = forever
		}
		r.answers.put(key, f, 1, life)
		return f, nil
	})
	return copied(f), err
}

func (r *Registry) look(ctx context.Context, p place, w wanted) (Found, error) {
	if err := r.paused(p.host()); err != nil {
		return Found{}, err
	}
	digest, err := r.digest(ctx, p.repo, w.reference())
	switch {
	case errors.Is(err, errMissing):
		return r.missing(ctx, p, w), nil
	case err != nil:
		return Found{}, err
	case w.digest != "" && digest != w.digest:
		return Found{
			Digest: digest, Why: OtherDigest,
			Says: fmt.Sprintf("the tag `%s` of %s is `%s` now, not `%s`", w.tag, p.shown, digest, w.digest),
		}, nil
	}
	return Found{Exists: true, Digest: digest}, nil
}

// missing finds out what it is that is not there. That the version is not is
// certain: what else cannot be found out is left out.
func (r *Registry) missing(ctx context.Context, p place, w wanted) Found {
	what := "tag"
	switch {
	case w.chart:
		what = "chart version"
	case w.tag == "":
		what = "digest"
	}
	f := Found{Why: NoVersion, Says: fmt.Sprintf("%s has no %s `%s`", p.shown, what, w.says)}
	tags, err := r.tags(ctx, p.repo)
	switch {
	case errors.Is(err, errMissing):
		f.Why, f.Says = NoRepository, fmt.Sprintf("there is no repository %s", p.shown)
		return f
	case err != nil:
		r.o.Log.Debug("tags cannot be listed: nothing is suggested, or less", "repository", p.shown, "error", err)
	}
	if w.tag == "" {
		return f // nothing is near a digest
	}
	asked := w.tag
	if w.chart {
		asked = w.says
		for i, tag := range tags {
			tags[i] = strings.ReplaceAll(tag, "_", "+")
		}
	}
	f.Near = nearest(asked, tags, mostOf)
	return f
}

// digest returns what a tag or a digest is.
func (r *Registry) digest(ctx context.Context, repo name.Repository, reference string) (string, error) {
	at := address(repo, "manifests/"+reference)
	resp, err := r.send(ctx, repo, http.MethodHead, at)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if d := resp.Header.Get("Docker-Content-Digest"); resp.StatusCode == http.StatusOK && digested.MatchString(d) {
		return matching(reference, d)
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusMethodNotAllowed, http.StatusNotImplemented: // one that does not know HEAD, or digests
	default:
		return "", r.refused(repo, resp)
	}
	full, err := r.send(ctx, repo, http.MethodGet, at)
	if err != nil {
		return "", err
	}
	defer full.Body.Close()
	if full.StatusCode != http.StatusOK {
		return "", r.refused(repo, full)
	}
	body, err := io.ReadAll(io.LimitReader(full.Body, maxManifest+1))
	if err != nil {
		return "", fmt.Errorf("read the manifest: %w", err)
	}
	if len(body) > maxManifest {
		return "", fmt.Errorf("the manifest has more than %d bytes", maxManifest)
	}
	var manifest struct {
		SchemaVersion int `json:"schemaVersion"`
	}
	if err := json.Unmarshal(body, &manifest); err != nil || manifest.SchemaVersion == 0 {
		return "", errors.New("what answers there is no manifest of an image")
	}
	sum := sha256.Sum256(body)
	return matching(reference, "sha256:"+hex.EncodeToString(sum[:]))
}

// matching refuses an answer about something else than was asked for.
func matching(reference, digest string) (string, error) {
	if strings.HasPrefix(reference, "sha256:") && reference != digest {
		return "", fmt.Errorf("asked for %s, the registry answers with %s", reference, digest)
	}
	return digest, nil
}

// tags lists the tags of a repository, the first ones where there are very many
// or where time runs out; the error says that there may be more.
func (r *Registry) tags(ctx context.Context, repo name.Repository) ([]string, error) {
	var all []string
	next := address(repo, "tags/list")
	next.RawQuery = "n=" + strconv.Itoa(tagsPerPage)
	for page := 0; next != nil && page < tagPages; page++ {
		tags, following, err := r.tagPage(ctx, repo, next)
		if err != nil {
			return all, err
		}
		all, next = append(all, tags...), following
	}
	return all, nil
}

func (r *Registry) tagPage(ctx context.Context, repo name.Repository, at *url.URL) (tags []string, next *url.URL, err error) {
	resp, err := r.send(ctx, repo, http.MethodGet, at)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, r.refused(repo, resp)
	}
	var page struct {
		Tags []string `json:"tags"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxPage)).Decode(&page); err != nil {
		return nil, nil, fmt.Errorf("read a list of tags: %w", err)
	}
	link, rest, ok := strings.Cut(strings.TrimPrefix(resp.Header.Get("Link"), "<"), ">")
	if !ok || !strings.Contains(rest, "next") {
		return page.Tags, nil, nil
	}
	next, err = at.Parse(link)
	if err != nil || next.Host != at.Host || next.Scheme != at.Scheme {
		return page.Tags, nil, nil // a list that leads elsewhere ends here
	}
	return page.Tags, next, nil
}

func address(repo name.Repository, below string) *url.URL {
	return &url.URL{Scheme: repo.Scheme(), Host: repo.RegistryStr(), Path: "/v2/" + repo.RepositoryStr() + "/" + below}
}

// send asks a registry, signed in if it wants that. Every status is an answer.
func (r *Registry) send(ctx context.Context, repo name.Repository, method string, at *url.URL) (*http.Response, error) {
	session, err := r.session(ctx, repo)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, at.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	req.Header.Set("Accept", manifests)
	if !strings.Contains(at.Path, "/manifests/") {
		req.Header.Set("Accept", "application/json")
	}
	client := http.Client{Transport: session, CheckRedirect: redirected}
	return client.Do(req)
}

// session returns a transport that is signed in where the registry wants that.
// Making one takes a request or two.
func (r *Registry) session(ctx context.Context, repo name.Repository) (http.RoundTripper, error) {
	key := repo.String()
	if s, ok := r.sessions.get(key); ok {
		return s, nil
	}
	who, err := r.keys.find(ctx, repo.RegistryStr(), repo.RepositoryStr())
	if err != nil {
		return nil, err
	}
	s, err := transport.NewWithContext(ctx, repo.Registry, who, r.transport, []string{repo.Scope(transport.PullScope)})
	if err != nil {
		return nil, err
	}
	r.sessions.put(key, s, 1, sessionLife)
	return s, nil
}

// refused is what a status means that is not success. Who was not let in signs in
// anew next time: perhaps with other credentials.
func (r *Registry) refused(repo name.Repository, resp *http.Response) error {
	if resp.StatusCode == http.StatusNotFound {
		return errMissing
	}
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		r.sessions.drop(repo.String())
	}
	return statusOf(resp)
}

// redirected follows up to ten redirects, none of which may give up encryption.
func redirected(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("more than 10 redirects")
	}
	if req.URL.Scheme != "https" && via[0].URL.Scheme == "https" {
		return fmt.Errorf("a redirect from https to %s", req.URL.Redacted())
	}
	return nil
}
