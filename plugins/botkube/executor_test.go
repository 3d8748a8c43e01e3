package botkube

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ferry/internal/chat"
	"ferry/internal/fault"
	"ferry/plugins/api"
	"ferry/plugins/host"
)

const oneCluster = `{apiVersion: v1, kind: Config, current-context: x, clusters: [{name: c, cluster: {server: "https://example.com"}}],
users: [{name: u, user: {username: x, password: secret}}, {name: other, user: {username: z, password: others}}], contexts: [{name: x, context: {cluster: c, user: u, namespace: kube-system}}]}`

// what the plugin that answers with all it was given saw.
type sight struct {
	Command, Kubeconfig, State, Text, Thread, Mention, Webhook string
	Interactive                                                bool
	Configs, Env                                               []string
}

func see(t *testing.T, h *host.Host, r api.ExecuteRequest, talk *Talk) sight {
	t.Helper()
	_, out, err := execute(t, h, r, talk)
	var s sight
	if err == nil {
		err = json.Unmarshal([]byte(out), &s)
	}
	if err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	return s
}

// TestHandshakeWithTheCookieAndVersionThreeOverMutualTLS: a plugin that serves with
// Botkube's cookie and version 3 answers; ferry's own dialect has another cookie, with
// which it does not start. That certificates are used is the host's to check: it
// refuses a handshake without them.
func TestHandshakeWithTheCookieAndVersionThreeOverMutualTLS(t *testing.T) {
	h := run(t, host.Options{Bindings: []host.Binding{bound("echo", api.KindExecutor)}})
	if _, out, err := execute(t, h, line("echo", "hello"), nil); err != nil || out != "hello\n" {
		t.Errorf("%q, %v", out, err)
	}
	if i, ok := h.Info(api.KindExecutor, "echo"); !ok || i.Version != "v1.14.0" || !strings.Contains(string(i.Schema), "greeting") || i.Docs == "" {
		t.Errorf("info %+v", i)
	}
	b := bound("echo", api.KindExecutor)
	b.Dialect = nil
	other := run(t, host.Options{Bindings: []host.Binding{b}})
	if _, _, err := execute(t, other, line("echo", "hello"), nil); err == nil {
		t.Error("it answers to ferry's own cookie")
	}
}

// TestOnlyPathHomeAndTmpdirAreInherited: a plugin sees nothing of the host's secrets.
func TestOnlyPathHomeAndTmpdirAreInherited(t *testing.T) {
	h := run(t, host.Options{Bindings: []host.Binding{bound("sees", api.KindExecutor)}})
	s := see(t, h, line("sees", "x"), nil)
	var names []string
	for _, e := range s.Env {
		name, value, _ := strings.Cut(e, "=")
		names = append(names, name)
		if name == "PLUGIN_DEPENDENCY_DIR" && !strings.HasSuffix(value, "_deps") {
			t.Errorf("%s", e)
		}
	}
	for _, want := range []string{"PATH", "HOME", "TMPDIR", "PLUGIN_DEPENDENCY_DIR", "BOTKUBE"} {
		if !slices.Contains(names, want) {
			t.Errorf("there is no %s in %v", want, names)
		}
	}
	if slices.Contains(names, "SECRET_OF_FERRY") {
		t.Error("it sees ferry's environment")
	}
}

// TestContextAndIncomingWebhookAreAlwaysThere: without them plugins crash.
func TestContextAndIncomingWebhookAreAlwaysThere(t *testing.T) {
	h := run(t, host.Options{Bindings: []host.Binding{bound("sees", api.KindExecutor, func(_ *host.Binding, d *Dialect) { d.Webhooks = "http://ferry/sources/v1" })}})
	if s := see(t, h, line("sees", "x"), nil); s.Mention != "" || s.Webhook == "" || !s.Interactive {
		t.Errorf("%+v", s)
	}
	s := see(t, h, line("sees", "x"), &Talk{Text: "sees x", Thread: "1.2", User: "U1"})
	if s.Text != "sees x" || s.Thread != "1.2" || s.Mention != "<@U1>" {
		t.Errorf("%+v", s)
	}
}

