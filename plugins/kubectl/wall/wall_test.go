package wall_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"ferry/plugins/kubectl/rules"
	"ferry/plugins/kubectl/wall"
)

// cluster answers everything with one body and remembers what it was asked.
type cluster struct {
	*httptest.Server
	kind, body string
	asked      []*http.Request
}

func serve(t *testing.T, kind, body string) *cluster {
	t.Helper()
	c := &cluster{kind: kind, body: body}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.asked = append(c.asked, r)
		w.Header().Set("Content-Type", c.kind)
		_, _ = io.WriteString(w, c.body)
	}))
	t.Cleanup(c.Close)
	return c
}

func grant() rules.Grant {
	return rules.Grant{
		Scopes: []rules.Scope{
			{Resources: []string{"*", "secrets"}, Namespaces: []string{"podinfo", "team-*"}},
			{ClusterResources: []string{"nodes"}},
		},
		Along: []rules.Along{{Resource: "events"}, {Resource: "leases.coordination.k8s.io", Namespace: "kube-node-lease"}}, Subresources: []string{"log", "scale"},
		Writes: []rules.Write{
			{Method: "DELETE", Resource: "pods", Namespace: "podinfo", Name: "a"},
			{Method: "PATCH", Resource: "deployments.apps", Subresource: "scale", Namespace: "podinfo", Name: "web"},
			{Method: "DELETE", Resource: "pods", Namespace: "kube-system", Name: "a"},
		},
		As: rules.Identity{User: "ferry:U1", Groups: []string{"g1", "g2"}},
	}
}

