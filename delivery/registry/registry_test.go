package registry

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"ferry/internal/fault"
)

func equal(t *testing.T, got, want Found) {
	t.Helper()
	if got.Exists != want.Exists || got.Digest != want.Digest || got.Why != want.Why || got.Says != want.Says || !slices.Equal(got.Near, want.Near) {
		t.Errorf("found %+v\nwant  %+v", got, want)
	}
}

// explained demands an error of a kind whose words have some in them.
func explained(t *testing.T, err error, kind fault.Kind, words ...string) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Fatalf("error %v is %s, not %s", err, fault.KindOf(err), kind)
	}
	e, _ := err.(*fault.Error)
	for _, w := range words {
		if text := e.Says + "; " + e.Help; !strings.Contains(text, w) {
			t.Errorf("it says %q, without %q", text, w)
		}
	}
}

func TestImage(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	image := h.push(t, "team/app", single, "6.4.0", "6.5.2", "6.5.3", "latest", "6.5.4")
	platforms := h.push(t, "team/app", multiple, "6.6.0")
	name := h.host() + "/team/app"
	absent := "sha256:" + strings.Repeat("0", 64)
	for _, c := range []struct {
		name, repository, version string
		want                      Found
	}{
		{"a tag of one image", name, "6.5.4", Found{Exists: true, Digest: image}},
		{"a tag of several platforms", name, "6.6.0", Found{Exists: true, Digest: platforms}},
		{"a digest", name, image, Found{Exists: true, Digest: image}},
		{"a tag with its digest", name, "6.5.4@" + image, Found{Exists: true, Digest: image}},
		{"a tag with the digest of another", name, "6.5.4@" + platforms, Found{
			Digest: image, Why: OtherDigest, Says: fmt.Sprintf("the tag `6.5.4` of %s is `%s` now, not `%s`", name, image, platforms),
		}},
		{"no such tag", name, "6.5.99", Found{
			Near: []string{"6.5.4", "6.5.3", "6.5.2", "6.6.0", "6.4.0"}, Why: NoVersion, Says: name + " has no tag `6.5.99`",
		}},
		{"no such tag with a digest", name, "6.5.99@" + image, Found{
			Near: []string{"6.5.4", "6.5.3", "6.5.2", "6.6.0", "6.4.0"}, Why: NoVersion, Says: name + " has no tag `6.5.99@" + image + "`",
		}},
		{"no such digest", name, absent, Found{Why: NoVersion, Says: name + " has no digest `" + absent + "`"}},
		{"no such repository", h.host() + "/team/other", "6.5.4", Found{Why: NoRepository, Says: "there is no repository " + h.host() + "/team/other"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, _ := made(t, Options{})
			got, err := r.Image(t.Context(), c.repository, c.version)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, got, c.want)
		})
	}
}

func TestVersionsThatCannotBe(t *testing.T) {
	t.Parallel()
	r, _ := made(t, Options{Transport: deaf{}})
	for _, version := range []string{"", "@", "a b", "6.5/4", "sha256:12", "6.5.4@sha256:12", "-x", strings.Repeat("x", 129)} {
		_, err := r.Image(t.Context(), "ghcr.io/team/app", version)
		explained(t, err, fault.Invalid, "is not an image tag or digest")
	}
	for _, name := range []string{"", "ghcr.io/Team/App", "ghcr.io/a b"} {
		_, err := r.Image(t.Context(), name, "1")
		explained(t, err, fault.Invalid, "is not the name of an image")
	}
	for _, version := range []string{"6.5", ">=1.0.0", "latest", "", "*"} {
		for _, url := range []string{"oci://ghcr.io/charts", "https://charts.example"} {
			_, err := r.Chart(t.Context(), Chart{url, "app"}, version)
			explained(t, err, fault.Invalid, "is not the exact version of a chart")
		}
	}
	_, err := r.Chart(t.Context(), Chart{"ftp://charts.example", "app"}, "1.0.0")
	explained(t, err, fault.Invalid, "is not the address of a chart repository", "https:// or oci://")
}

// deaf refuses to send anything.
type deaf struct{}

func (deaf) RoundTrip(req *http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("nothing was to be sent, but %s %s", req.Method, req.URL)
}

