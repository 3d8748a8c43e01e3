package api

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"ferry/plugins/api/wire"
)

// Failure is an error that a plugin returned by itself, as its host sees it: a
// text that the plugin wrote for people. What is no Failure came from what lies
// between them: the plugin has died, hangs or speaks otherwise.
type Failure struct{ error }

// Remote is a plugin in another process, seen from its host.
type Remote struct{ conn grpc.ClientConnInterface }

// Connect returns the plugin at the other end of a connection.
func Connect(conn grpc.ClientConnInterface) Remote { return Remote{conn: conn} }

// Describe asks what it is: one of the kinds, its Info, and whether it is a Finder.
func (r Remote) Describe(ctx context.Context) (kind string, i Info, finds bool, err error) {
	d, err := wire.NewPluginClient(r.conn).Describe(ctx, &wire.DescribeRequest{})
	if err != nil {
		return "", Info{}, false, err
	}
	return d.GetKind(), Info{
		Name: d.GetName(), Version: d.GetVersion(), Description: d.GetDescription(), Schema: d.GetSchema(), Docs: d.GetDocs(), Help: d.GetHelp(),
	}, d.GetFinds(), nil
}

// Stream is Source.Stream. It returns the first error of emit or of q.Stored, which
// is called while emit is, never twice at a time, and not at all by a source that
// does not want to know.
func (r Remote) Stream(ctx context.Context, q StreamRequest, emit func(Event) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	client := wire.NewSourceClient(r.conn)
	owed := answers{client: client, stored: q.Stored, fail: cancel, latest: make(chan uint64, 1)}
	defer owed.running.Wait()
	defer cancel(nil)
	stream, err := client.Stream(ctx, &wire.StreamRequest{
		Binding: q.Binding, Config: q.Config, Cluster: q.Cluster, Kubeconfig: q.Kubeconfig, Cursor: q.Cursor, Marks: q.Stored != nil,
	})
	if err != nil {
		return err
	}
	for {
		m, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case status.Code(err) == codes.Unknown:
			return Failure{errors.New(status.Convert(err).Message())}
		case err != nil:
			if why, ours := errors.AsType[notStored](context.Cause(ctx)); ours {
				return why.error
			}
			return err
		}
		mark := m.GetMark()
		if mark == 0 || m.GetEvent() != nil {
			if err := emit(eventFromWire(m.GetEvent())); err != nil {
				return err
			}
		}
		if mark != 0 {
			owed.owe(ctx, mark)
		}
	}
}

// errNoOutcome is for an executor that ends its answer in the middle.
var errNoOutcome = errors.New("it ended its answer without an outcome")

// Execute is Executor.Execute. It returns the first error of out.
func (r Remote) Execute(ctx context.Context, q ExecuteRequest, out io.Writer) (Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := wire.NewExecutorClient(r.conn).Execute(ctx, executeToWire(q))
	if err != nil {
		return Result{}, err
	}
	for {
		m, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return Result{}, errNoOutcome
		case err != nil:
			return Result{}, err
		}
		if len(m.GetOutput()) > 0 {
			if _, err := out.Write(m.GetOutput()); err != nil {
				return Result{}, err
			}
		}
		if o := m.GetOutcome(); o != nil {
			return Result{Confirm: o.GetConfirm(), Title: o.GetTitle(), Failed: o.GetFailed(), File: o.GetFile()}, failureFromWire(o.GetFailure())
		}
	}
}

// Deliver is Notifier.Deliver.
func (r Remote) Deliver(ctx context.Context, n Notification) (Receipt, error) {
	m, err := wire.NewNotifierClient(r.conn).Deliver(ctx, notificationToWire(n))
	if err != nil {
		return Receipt{}, err
	}
	return receiptFromWire(m.GetReceipt()), failureFromWire(m.GetFailure())
}

// Find is Finder.Find.
func (r Remote) Find(ctx context.Context, n Notification) (Receipt, bool, error) {
	m, err := wire.NewNotifierClient(r.conn).Find(ctx, notificationToWire(n))
	if err != nil {
		return Receipt{}, false, err
	}
	return receiptFromWire(m.GetReceipt()), m.GetFound(), failureFromWire(m.GetFailure())
}

// Fail returns err as a Failure: for hosts that speak with plugins otherwise.
func Fail(err error) error { return Failure{err} }
