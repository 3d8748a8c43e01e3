package executor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/kubectl/child"
	"ferry/plugins/kubectl/executor"
)

func run(t *testing.T, e *executor.Executor, r api.ExecuteRequest) (string, api.Result, error) {
	t.Helper()
	var out bytes.Buffer
	result, err := e.Execute(t.Context(), r, &out)
	return out.String(), result, err
}

func TestOneCluster(t *testing.T) {
	prod := newFake(t)
	out, result, err := run(t, one(t), request("U1", "get pods on prod", api.Cluster{Name: "prod", Kubeconfig: kubeconfig(prod.URL)}))
	if err != nil || result.Failed || !strings.Contains(out, "web-1") || strings.Contains(out, "==") || result.File != "kubectl-get-pods-prod.txt" {
		t.Errorf("out = %q, result = %+v, %v", out, result, err)
	}
	if got, want := prod.requests(), []string{"GET /api/v1/namespaces/podinfo/pods as ferry:U1"}; !slices.Equal(got, want) {
		t.Errorf("asked %q, want %q", got, want)
	}
}

func TestFailureInKubectlsOwnWords(t *testing.T) {
	prod := newFake(t)
	out, result, err := run(t, one(t), request("U1", "get pods gone on prod", api.Cluster{Name: "prod", Kubeconfig: kubeconfig(prod.URL)}))
	if err != nil || !result.Failed || out != "Error from server (NotFound): there is no such thing\n" || result.Title != "kubectl get failed on prod" {
		t.Errorf("out = %q, result = %+v, %v", out, result, err)
	}
}

func TestSeveralClustersInTheirOrder(t *testing.T) {
	prod, stage := newFake(t), newFake(t)
	prod.Close() // refuses connections
	out, result, err := run(t, one(t), request("U1", "get pods -o name on *",
		api.Cluster{Name: "prod", Kubeconfig: kubeconfig(prod.URL)}, api.Cluster{Name: "stage", Kubeconfig: kubeconfig(stage.URL)}, api.Cluster{Name: "lab"}))
	if err != nil || !result.Failed || result.Title != "kubectl get failed on prod, and went well on stage" {
		t.Errorf("result = %+v, %v", result, err)
	}
	first, second := strings.Index(out, "== prod =="), strings.Index(out, "== stage ==\npod/web-1\n")
	if first != 0 || second < 0 || !strings.Contains(out, "refused") || !strings.HasSuffix(out, "not asked, for no rule lets you: lab\n") {
		t.Errorf("out = %q", out)
	}
}

// TestOneThatHangs checks that it holds up nobody, and is ended.
func TestOneThatHangs(t *testing.T) {
	prod, stage := newFake(t), newFake(t)
	prod.block = make(chan struct{})
	r := request("U1", "get pods -o name on prod,stage", api.Cluster{Name: "prod", Kubeconfig: kubeconfig(prod.URL)}, api.Cluster{Name: "stage", Kubeconfig: kubeconfig(stage.URL)})
	r.Config = []byte(strings.Replace(config, "time: 20s", "time: 12s", 1))
	var out bytes.Buffer
	result, err := one(t).Execute(t.Context(), r, &out)
	want := "== stage ==\npod/web-1\n== prod ==\nprod: ended after 12s, which is the limit\n"
	if err != nil || !result.Failed || out.String() != want {
		t.Errorf("out = %q, want %q; result = %+v, %v", out.String(), want, result, err)
	}
}

func TestCancelled(t *testing.T) {
	prod := newFake(t)
	prod.block = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan time.Time, 1)
	go func() {
		for prod.all() == 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		gone <- time.Now() // how long a child takes to start is another matter
		cancel()
	}()
	_, err := one(t).Execute(ctx, request("U1", "get pods on prod", api.Cluster{Name: "prod", Kubeconfig: kubeconfig(prod.URL)}), &bytes.Buffer{})
	cancel()
	if took := time.Since(<-gone); err == nil || took > 15*time.Second {
		t.Errorf("it ended after %s with %v", took, err)
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("it left %q, %v", left, err)
	}
}

func TestLongOutputIsCut(t *testing.T) {
	prod := newFake(t)
	out, result, err := run(t, one(t), request("U1", "logs web-1 on prod", api.Cluster{Name: "prod", Kubeconfig: kubeconfig(prod.URL)}))
	if err != nil || result.Failed || len(out) > 4300 || !strings.HasSuffix(out, "… 11 KiB more: ask for less, for example with -l or --tail\n") {
		t.Errorf("%d bytes, the last %q; %+v, %v", len(out), out[max(0, len(out)-80):], result, err)
	}
}

