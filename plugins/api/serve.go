package api

import (
	"context"
	"io"
	"os"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"ferry/plugins/api/wire"
)

// What ferry and a plugin know each other by. It is no secret: it keeps people
// from starting a plugin by hand and waiting for something.
const (
	CookieKey   = "FERRY_PLUGIN"
	CookieValue = "4b1f2c9e-6a37-4f0d-9c55-1d0f3f1c7a52"
)

// The kinds of plugins.
const (
	KindSource   = "source"
	KindExecutor = "executor"
	KindNotifier = "notifier"
)

// maxRequest is the most bytes that a plugin takes in a request.
const maxRequest = 16 << 20

// ServeSource is the main of a source: it returns when ferry ends the plugin.
func ServeSource(s Source) {
	serve(KindSource, s, func(server *grpc.Server, calls *sync.WaitGroup) {
		wire.RegisterSourceServer(server, sourceServer{source: s, calls: calls, marks: &marks{}})
	})
}

// ServeExecutor is the main of an executor.
func ServeExecutor(e Executor) {
	serve(KindExecutor, e, func(server *grpc.Server, calls *sync.WaitGroup) {
		wire.RegisterExecutorServer(server, executorServer{executor: e, calls: calls})
	})
}

// ServeNotifier is the main of a notifier.
func ServeNotifier(n Notifier) {
	serve(KindNotifier, n, func(server *grpc.Server, calls *sync.WaitGroup) {
		wire.RegisterNotifierServer(server, notifierServer{notifier: n, calls: calls})
	})
}

type describer interface{ Info() Info }

// served is what go-plugin is given to serve.
type served struct {
	plugin.NetRPCUnsupportedPlugin
	register func(*grpc.Server)
}

func (s served) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	s.register(server)
	return nil
}

func (served) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil //nolint:nilnil // a plugin serves: it is never asked for this
}

// serve returns when ferry has ended the connection and the calls that ran have
// returned.
func serve(kind string, d describer, register func(*grpc.Server, *sync.WaitGroup)) {
	if os.Getenv(CookieKey) == CookieValue {
		go endWithHost(os.Stdin)
	}
	var calls sync.WaitGroup
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{MagicCookieKey: CookieKey, MagicCookieValue: CookieValue},
		VersionedPlugins: map[int]plugin.PluginSet{Version: {kind: served{register: func(server *grpc.Server) {
			wire.RegisterPluginServer(server, describeServer{kind: kind, plugin: d})
			register(server, &calls)
		}}}},
		GRPCServer: func(o []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(o, grpc.MaxRecvMsgSize(maxRequest))...)
		},
		Logger: hclog.NewNullLogger(),
	})
	calls.Wait()
}

// endWithHost ends the process when ferry is gone, however it went: ferry holds
// the other end of the standard input, and never writes.
func endWithHost(in io.Reader) {
	_, _ = io.Copy(io.Discard, in)
	endGroup()
}