func TestChartInRegistry(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	digest := h.push(t, "charts/app", single, "1.2.3", "1.2.4_build.5", "1.2.2")
	r, _ := made(t, Options{})
	at := "oci://" + h.host() + "/charts"
	for _, c := range []struct {
		repo    Chart
		version string
		exists  bool
		near    []string
	}{
		{Chart{at, "app"}, "1.2.2", true, nil},
		{Chart{at + "/app", ""}, "1.2.2", true, nil},
		{Chart{at + "/", "app"}, "1.2.4+build.5", true, nil},
		{Chart{at, "app"}, "1.2.9", false, []string{"1.2.4+build.5", "1.2.3", "1.2.2"}},
	} {
		got, err := r.Chart(t.Context(), c.repo, c.version)
		if err != nil {
			t.Fatal(err)
		}
		if got.Exists != c.exists || !slices.Equal(got.Near, c.near) {
			t.Errorf("%v %s: %+v", c.repo, c.version, got)
		}
		if c.version == "1.2.2" && got.Digest != digest {
			t.Errorf("digest %s, want %s", got.Digest, digest)
		}
	}
}

// TestRequests counts: one for a tag that is there, once it is known how to sign
// in; none for what was just asked, and for a digest.
func TestRequests(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	digest := h.push(t, "team/app", single, "1.0.0", "1.0.1")
	r, clock := made(t, Options{})
	ask := func(version string, want ...string) {
		t.Helper()
		if _, err := r.Image(t.Context(), h.host()+"/team/app", version); err != nil {
			t.Fatal(err)
		}
		if got := h.asked(); !slices.Equal(got, want) {
			t.Errorf("%s took %q, not %q", version, got, want)
		}
	}
	head := "HEAD /v2/team/app/manifests/"
	ask("1.0.0", "GET /v2/", head+"1.0.0")
	ask("1.0.0")
	ask("1.0.1", head+"1.0.1")
	ask("1.0.9", head+"1.0.9", "GET /v2/team/app/tags/list")
	ask("1.0.9")
	ask(digest, head+digest)
	clock.pass(briefly)
	ask("1.0.0", head+"1.0.0") // a tag may have moved
	ask("1.0.9", head+"1.0.9", "GET /v2/team/app/tags/list")
	ask(digest)
	h.push(t, "team/app", single, "1.0.9")
	clock.pass(briefly)
	if f, err := r.Image(t.Context(), h.host()+"/team/app", "1.0.9"); err != nil || !f.Exists {
		t.Errorf("what was pushed since: %+v %v", f, err)
	}
}

func TestAnswersAreTheCallers(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.push(t, "team/app", single, "1.0.0", "1.0.1")
	r, _ := made(t, Options{})
	for range 2 {
		f, err := r.Image(t.Context(), h.host()+"/team/app", "1.0.2")
		if err != nil || !slices.Equal(f.Near, []string{"1.0.1", "1.0.0"}) {
			t.Fatalf("%+v %v", f, err)
		}
		f.Near[0] = "mine"
	}
}