// ask sends a request through the wall.
func ask(t *testing.T, c *cluster, g rules.Grant, method, path string, change func(*http.Request)) (code int, body string) {
	t.Helper()
	server, err := url.Parse(c.URL)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, c.URL+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Impersonate-User", "ferry:U1")
	req.Header["Impersonate-Group"] = []string{"g1", "g2"}
	if change != nil {
		change(req)
	}
	w := &wall.Wall{Grant: g, Server: server, Next: http.DefaultTransport}
	resp, err := w.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestWhatPasses(t *testing.T) {
	c := serve(t, "application/json", `{}`)
	for _, row := range []struct {
		request string
		passes  bool
	}{
		{"GET /version", true},
		{"GET /api", true},
		{"GET /apis/apps/v1", true},
		{"GET /openapi/v3/apis/apps/v1", true},
		{"POST /api", false},
		{"GET /", false},
		{"GET /metrics", false},
		{"GET /logs/x", false},
		{"GET /debug/pprof", false},
		{"GET /healthz", false},
		{"GET /api/v1/namespaces/podinfo/pods", true},
		{"GET /api/v1/namespaces/team-a/pods/a", true},
		{"GET /api/v1/namespaces/podinfo/secrets", true},
		{"GET /api/v1/namespaces/kube-system/pods", false},
		{"GET /api/v1/pods", false},
		{"GET /api/v1/secrets", false},
		{"GET /api/v1/events", false},
		{"GET /api/v1/namespaces/podinfo/events", true},
		{"GET /apis/events.k8s.io/v1/namespaces/podinfo/events", true},
		{"GET /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/a", true},
		{"GET /apis/coordination.k8s.io/v1/namespaces/kube-system/leases/a", false},
		{"GET /api/v1/nodes", true},
		{"GET /api/v1/nodes/a", true},
		{"GET /api/v1/nodes/a/proxy/logs", false},
		{"GET /api/v1/namespaces", false},
		{"GET /api/v1/namespaces/podinfo", false},
		{"GET /api/v1/namespaces/podinfo/status", false},
		{"GET /api/v1/persistentvolumes", false},
		{"GET /apis/example.com/v1/widgets", false},
		{"GET /apis/example.com/v1/namespaces/podinfo/widgets", true},
		{"GET /api/v1/namespaces/podinfo/pods/a/log", true},
		{"GET /api/v1/namespaces/podinfo/pods/a/exec", false},
		{"POST /api/v1/namespaces/podinfo/pods/a/exec", false},
		{"GET /api/v1/namespaces/podinfo/pods/a/attach", false},
		{"GET /api/v1/namespaces/podinfo/pods/a/portforward", false},
		{"GET /api/v1/namespaces/podinfo/pods/a/proxy", false},
		{"GET /api/v1/namespaces/podinfo/services/a/proxy/x", false},
		{"PATCH /api/v1/namespaces/podinfo/pods/a/ephemeralcontainers", false},
		{"POST /api/v1/namespaces/podinfo/serviceaccounts/a/token", false},
		{"GET /api/v1/watch/namespaces/podinfo/secrets", false},
		{"GET /api/v1/proxy/nodes/a", false},
		{"GET /api/v1/namespaces/podinfo/pods/../secrets", false},
		{"GET /api/v1/namespaces/podinfo/pods/..%2fsecrets", false},
		{"GET /api/v1/namespaces/podinfo//secrets", false},
		{"GET /api/v1/namespaces/podinfo/./secrets", false},
		{"GET //api/v1/namespaces/podinfo/pods", false},
		{"GET /api/v1/namespaces/podinfo%2fpods", false},
		{"HEAD /api/v1/namespaces/podinfo/pods", false},
		{"CONNECT /api/v1/namespaces/podinfo/pods/a", false},
		{"POST /api/v1/namespaces/podinfo/pods", false},
		{"POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews", false},
		{"DELETE /api/v1/namespaces/podinfo/pods/a", true},
		{"DELETE /api/v1/namespaces/podinfo/pods/b", false},
		{"DELETE /api/v1/namespaces/podinfo/pods", false},
		{"DELETE /api/v1/namespaces/team-a/pods/a", false},
		{"DELETE /api/v1/namespaces/kube-system/pods/a", false}, // agreed to by mistake, but no rule allows it
		{"PATCH /api/v1/namespaces/podinfo/pods/a", false},
		{"PATCH /apis/apps/v1/namespaces/podinfo/deployments/web/scale", true},
		{"PATCH /apis/apps/v1/namespaces/podinfo/deployments/web", false},
		{"PUT /apis/apps/v1/namespaces/podinfo/deployments/web/scale", false},
		{"PATCH /apis/other.io/v1/namespaces/podinfo/deployments/web/scale", false},
	} {
		before := len(c.asked)
		method, path, _ := strings.Cut(row.request, " ")
		code, body := ask(t, c, grant(), method, path, nil)
		if got := len(c.asked) > before; got != row.passes {
			t.Errorf("%s reaches the cluster: %v, want %v", row.request, got, row.passes)
		}
		if !row.passes && (code != http.StatusForbidden || !strings.Contains(body, `"message":"ferry: `)) {
			t.Errorf("%s is answered with %d %s", row.request, code, body)
		}
	}
}

// TestPathsOfOldTimes checks what would pass as a kind of its own for somebody who
// may read everything.
func TestPathsOfOldTimes(t *testing.T) {
	c := serve(t, "application/json", `{}`)
	g := grant()
	g.Scopes = []rules.Scope{{Resources: []string{"*"}, ClusterResources: []string{"*"}, Namespaces: []string{"*"}}}
	for _, path := range []string{"/api/v1/watch/secrets", "/api/v1/proxy/nodes", "/api/v1/redirect/nodes"} {
		if code, _ := ask(t, c, g, http.MethodGet, path, nil); code != http.StatusForbidden || len(c.asked) > 0 {
			t.Errorf("%s: %d", path, code)
		}
	}
}

func TestWhoAsksAndWhom(t *testing.T) {
	c := serve(t, "application/json", `{}`)
	const path = "/api/v1/namespaces/podinfo/pods"
	for name, change := range map[string]func(*http.Request){
		"nobody":        func(r *http.Request) { r.Header.Del("Impersonate-User"); r.Header.Del("Impersonate-Group") },
		"somebody else": func(r *http.Request) { r.Header.Set("Impersonate-User", "admin") },
		"more groups":   func(r *http.Request) { r.Header.Add("Impersonate-Group", "system:masters") },
		"no groups":     func(r *http.Request) { r.Header.Del("Impersonate-Group") },
		"an extra":      func(r *http.Request) { r.Header.Set("Impersonate-Extra-Scopes", "all") },
		"a uid":         func(r *http.Request) { r.Header.Set("Impersonate-Uid", "0") },
		"a stream":      func(r *http.Request) { r.Header.Set("Upgrade", "websocket") },
		"another host":  func(r *http.Request) { r.URL.Host = "127.0.0.1:1" },
		"another way":   func(r *http.Request) { r.URL.Scheme = "https" },
	} {
		if code, _ := ask(t, c, grant(), http.MethodGet, path, change); code != http.StatusForbidden || len(c.asked) > 0 {
			t.Errorf("%s: %d, and the cluster saw %d requests", name, code, len(c.asked))
		}
	}
	if code, _ := ask(t, c, grant(), http.MethodGet, path, nil); code != http.StatusOK {
		t.Errorf("whom it has to be made as gets %d", code)
	}
}

const canary = "hunter2-canary"

func encoded() string { return base64.StdEncoding.EncodeToString([]byte(canary)) }

func TestNoSecretComesOut(t *testing.T) {
	secret := `{"kind":"Secret","apiVersion":"v1","metadata":{"name":"s","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"` + encoded() +
		`","objectset.rio.cattle.io/applied":"` + canary + `","kubernetes.io/service-account.name":"kept"}},"data":{"password":"` + encoded() + `"},"stringData":{"a":"` + canary + `"},"type":"Opaque"}`
	bare := strings.Replace(secret, `"kind":"Secret","apiVersion":"v1",`, "", 1)
	quoted := strings.ReplaceAll(secret, `"`, `\"`)
	for name, row := range map[string]struct{ path, kind, body string }{
		"an object":                {"/api/v1/namespaces/podinfo/secrets/s", "application/json", secret},
		"one without its kind":     {"/api/v1/namespaces/podinfo/secrets/s", "application/json", bare},
		"a list":                   {"/api/v1/namespaces/podinfo/secrets", "application/json", `{"kind":"SecretList","apiVersion":"v1","items":[` + bare + `]}`},
		"a list elsewhere":         {"/apis/example.com/v1/namespaces/podinfo/x", "application/json", `{"kind":"SecretList","apiVersion":"v1","items":[` + bare + `]}`},
		"a list of many kinds":     {"/apis/example.com/v1/namespaces/podinfo/x", "application/json", `{"kind":"List","items":[{"kind":"Pod"},` + secret + `]}`},
		"a table":                  {"/api/v1/namespaces/podinfo/secrets", "application/json", `{"kind":"Table","apiVersion":"meta.k8s.io/v1","rows":[{"cells":["s"],"object":` + strings.Replace(secret, `"Secret"`, `"PartialObjectMetadata"`, 1) + `}]}`},
		"a table of whole ones":    {"/api/v1/namespaces/podinfo/secrets", "application/json;as=Table;v=v1;g=meta.k8s.io", `{"kind":"Table","rows":[{"cells":["s"],"object":` + secret + `}]}`},
		"within another object":    {"/apis/example.com/v1/namespaces/podinfo/x/y", "application/json", `{"kind":"Work","spec":{"manifests":[` + secret + `]}}`},
		"a kind spelled in codes":  {"/apis/example.com/v1/namespaces/podinfo/x/y", "application/json", strings.Replace(secret, `"Secret"`, `"\u0053ecret"`, 1)},
		"a watch":                  {"/api/v1/namespaces/podinfo/secrets?watch=true", "application/json;stream=watch", `{"type":"ADDED","object":` + secret + "}\n" + `{"type":"MODIFIED","object":` + bare + "}\n"},
		"a watch by its query":     {"/api/v1/namespaces/podinfo/secrets?watch=1", "application/json", `{"type":"ADDED","object":` + secret + "}\n"},
		"what was applied":         {"/apis/example.com/v1/namespaces/podinfo/x/y", "application/json", `{"kind":"Work","metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"spec\":` + quoted + `}"}}}`},
		"what others applied":      {"/apis/example.com/v1/namespaces/podinfo/x/y", "application/json", `{"kind":"Work","metadata":{"annotations":{"a":"b","objectset.rio.cattle.io/applied":"[` + quoted + `]"}}}`},
		"a second document":        {"/apis/example.com/v1/namespaces/podinfo/x/y", "application/json", `{"kind":"Work","metadata":{"annotations":{"a":"{} ` + quoted + `"}}}`},
		"what can be read in part": {"/apis/example.com/v1/namespaces/podinfo/x/y", "application/json", `{"kind":"Work","metadata":{"annotations":{"kapp.k14s.io/original":"{\"spec\":` + quoted + `"}}}`},
		"protobuf":                 {"/api/v1/namespaces/podinfo/secrets/s", "application/vnd.kubernetes.protobuf", "k8s\x00" + canary},
		"cbor":                     {"/api/v1/namespaces/podinfo/secrets/s", "application/cbor", canary},
		"plain text":               {"/api/v1/namespaces/podinfo/secrets/s", "text/plain", canary},
		"no type":                  {"/api/v1/namespaces/podinfo/secrets/s", "", canary},
		"data that is no map":      {"/api/v1/namespaces/podinfo/secrets/s", "application/json", `{"data":"` + canary + `","stringData":["` + canary + `"]}`},
	} {
		c := serve(t, row.kind, row.body)
		code, body := ask(t, c, grant(), http.MethodGet, row.path, nil)
		if strings.Contains(body, canary) || strings.Contains(body, encoded()) {
			t.Errorf("%s: %s", name, body)
		}
		if len(c.asked) != 1 {
			t.Errorf("%s: the cluster was not asked: %d %s", name, code, body)
		}
	}
}

func TestWhatIsNoSecretComesOutAsItIs(t *testing.T) {
	for _, body := range []string{
		`{"kind":"ConfigMap",  "data":{"z":"1","a":"hunter2"}, "n": 12345678901234567890}`,
		`{"kind":"ExternalSecret","metadata":{"annotations":{"a":"b"}},"spec":{"data":[{"z":1,"a":2}]}}`,
		`{"kind":"Pod","spec":{"volumes":[{"secret":{"secretName":"Secret"}}]}}`,
	} {
		c := serve(t, "application/json", body)
		if _, got := ask(t, c, grant(), http.MethodGet, "/apis/example.com/v1/namespaces/podinfo/x/y", nil); got != body {
			t.Errorf("%s\nbecomes\n%s", body, got)
		}
	}
}

func TestSizesStay(t *testing.T) {
	c := serve(t, "application/json", `{"kind":"Secret","data":{"password":"`+encoded()+`"}}`)
	_, body := ask(t, c, grant(), http.MethodGet, "/api/v1/namespaces/podinfo/secrets/s", nil)
	if want := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("*", len(canary)))); !strings.Contains(body, want) {
		t.Errorf("%s, want as many stars as there were bytes", body)
	}
}

