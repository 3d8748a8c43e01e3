// Package botkube has ferry's host speak Botkube's protocol, so that Botkube's
// sources and executors run as they are. Their words become ferry's own at the
// edge: an event becomes an api.Event, a message with buttons a chat.Message, and
// nothing behind it knows where they came from.
//
// What the plugins are fragile in is kept from them: every request has all its
// nested messages, whatever is no JSON is not sent as such, and what is larger than
// they take is refused here. Each binding is a process with one stream, because two
// streams on one process lose events. They have no cursor: what happens while a
// stream is closed is lost, which is why it is opened again at once.
//
// A plugin gets a kubeconfig only if its binding says as whom it acts (RBAC), and
// acts as nobody else.
package botkube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"ferry/internal/fault"
	"ferry/plugins/api"
	"ferry/plugins/botkube/wire/executor"
	"ferry/plugins/botkube/wire/source"
	"ferry/plugins/host"
)

// What plugins and their host know each other by.
const (
	CookieKey   = "BOTKUBE"
	CookieValue = "52ca7b74-28eb-4fac-ae79-31a9cbda2454"
	Version     = 3
)

const (
	// maxRequest is the most bytes that a plugin takes: gRPC's default.
	maxRequest = 4 << 20
	// maxResponse is the most that is taken of one. Botkube's host breaks off at 4 MiB,
	// and loses the stream for one large object.
	maxResponse = 16 << 20
)

// Dialect is Botkube's protocol for one binding.
type Dialect struct {
	// Plugin is the plugin's name, which its lines begin with: the protocol has none.
	Plugin string
	// Groups are further configurations behind the binding's own, in their order; an
	// executor makes one of them all, in which the later wins.
	Groups [][]byte
	// RBAC says as whom the plugin acts in its clusters; nil: it gets no kubeconfig.
	RBAC *RBAC
	// Webhooks is the address below which sources are called, without a slash at its
	// end, such as http://ferry:8080/sources/v1; empty if they are not.
	Webhooks string
	// Clustered are the executors of this protocol whose lines have to name their cluster,
	// because they reach several: what a source says can be typed does.
	Clustered []string
}

// Handshake implements host.Dialect.
func (Dialect) Handshake() (key, value string, version int) { return CookieKey, CookieValue, Version }

// Largest implements host.Dialect.
func (Dialect) Largest() int { return maxResponse }

// Connect implements host.Dialect.
func (d Dialect) Connect(kind string, conn grpc.ClientConnInterface) host.Peer {
	return &Peer{
		Dialect: d, kind: kind, executor: executor.NewExecutorClient(conn), source: source.NewSourceClient(conn),
		sequence: newSequence(),
	}
}

// Peer is a plugin of Botkube's.
type Peer struct {
	Dialect
	kind     string
	executor executor.ExecutorClient
	source   source.SourceClient
	sequence *sequence
}

type metadata interface {
	GetVersion() string
	GetDescription() string
	GetDocumentationUrl() string
}

// Describe implements host.Peer. A plugin of the other kind is Unimplemented.
func (p *Peer) Describe(ctx context.Context) (api.Description, error) {
	if p.kind != api.KindSource {
		m, err := p.executor.Metadata(ctx, &emptypb.Empty{})
		if err == nil {
			return api.Description{Kind: api.KindExecutor, Info: p.info(m, m.GetJsonSchema().GetValue())}, nil
		}
		if p.kind != "" || status.Code(err) != codes.Unimplemented {
			return api.Description{}, err
		}
	}
	m, err := p.source.Metadata(ctx, &emptypb.Empty{})
	if err != nil {
		return api.Description{}, err
	}
	return api.Description{Kind: api.KindSource, Info: p.info(m, m.GetJsonSchema().GetValue())}, nil
}

func (p *Peer) info(m metadata, schema string) api.Info {
	i := api.Info{Name: p.Plugin, Version: m.GetVersion(), Description: m.GetDescription(), Docs: m.GetDocumentationUrl(), Schema: []byte(schema)}
	if i.Name == "" {
		i.Name = "a plugin of Botkube's"
	}
	if len(p.Groups) > 0 { // none of several has to fit by itself
		i.Schema = nil
	}
	return i
}

// Deliver implements host.Peer: there are no notifiers in this protocol.
func (*Peer) Deliver(context.Context, api.Deliveries, func(int, api.Outcome)) error {
	return status.Error(codes.Unimplemented, "Botkube's protocol has no notifiers")
}

// Check implements host.Peer: it is not asked of those that do not say they can.
func (*Peer) Check(context.Context, api.CheckRequest) error {
	return status.Error(codes.Unimplemented, "Botkube's protocol has no checks")
}

// fits refuses a request that the plugin would not take.
func fits(m proto.Message) error {
	if size := proto.Size(m); size > maxRequest {
		return fault.Newf(fault.Refused, "that is too much for a plugin of Botkube's: %d KiB, of which %d are allowed", size>>10, maxRequest>>10).
			WithHelp("its configuration, the kubeconfig and the line are counted together")
	}
	return nil
}

// failure is an error of the plugin's own, unless it is one of what lies between.
func failure(err error) error {
	switch s, _ := status.FromError(err); s.Code() {
	case codes.OK:
		return nil
	case codes.Unavailable, codes.Canceled, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Internal, codes.Unimplemented:
		return err
	default:
		return api.Fail(errors.New(strings.TrimSpace(s.Message())))
	}
}

// decode reads one JSON value, and nothing behind it. Fields that nobody knows are
// left alone: the protocol is frozen, its plugins are not.
func decode(text []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(to); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more behind its JSON")
	}
	return nil
}