// TestStateIsJSONOrAbsent: plugins crash with a state that is neither. It is that of
// Slack, in the plugin's own words: its blocks, and its commands without the bot.
func TestStateIsJSONOrAbsent(t *testing.T) {
	h := run(t, host.Options{Bindings: []host.Binding{bound("sees", api.KindExecutor, func(b *host.Binding, _ *Dialect) { b.Name = "looks" })}})
	const want = `{"values":{"row":{"sees @builder --ns":{"action_id":"sees @builder --ns","block_id":"row","type":"multi_static_select","selected_options":[{"text":{"type":"plain_text","text":"A"},"value":"a"},{"text":{"type":"plain_text","text":"B"},"value":"b"}]},` +
		`"sees @builder --verbs":{"action_id":"sees @builder --verbs","block_id":"row","type":"static_select","selected_option":{"text":{"type":"plain_text","text":"Get"},"value":"get <x>"}}},` +
		`"sees @builder --filter-query ":{"sees @builder --filter-query":{"action_id":"sees @builder --filter-query","block_id":"sees @builder --filter-query ","type":"plain_text_input","value":"a \"b\""}}}}`
	all := []chat.Filled{
		{Kind: chat.OneOf, ID: "row", Command: "looks @builder --verbs ", Options: []chat.Option{{Label: "Get", Value: "get &lt;x&gt;"}}},
		{Kind: chat.SomeOf, ID: "row", Command: "looks @builder --ns ", Options: []chat.Option{{Label: "A", Value: "a"}, {Label: "B", Value: "b"}}},
		{Kind: chat.Typed, Command: "looks @builder --filter-query ", Options: []chat.Option{{Value: `a "b"`}}},
	}
	for _, c := range []struct {
		filled []chat.Filled
		want   string
	}{{nil, ""}, {all, want}} {
		var got, wanted any
		s := see(t, h, line("looks", "x"), &Talk{Filled: c.filled})
		if c.want == "" && s.State == "" {
			continue
		}
		if err := errors.Join(json.Unmarshal([]byte(s.State), &got), json.Unmarshal([]byte(c.want), &wanted)); err != nil || !reflect.DeepEqual(got, wanted) {
			t.Errorf("it sees %s, %v\nwant %s", s.State, err, c.want)
		}
	}
}

// TestEveryGroupInBindingOrder: an executor is given all of them and merges itself.
func TestEveryGroupInBindingOrder(t *testing.T) {
	h := run(t, host.Options{Bindings: []host.Binding{bound("sees", api.KindExecutor, func(b *host.Binding, d *Dialect) {
		b.Config, d.Groups = []byte("a: 1\n"), [][]byte{[]byte("b: 2\n"), []byte("a: 3\n")}
	})}})
	if s := see(t, h, line("sees", "x"), nil); !slices.Equal(s.Configs, []string{"a: 1\n", "b: 2\n", "a: 3\n"}) {
		t.Errorf("configs %q", s.Configs)
	}
}

// TestTheWholeLineIsSentWithThePluginsName, whatever its binding is called; what is
// for the host is taken out.
func TestTheWholeLineIsSentWithThePluginsName(t *testing.T) {
	h := run(t, host.Options{Bindings: []host.Binding{bound("sees", api.KindExecutor, func(b *host.Binding, _ *Dialect) { b.Name = "looks" })}})
	if s := see(t, h, line("looks", `get  "a b" --filter sees -- --cluster-name=x`), nil); s.Command != `sees get  "a b" -- --cluster-name=x` {
		t.Errorf("it sees %q", s.Command)
	}
}

// TestAnswersAreAtMostFifteenMessages, and what is left out is said.
func TestAnswersAreAtMostFifteenMessages(t *testing.T) {
	h := run(t, host.Options{Bindings: []host.Binding{bound("many", api.KindExecutor)}})
	talk := &Talk{}
	if _, _, err := execute(t, h, line("many", "x"), talk); err != nil {
		t.Fatal(err)
	}
	if n := len(talk.Shown); n != 16 || talk.Shown[14].Title != "Message 15" || talk.Shown[15].Title != "2 further messages are left out" {
		t.Errorf("%d: %+v", n, talk.Shown)
	}
}