func TestNothingChangesUnlessConfirmed(t *testing.T) {
	prod := newFake(t)
	e := one(t)
	ask := request("U1", "delete pod web-1 --wait=false on prod", api.Cluster{Name: "prod", Kubeconfig: kubeconfig(prod.URL)})
	yes := ask
	yes.Confirmed = true
	const lost = "nothing was done: it was not you who was asked, or too long ago\nSay the line again, and press the button below the answer"
	if _, _, err := run(t, e, yes); err == nil || err.Error() != lost {
		t.Errorf("confirmed without a question: %v", err)
	}
	_, result, err := run(t, e, ask)
	if err != nil || result.Confirm != "Shall I delete pods/web-1 in namespace podinfo on prod, for good?" {
		t.Errorf("%+v, %v", result, err)
	}
	other := yes
	other.Line = "delete pod web-2 --wait=false on prod"
	somebody := yes
	somebody.User = api.User{ID: "U2"}
	moved := yes
	moved.Config = []byte(strings.Replace(config, "namespace: podinfo", "namespace: team-a", 1))
	for _, r := range []api.ExecuteRequest{other, somebody, moved} {
		if _, _, err := run(t, e, r); err == nil {
			t.Errorf("%s by %s is done, which nobody confirmed", r.Line, r.User.ID)
		}
	}
	if prod.all() > 0 {
		t.Fatalf("the cluster was asked: %q", prod.requests())
	}
	out, result, err := run(t, e, yes)
	if err != nil || result.Failed || !strings.Contains(out, `pod "web-1" deleted`) {
		t.Errorf("out = %q, %+v, %v", out, result, err)
	}
	if got := prod.requests(); !slices.Contains(got, "DELETE /api/v1/namespaces/podinfo/pods/web-1 as ferry:U1") {
		t.Errorf("asked %q", got)
	}
	if _, _, err := run(t, e, yes); err == nil || err.Error() != lost {
		t.Errorf("confirmed once, done twice: %v", err)
	}
}

// attempts reads the list of attacks.
func attempts(t *testing.T, sort string) []string {
	t.Helper()
	text, err := os.ReadFile("../testdata/attacks.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for row := range strings.Lines(string(text)) {
		kind, line, ok := strings.Cut(strings.TrimSuffix(row, "\n"), "\t")
		if !ok || kind != sort {
			continue
		}
		if strings.HasPrefix(line, `"`) {
			if line, err = strconv.Unquote(line); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, line)
	}
	return out
}

// TestAttacks tries all of them on the whole executor: those that are refused reach
// no server, and of those that run no output holds what is in a Secret.
func TestAttacks(t *testing.T) {
	prod := newFake(t)
	var hits atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer elsewhere.Close()
	e := one(t)
	cluster := api.Cluster{Name: "prod", Kubeconfig: kubeconfig(prod.URL)}
	for _, line := range attempts(t, "refused") {
		line = strings.ReplaceAll(line, "OTHER", elsewhere.URL)
		out, result, err := run(t, e, request("U1", line, cluster))
		if result.Confirm == "" && !api.IsRefusal(err) || out != "" {
			t.Errorf("%q gets through: %q, %+v", line, out, result)
		}
	}
	if asked := prod.all() + int(hits.Load()); asked > 0 {
		t.Errorf("%d requests were made", asked)
	}
	ran := 0
	for _, line := range attempts(t, "blind") {
		out, _, err := run(t, e, request("SECRETS", line, cluster))
		if err != nil {
			t.Errorf("%q shows nothing of the wall: %v", line, err)
		}
		if leaks(out) {
			t.Errorf("%q shows what is in a Secret: %s", line, out)
		}
		if len(prod.requests()) > 0 {
			ran++
		}
	}
	if ran < 40 {
		t.Errorf("only %d of those that run asked the cluster: this proves little", ran)
	}
	t.Logf("%d refused before any request, %d ran and showed nothing", len(attempts(t, "refused")), ran)
}

// leaks says whether a text holds what is in a Secret, however it is written.
func leaks(out string) bool {
	hex := ""
	for _, b := range []byte(encoded()) {
		hex += strconv.FormatInt(int64(b), 16)
	}
	return strings.Contains(out, canary) || strings.Contains(out, encoded()) || strings.Contains(out, hex)
}

