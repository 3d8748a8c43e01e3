package api

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"ferry/plugins/api/wire"
)

type describeServer struct {
	wire.UnimplementedPluginServer
	kind   string
	plugin describer
}

func (s describeServer) Describe(context.Context, *wire.DescribeRequest) (*wire.DescribeResponse, error) {
	i := s.plugin.Info()
	_, finds := s.plugin.(Finder)
	_, checks := s.plugin.(Checker)
	return &wire.DescribeResponse{
		Kind: s.kind, Name: i.Name, Version: i.Version, Description: i.Description, Schema: i.Schema, Docs: i.Docs, Help: i.Help, Finds: finds, Checks: checks,
	}, nil
}

// Check implements wire.PluginServer.
func (s describeServer) Check(ctx context.Context, r *wire.CheckRequest) (*wire.CheckResponse, error) {
	c, ok := s.plugin.(Checker)
	if !ok {
		return nil, status.Error(codes.Unimplemented, "this plugin does not check its configuration")
	}
	return &wire.CheckResponse{Failure: failureToWire(c.Check(ctx, CheckRequest{Binding: r.GetBinding(), Config: r.GetConfig(), To: r.GetTo()}))}, nil
}

type sourceServer struct {
	wire.UnimplementedSourceServer
	source Source
	calls  *sync.WaitGroup
	marks  *marks
}

func (s sourceServer) Stream(r *wire.StreamRequest, stream grpc.ServerStreamingServer[wire.StreamResponse]) error {
	s.calls.Add(1)
	defer s.calls.Done()
	var one sync.Mutex // a stream takes one message at a time
	send := func(m *wire.StreamResponse) error {
		one.Lock()
		defer one.Unlock()
		return stream.Send(m)
	}
	q := StreamRequest{
		Binding: r.GetBinding(), Config: r.GetConfig(), Cluster: r.GetCluster(), Kubeconfig: r.GetKubeconfig(), Cursor: r.GetCursor(),
	}
	if r.GetMarks() {
		ended, end := context.WithCancel(stream.Context())
		asking := newInquiry(ended.Done(), s.marks, send)
		q.Stored = asking.stored
		var running sync.WaitGroup
		running.Go(asking.run)
		defer running.Wait()
		defer end()
	}
	err := s.source.Stream(stream.Context(), q, func(e Event) error {
		m := &wire.StreamResponse{Event: eventToWire(e)}
		if proto.Size(m) > MaxEvent {
			return ErrTooLarge
		}
		return send(m)
	})
	if err != nil && stream.Context().Err() == nil {
		return status.Error(codes.Unknown, err.Error())
	}
	return nil
}

// Stored implements wire.SourceServer.
func (s sourceServer) Stored(_ context.Context, r *wire.StoredRequest) (*wire.StoredResponse, error) {
	s.marks.answer(r.GetMark())
	return &wire.StoredResponse{}, nil
}

type executorServer struct {
	wire.UnimplementedExecutorServer
	executor Executor
	calls    *sync.WaitGroup
}

func (s executorServer) Execute(r *wire.ExecuteRequest, stream grpc.ServerStreamingServer[wire.ExecuteResponse]) error {
	s.calls.Add(1)
	defer s.calls.Done()
	out := &output{stream: stream}
	result, err := s.executor.Execute(stream.Context(), executeFromWire(r), out)
	return out.end(&wire.Outcome{
		Confirm: valid(result.Confirm), Title: valid(result.Title), Failed: result.Failed, File: valid(result.File), Failure: failureToWire(err),
	})
}

// chunk is the most output that travels in one message.
const chunk = 32 << 10

// output is the writer of an executor. Those who write to it may be several, as
// the two outputs of a command are.
type output struct {
	mu     sync.Mutex
	stream grpc.ServerStreamingServer[wire.ExecuteResponse]
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for sent := 0; sent < len(p); {
		n := min(chunk, len(p)-sent)
		if err := o.stream.Send(&wire.ExecuteResponse{Output: p[sent : sent+n]}); err != nil {
			return sent, err
		}
		sent += n
	}
	return len(p), nil
}

func (o *output) end(how *wire.Outcome) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stream.Send(&wire.ExecuteResponse{Outcome: how})
}