// TestTagsInPages follows links to further pages, but not to another host, and
// not for ever.
func TestTagsInPages(t *testing.T) {
	t.Parallel()
	h, elsewhere := newHub(t), newHub(t)
	pages := 0
	h.be(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/tags/list") {
			return false
		}
		pages++
		switch last := r.URL.Query().Get("last"); last {
		case "":
			w.Header().Set("Link", `</v2/team/app/tags/list?n=1000&last=1.0.0>; rel="next"`)
			fmt.Fprint(w, `{"tags":["1.0.0"]}`)
		case "1.0.0":
			w.Header().Set("Link", `<`+elsewhere.URL+`/v2/team/app/tags/list?last=x>; rel="next"`)
			fmt.Fprint(w, `{"tags":["1.0.1"]}`)
		default:
			w.Header().Set("Link", `<`+r.URL.String()+`>; rel="next"`)
			fmt.Fprint(w, `{"tags":["1.0.2"]}`)
		}
		return true
	})
	r, _ := made(t, Options{})
	f, err := r.Image(t.Context(), h.host()+"/team/app", "1.0.9")
	if err != nil || !slices.Equal(f.Near, []string{"1.0.1", "1.0.0"}) || pages != 2 || len(elsewhere.asked()) > 0 {
		t.Errorf("%d pages: %+v %v", pages, f, err)
	}
	h.be(func(w http.ResponseWriter, r *http.Request) bool { // the second page fails
		if r.URL.Query().Get("last") != "" {
			return answering(http.StatusInternalServerError)(w, r)
		}
		w.Header().Set("Link", `</v2/team/app/tags/list?n=1000&last=1.0.0>; rel="next"`)
		if strings.HasSuffix(r.URL.Path, "/tags/list") {
			fmt.Fprint(w, `{"tags":["1.0.0"]}`)
			return true
		}
		return false
	})
	if f, err := r.Image(t.Context(), h.host()+"/team/app", "1.0.8"); err != nil || !slices.Equal(f.Near, []string{"1.0.0"}) {
		t.Errorf("after a page that failed: %+v %v", f, err)
	}
	pages = 0
	p, err := r.addresses.image(h.host() + "/team/app")
	if err != nil {
		t.Fatal(err)
	}
	h.be(func(w http.ResponseWriter, r *http.Request) bool {
		pages++
		w.Header().Set("Link", `<`+r.URL.String()+`>; rel="next"`)
		fmt.Fprint(w, `{"tags":["1.0.2"]}`)
		return true
	})
	if tags, err := r.tags(t.Context(), p.repo); err != nil || len(tags) != tagPages || pages != tagPages {
		t.Errorf("a list without end: %d tags in %d pages, %v", len(tags), pages, err)
	}
}

// TestListIsAHelp has the list of tags fail: that the tag is missing is certain
// all the same.
func TestListIsAHelp(t *testing.T) {
	t.Parallel()
	for _, code := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusInternalServerError, http.StatusOK} {
		h := newHub(t)
		h.push(t, "team/app", single, "1.0.0")
		h.be(func(w http.ResponseWriter, r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "/tags/list") && answering(code)(w, r)
		})
		r, _ := made(t, Options{})
		f, err := r.Image(t.Context(), h.host()+"/team/app", "1.0.9")
		if err != nil || f.Exists || f.Why != NoVersion || len(f.Near) != 0 {
			t.Errorf("%d: %+v %v", code, f, err)
		}
	}
}

// TestOldRegistries do not tell digests, or do not know HEAD, or tell another one.
func TestOldRegistries(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	digest := h.push(t, "team/app", single, "1.0.0")
	for name, before := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"no digest": func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodHead {
				w.Header().Set("Content-Type", single)
			}
			return r.Method == http.MethodHead
		},
		"another kind of digest": func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Docker-Content-Digest", "md5:0cc175b9c0f1b6a831c399e269772661")
			return r.Method == http.MethodHead
		},
		"the digest of a conversion, unless all forms are taken": func(w http.ResponseWriter, r *http.Request) bool {
			accept := r.Header.Get("Accept")
			converted := r.Method == http.MethodHead && !(strings.Contains(accept, single) && strings.Contains(accept, multiple))
			if converted {
				w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("2", 64))
			}
			return converted
		},
		"no HEAD": func(w http.ResponseWriter, r *http.Request) bool {
			return r.Method == http.MethodHead && answering(http.StatusMethodNotAllowed)(w, r)
		},
	} {
		h.be(before)
		r, _ := made(t, Options{})
		if f, err := r.Image(t.Context(), h.host()+"/team/app", "1.0.0"); err != nil || f.Digest != digest {
			t.Errorf("%s: %+v %v", name, f, err)
		}
	}
	for _, page := range []string{"<html>welcome</html>", "{}"} { // to everybody, whatever they ask for
		h.be(func(w http.ResponseWriter, _ *http.Request) bool {
			fmt.Fprint(w, page)
			return true
		})
		r, _ := made(t, Options{})
		_, err := r.Image(t.Context(), h.host()+"/team/app", "1.0.0")
		explained(t, err, fault.Unavailable, "what answers there is no manifest of an image")
	}
	h.be(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("1", 64))
		return true
	})
	r, _ := made(t, Options{})
	_, err := r.Image(t.Context(), h.host()+"/team/app", digest)
	explained(t, err, fault.Unavailable, "the registry answers with sha256:1111")
}