// TestTheSecondWordHelpCallsHelp and executes nothing.
func TestTheSecondWordHelpCallsHelp(t *testing.T) {
	h := run(t, host.Options{Bindings: []host.Binding{bound("panics", api.KindExecutor), bound("sees", api.KindExecutor)}})
	if _, out, err := execute(t, h, line("panics", "help"), nil); err != nil || out != "usage: panics WORDS\n" {
		t.Errorf("%q, %v", out, err)
	}
	if r, _, err := execute(t, h, line("sees", "help me"), nil); err != nil || r.Title != "`sees` has no help" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestAPanicEndsTheProcessAndNothingElse: it is started again, and others go on.
func TestAPanicEndsTheProcessAndNothingElse(t *testing.T) {
	h := run(t, host.Options{Bindings: []host.Binding{bound("panics", api.KindExecutor), bound("echo", api.KindExecutor)}})
	_, _, err := execute(t, h, line("panics", "now"), nil)
	if err == nil || errors.As(err, new(api.Failure)) || !fault.Is(err, fault.Failed) {
		t.Errorf("%v", err)
	}
	if _, out, err := execute(t, h, line("echo", "still here"), nil); err != nil || out != "still here\n" {
		t.Errorf("%q, %v", out, err)
	}
	if _, out, err := execute(t, h, line("panics", "help"), nil); err != nil && !fault.Is(err, fault.Unavailable) {
		t.Errorf("%q, %v", out, err)
	}
}

// TestOrdinaryErrorsAreThePluginsOwn: gRPC's Unknown is a text for people.
func TestOrdinaryErrorsAreThePluginsOwn(t *testing.T) {
	h := run(t, host.Options{Bindings: []host.Binding{bound("odd", api.KindExecutor)}})
	_, _, err := execute(t, h, line("odd", "x"), nil)
	if !errors.As(err, new(api.Failure)) || err.Error() != "while running it: there is nothing of that name\nlook again" {
		t.Errorf("%v", err)
	}
}

// TestRequestsOfMoreThanFourMiBAreNotSent: plugins do not take them.
func TestRequestsOfMoreThanFourMiBAreNotSent(t *testing.T) {
	h := run(t, host.Options{Bindings: []host.Binding{bound("echo", api.KindExecutor, func(_ *host.Binding, d *Dialect) {
		d.Groups = [][]byte{[]byte("x: " + strings.Repeat("x", 4<<20))}
	})}})
	if _, _, err := execute(t, h, line("echo", "x"), nil); !fault.Is(err, fault.Refused) {
		t.Errorf("%v", err)
	}
}

// TestNoKubeconfigWithoutRBAC, and with it one as whom it says, of the cluster that
// the line names.
func TestNoKubeconfigWithoutRBAC(t *testing.T) {
	clusters := func(context.Context) ([]api.Cluster, error) {
		return []api.Cluster{{Name: "prod", Kubeconfig: []byte(oneCluster)}, {Name: "stage", Kubeconfig: []byte(oneCluster)}}, nil
	}
	with := func(rbac *RBAC) func(*host.Binding, *Dialect) {
		return func(b *host.Binding, d *Dialect) { b.Clusters, d.RBAC = clusters, rbac }
	}
	h := run(t, host.Options{Bindings: []host.Binding{bound("sees", api.KindExecutor, with(nil))}})
	if s := see(t, h, line("sees", "x --all-clusters"), nil); s.Kubeconfig != "" || s.Command != "sees x" {
		t.Errorf("%+v", s)
	}
	h = run(t, host.Options{Bindings: []host.Binding{bound("sees", api.KindExecutor, with(&RBAC{Group: Subject{Type: Static, Values: []string{"readers"}}}))}})
	s := see(t, h, line("sees", "x --cluster-name=stage y"), nil)
	if !strings.Contains(s.Kubeconfig, "current-context: stage") || !strings.Contains(s.Kubeconfig, "as: "+nobody) || s.Command != "sees x y" {
		t.Errorf("%+v", s)
	}
	if _, _, err := execute(t, h, line("sees", "x"), nil); !fault.Is(err, fault.Ambiguous) {
		t.Errorf("of two clusters it takes one by itself: %v", err)
	}
	if _, _, err := execute(t, h, line("sees", "x --cluster-name dev"), nil); !fault.Is(err, fault.NotFound) {
		t.Errorf("%v", err)
	}
	talk := &Talk{}
	if _, out, err := execute(t, h, line("sees", "x --all-clusters"), talk); err != nil || strings.Count(out, `"command":"sees x"`) != 2 {
		t.Errorf("%s, %v", out, err)
	}
}

// TestWhatIsNoMessageIsAFailure of the plugin's; unknown fields are none.
func TestWhatIsNoMessageIsAFailure(t *testing.T) {
	for says, ok := range map[string]bool{
		`{"baseBody":{"codeBlock":"x"},"more":1}`: true, `{"baseBody":[]}`: false, `{"baseBody":{}} {}`: false, "x": false, `{"type":"skipMessage","baseBody":{"codeBlock":"x"}}`: true, "": true,
	} {
		h := run(t, host.Options{Bindings: []host.Binding{bound("talks", api.KindExecutor, func(b *host.Binding, _ *Dialect) { b.Env["SAYS"] = says })}})
		_, out, err := execute(t, h, line("talks", "x"), nil)
		if (err == nil) != ok || err != nil && !errors.As(err, new(api.Failure)) || strings.Contains(says, "skip") && out != "" {
			t.Errorf("%s: %q, %v", says, out, err)
		}
	}
}

// TestASourceIsNoExecutor: a plugin of the other kind is not asked for anything.
func TestASourceIsNoExecutor(t *testing.T) {
	for name, kind := range map[string]string{"echo": api.KindExecutor, "kubernetes": api.KindSource} {
		o := host.Options{Bindings: []host.Binding{bound(name, "executor")}}
		h := run(t, o)
		_, _, err := execute(t, h, line(name, "x"), nil)
		if (err == nil) != (kind == api.KindExecutor) {
			t.Errorf("%s as an executor: %v", name, err)
		}
	}
}