// TestTheWallAlone takes the guard away: kubectl gets words that it would never
// let through, and the wall has to hold by itself.
func TestTheWallAlone(t *testing.T) {
	prod := newFake(t)
	var hits atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer elsewhere.Close()
	e := one(t)
	for _, words := range []string{
		"get --raw /api/v1/namespaces/podinfo/secrets/canary", "get --raw /api/v1/secrets", "get --raw /api/v1/namespaces/podinfo/pods/../secrets/canary", "get --raw /api/v1/watch/secrets",
		"get secrets -A -o yaml", "get secrets -n kube-system", "get pods -A", "get pods -n kube-system", "get pods -o yaml --as=admin", "get secret canary -o yaml --as=admin --as-group=system:masters",
		"get pods --server=OTHER", "get secret canary -o yaml --server=OTHER --token=x", "get pods --context=x", "get pods --user=admin", "get pods --token=abc",
		"exec web-1 -- sh", "exec -it web-1 -- sh", "attach web-1", "port-forward web-1 8080:80", "cp web-1:/etc/passwd x", "debug web-1 --image=busybox", "run x --image=busybox",
		"create token x", "create configmap x --from-literal=a=b", "delete pod web-2 --wait=false", "delete pods --all --wait=false", "delete secret canary --wait=false",
		"label pod web-1 a=b", "label secret canary a=b", "annotate pods --all a=b", "scale deployment web --replicas=0", "patch pod web-1 -p {}", "edit pod web-1", "taint nodes a b=c:NoExecute",
		"auth can-i --list", "get secret canary -o go-template={{.data.password|base64decode}}", "get secrets -o jsonpath={..data}", "get secrets --sort-by=.data.password -o json",
		"get secret canary -o yaml -v=9", "get secret canary -v=9", "get secrets -o yaml --server-print=false", "describe secret canary", "get secrets -w -o yaml --request-timeout=1s",
		"get secrets --output-watch-events -w -o json --request-timeout=1s", "proxy --port=0 --www=/etc",
	} {
		words = strings.ReplaceAll(words, "OTHER", elsewhere.URL)
		out := child1(t, e, strings.Fields(words), kubeconfig(prod.URL))
		if leaks(out) {
			t.Errorf("%q shows what is in a Secret: %s", words, out)
		}
		for _, r := range prod.requests() {
			if !strings.HasPrefix(r, "GET ") || !strings.HasSuffix(r, " as ferry:U1") || strings.Contains(r, "kube-system") || strings.Contains(r, "GET /api/v1/secrets") ||
				strings.Contains(r, "/exec") || strings.Contains(r, "/portforward") || strings.Contains(r, "/token") {
				t.Errorf("%q gets as far as %s", words, r)
			}
		}
	}
	if hits.Load() > 0 {
		t.Errorf("another server was asked %d times", hits.Load())
	}
}

// child1 starts a child with any words.
func child1(t *testing.T, e *executor.Executor, argv []string, config []byte) string {
	t.Helper()
	var job child.Job
	const text = `{"grant": {"scopes": [{"resources": ["*", "secrets"], "namespaces": ["podinfo"]}], "subresources": ["log"], "as": {"user": "ferry:U1"}}}`
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		t.Fatal(err)
	}
	job.Argv, job.Kubeconfig = argv, config
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var out bytes.Buffer
	if _, err := executor.Process(ctx, e, job, &out); err != nil && ctx.Err() == nil {
		t.Fatalf("%q: %v", argv, err)
	}
	return out.String()
}

// TestCheck: what a schema cannot say is said before the first line.
func TestCheck(t *testing.T) {
	t.Parallel()
	const rule = "rules: [{users: ['*'], clusters: ['*'], verbs: [scale"
	for config, want := range map[string]string{
		"impersonate: {user: 'a:{{.ID}}'}\n" + rule + "]}]":       "",
		"impersonate: {user: 'a:{{.ID}}'}\n" + rule + ", exec]}]": `there is no "exec" here; there is scale, `,
		"impersonate: {user: 'a:{{.Name}}'}\n" + rule + "]}]":     "{{.ID}} and {{.Group}} are all there is",
	} {
		err := executor.New("self", "v1").Check(t.Context(), api.CheckRequest{Config: []byte(config)})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", config, err, want)
		}
	}
}
