// Package botkubetest has plugins that behave as Botkube's do, with all that they are
// fragile in: a test binary becomes one of them, so that they are built with it and
// once. They speak with what stands in the protocol's description alone, through
// go-plugin as those do, and know nothing of ferry's.
package botkubetest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"ferry/plugins/botkube/wire/executor"
	"ferry/plugins/botkube/wire/source"
)

// Env is the variable that makes a test binary one of the plugins.
const Env = "BOTKUBE_PLUGIN_OF_THE_TEST"

// Behave is the main of the plugin that the environment names; it returns at once,
// with false, if that names none.
func Behave() bool {
	name := os.Getenv(Env)
	switch name {
	case "":
		return false
	case "echo", "kubectl", "panics", "many", "sees", "talks", "odd":
		serve("executor", func(s *grpc.Server) { executor.RegisterExecutorServer(s, &anExecutor{name: name}) })
	case "kubernetes", "cm-watcher", "closes", "fat", "silent", "deaf", "garbage":
		serve("source", func(s *grpc.Server) { source.RegisterSourceServer(s, &aSource{name: name}) })
	default:
		panic("there is no such plugin: " + name)
	}
	return true
}

type served struct {
	plugin.NetRPCUnsupportedPlugin
	register func(*grpc.Server)
}

func (s served) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	s.register(server)
	return nil
}

func (served) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, plugin.ErrProcessNotFound
}

func serve(kind string, register func(*grpc.Server)) {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  plugin.HandshakeConfig{ProtocolVersion: 3, MagicCookieKey: "BOTKUBE", MagicCookieValue: "52ca7b74-28eb-4fac-ae79-31a9cbda2454"},
		VersionedPlugins: map[int]plugin.PluginSet{3: {kind: served{register: register}}},
		Logger:           hclog.NewNullLogger(),
		GRPCServer:       plugin.DefaultGRPCServer, // which takes requests of 4 MiB
	})
}

// anExecutor is one of the executors.
type anExecutor struct {
	executor.UnimplementedExecutorServer
	name string
}

// Metadata implements executor.ExecutorServer.
func (e *anExecutor) Metadata(context.Context, *emptypb.Empty) (*executor.MetadataResponse, error) {
	schema := `{"type":"object","properties":{"greeting":{"type":"string"}}}`
	return &executor.MetadataResponse{
		Version: "v1.14.0", Description: e.name + " of the test", JsonSchema: &executor.JSONSchema{Value: schema},
		Dependencies: map[string]*executor.Dependency{"tool": {Urls: map[string]string{"linux/amd64": "https://example.com/tool"}}}, DocumentationUrl: "https://example.com/docs",
	}, nil
}

// Help implements executor.ExecutorServer.
func (e *anExecutor) Help(context.Context, *emptypb.Empty) (*executor.HelpResponse, error) {
	if e.name == "sees" {
		return &executor.HelpResponse{}, nil
	}
	return &executor.HelpResponse{Help: encode(map[string]any{"baseBody": map[string]any{"codeBlock": "usage: " + e.name + " WORDS"}})}, nil
}

// Execute implements executor.ExecutorServer. As those of Botkube do, it takes for
// granted that all that may be nil in a request is there.
func (e *anExecutor) Execute(_ context.Context, r *executor.ExecuteRequest) (*executor.ExecuteResponse, error) {
	_ = r.Context.IncomingWebhook.BaseSourceURL //nolint:protogetter // it is to crash
	_ = r.Context.Message.User.Mention          //nolint:protogetter // it is to crash
	if s := r.GetContext().GetSlackState(); s != nil && !json.Valid(s) {
		panic("its state is no JSON")
	}
	_, rest, _ := strings.Cut(r.GetCommand(), " ")
	switch e.name {
	case "kubectl":
		return e.kubectl(r)
	case "panics":
		var nothing *strings.Builder
		nothing.WriteString("x")
	case "many":
		return many(), nil
	case "sees":
		return text(sees(r)), nil
	case "talks":
		return &executor.ExecuteResponse{Message: []byte(os.Getenv("SAYS"))}, nil
	case "odd":
		return nil, status.Error(codes.Unknown, "while running it: there is nothing of that name\nlook again")
	}
	return text(rest), nil
}

