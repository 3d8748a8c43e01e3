package registry

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"ferry/internal/fault"
)

// place is a repository of images: what people call it, and where it is asked
// for.
type place struct {
	shown string
	repo  name.Repository
}

func (p place) host() string { return p.repo.RegistryStr() }

// addresses know where things are asked for. They do not change.
type addresses struct {
	hosts  map[string]*url.URL // of registries, by canonical host
	charts []chartMirror       // the longest first
	plain  map[string]bool     // hosts that speak HTTP, and nothing else
}

type chartMirror struct {
	from string // without a slash at its end
	to   *url.URL
}

func newAddresses(mirrors map[string]string, insecure []string) (addresses, error) {
	a := addresses{hosts: map[string]*url.URL{}, plain: map[string]bool{}}
	for _, host := range insecure {
		a.plain[host] = true
	}
	for from, to := range mirrors {
		u, err := url.Parse(strings.TrimSuffix(to, "/"))
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return a, fmt.Errorf("the mirror of %s, %q, is no address: write scheme, host and path, such as https://mirror.example", from, to)
		}
		if u.Scheme == "http" {
			a.plain[u.Host] = true
		}
		switch host, err := name.NewRegistry(from); {
		case strings.HasPrefix(from, "https://"), strings.HasPrefix(from, "http://"):
			a.charts = append(a.charts, chartMirror{strings.TrimSuffix(from, "/"), u})
		case err != nil || from == "":
			return a, fmt.Errorf("%q has no mirror: write the host of a registry, such as ghcr.io, or the address of a chart repository, https://…", from)
		default:
			a.hosts[canonical(host.RegistryStr())] = u
		}
	}
	slices.SortFunc(a.charts, func(x, y chartMirror) int { return cmp.Compare(len(y.from), len(x.from)) })
	return a, nil
}

// canonical gives Docker Hub the one of its names that its API listens to.
func canonical(host string) string {
	switch host {
	case "docker.io", "registry-1.docker.io", "registry.hub.docker.com":
		return name.DefaultRegistry
	}
	return host
}

// image returns where an image is asked for, by its name without tag and digest.
func (a addresses) image(repository string) (place, error) {
	full, err := name.NewRepository(repository)
	if err != nil {
		return place{}, fault.Newf(fault.Invalid, "`%s` is not the name of an image", repository).
			WithHelp("a host and a path in lower case, such as ghcr.io/stefanprodan/podinfo").Because(err)
	}
	p := place{shown: repository}
	host, before := canonical(full.RegistryStr()), ""
	if mirror, ok := a.hosts[host]; ok {
		host, before = mirror.Host, strings.Trim(mirror.Path, "/")
	}
	var options []name.Option
	if a.plain[host] {
		options = append(options, name.Insecure)
	}
	reg, err := name.NewRegistry(host, options...)
	if err != nil {
		return p, fault.Newf(fault.Invalid, "`%s` is not a host", host).Because(err)
	}
	p.repo = reg.Repo(before, full.RepositoryStr())
	return p, nil
}

// chart returns where the index of a chart repository is asked for, and what
// people call the repository. Credentials in its address are not used: they have
// their own place.
func (a addresses) chart(repository string) (at *url.URL, shown string, err error) {
	u, err := url.Parse(strings.TrimSuffix(repository, "/"))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, "", fault.New(fault.Invalid, "that is not the address of a chart repository", "it begins with https:// or oci://")
	}
	u.User, shown = nil, words(u)
	for _, m := range a.charts {
		if rest, ok := strings.CutPrefix(shown, m.from); ok && (rest == "" || rest[0] == '/') {
			return m.to.JoinPath(rest, "index.yaml"), shown, nil
		}
	}
	return u.JoinPath("index.yaml"), shown, nil
}

// words are an address without what may be secret in it.
func words(u *url.URL) string {
	return strings.TrimSuffix((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String(), "/")
}

// mayPlain reports whether requests to a host may go unencrypted.
func (a addresses) mayPlain(host string) bool { return a.plain[host] || loopback(host) }

func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// guard is the transport of requests to registries. The library below tries both
// schemes with hosts in private networks; ferry goes by what it was told.
type guard struct {
	next http.RoundTripper
	a    addresses
}

// RoundTrip sends a request whose scheme is right for its host.
func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	host := req.URL.Host
	var err error
	switch {
	case req.URL.Scheme == "http" && !g.a.mayPlain(host):
		err = fmt.Errorf("plain HTTP to %s is not allowed: a mirror with an http:// address allows it", host)
	case req.URL.Scheme == "https" && g.a.plain[host]:
		err = fmt.Errorf("%s speaks plain HTTP", host)
	default:
		return g.next.RoundTrip(req)
	}
	if req.Body != nil {
		_ = req.Body.Close() // as a transport must, also when it sends nothing
	}
	return nil, err
}