func TestJSONIsAskedFor(t *testing.T) {
	c := serve(t, "application/json", `{}`)
	for _, accept := range []string{"application/vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf,application/json;as=Table", "application/cbor, */*", ""} {
		c.asked = nil
		ask(t, c, grant(), http.MethodGet, "/api/v1/namespaces/podinfo/secrets", func(r *http.Request) { r.Header.Set("Accept", accept) })
		if got := c.asked[0].Header.Get("Accept"); !strings.HasPrefix(got, "application/json") || strings.Contains(got, "protobuf") {
			t.Errorf("for %q it is asked for %q", accept, got)
		}
	}
}

// TestAServerBelowAPath: several clusters on one host, each below a path of its own.
func TestAServerBelowAPath(t *testing.T) {
	c := serve(t, "application/json", `{}`)
	root := c.URL
	for path, passes := range map[string]bool{
		"/k8s/clusters/c-1/api/v1/namespaces/podinfo/pods":  true,
		"/api/v1/namespaces/podinfo/pods":                   false,
		"/k8s/clusters/c-2/api/v1/namespaces/podinfo/pods":  false,
		"/k8s/clusters/c-12/api/v1/namespaces/podinfo/pods": false,
	} {
		c.asked, c.URL = nil, root+"/k8s/clusters/c-1"
		code, _ := ask(t, c, grant(), http.MethodGet, "", func(r *http.Request) { r.URL.Path = path })
		if got := len(c.asked) == 1; got != passes || passes != (code == http.StatusOK) {
			t.Errorf("%s reaches the cluster: %v, want %v; %d", path, got, passes, code)
		}
	}
	c.URL = root
}