func many() *executor.ExecuteResponse {
	out := &executor.ExecuteResponse{}
	for i := range 17 {
		out.Messages = append(out.Messages, encode(map[string]any{"sections": []any{map[string]any{"header": fmt.Sprintf("Message %d", i+1)}}}))
	}
	return out
}

// sees answers with what the plugin was given.
func sees(r *executor.ExecuteRequest) string {
	var configs []string
	for _, c := range r.GetConfigs() {
		configs = append(configs, string(c.GetRawYAML()))
	}
	c := r.GetContext()
	out, _ := json.Marshal(map[string]any{
		"command": r.GetCommand(), "configs": configs, "kubeconfig": string(c.GetKubeConfig()), "state": string(c.GetSlackState()), "interactive": c.GetIsInteractivitySupported(),
		"text": c.GetMessage().GetText(), "thread": c.GetMessage().GetParentActivityId(), "mention": c.GetMessage().GetUser().GetMention(), "webhook": c.GetIncomingWebhook().GetBaseSourceURL(),
		"env": os.Environ(),
	})
	return string(out)
}

// kubectl offers its verbs and resources when it is called alone.
func (e *anExecutor) kubectl(r *executor.ExecuteRequest) (*executor.ExecuteResponse, error) {
	switch _, rest, _ := strings.Cut(r.GetCommand(), " "); {
	case strings.HasPrefix(rest, "@builder"):
		return preview(r), nil
	case rest == "get long":
		return text(strings.Repeat("pod 1/1\n", 20)), nil
	case rest != "":
		return text("NAME READY\npodinfo-1 1/1\nother-2 0/1\n"), nil
	}
	option := func(all ...string) []any {
		var out []any
		for _, o := range all {
			out = append(out, map[string]any{"name": o, "value": o})
		}
		return []any{map[string]any{"name": "all", "options": out}}
	}
	return &executor.ExecuteResponse{Message: encode(map[string]any{
		"onlyVisibleForYou": true, "replaceOriginal": true, "timestamp": "0001-01-01T00:00:00Z", "later": map[string]any{"unknown": true},
		"sections": []any{
			map[string]any{
				"header": "Build a command", "style": map[string]any{"divider": "none"}, "description": "Ask {{BotName}} for it.",
				"selects": map[string]any{"id": "s1", "items": []any{
					map[string]any{"type": "static", "name": "Verb", "command": "{{BotName}} kubectl @builder --verbs", "optionGroups": option("get", "describe"), "initialOption": map[string]any{"name": "get", "value": "get"}},
					map[string]any{"type": "external", "name": "Resource", "command": "{{BotName}} kubectl @builder --resource-name", "optionGroups": option("a", "b")},
					map[string]any{"type": "external", "name": "No resources found", "initialOption": map[string]any{"name": "No resources found", "value": "no-resources"}},
				}},
				"multiSelect":     map[string]any{"name": "Namespaces", "command": "{{BotName}} kubectl @builder --ns", "options": []any{map[string]any{"name": "A", "value": "a"}, map[string]any{"name": "B", "value": "b"}}},
				"plaintextInputs": []any{map[string]any{"command": "{{BotName}} kubectl @builder --filter-query ", "text": "Filter", "placeholder": "words", "dispatchedAction": "on_enter_pressed"}},
			},
			map[string]any{
				"body": map[string]any{"codeBlock": "kubectl get pods"},
				"buttons": []any{
					map[string]any{"name": "Run", "command": `{{BotName}} kubectl get pods -l 'a in (b)' --sort-by=<x> && y`, "style": "primary", "description": "runs it"},
					map[string]any{"name": "Delete", "command": "{{BotName}} kubectl delete pod x", "style": "danger"},
					map[string]any{"name": "Docs", "url": "https://example.com/kubectl"},
				},
				"textFields":  []any{map[string]any{"key": "Cluster", "value": "prod"}},
				"bulletLists": []any{map[string]any{"title": "Hints", "items": []any{"one", "two"}}},
				"context":     []any{map[string]any{"text": "more in {{BotName}} help"}},
			},
		},
	})}, nil
}

func text(code string) *executor.ExecuteResponse {
	return &executor.ExecuteResponse{Message: encode(map[string]any{"type": "baseBodyWithFilter", "baseBody": map[string]any{"codeBlock": code}})}
}

func encode(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return out
}
