package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

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

// Description is what a plugin says of itself: one of the kinds, its Info, and whether
// it is a Finder and a Checker.
type Description struct {
	Info

	Kind          string
	Finds, Checks bool
}

// Describe asks what it is.
func (r Remote) Describe(ctx context.Context) (Description, error) {
	d, err := wire.NewPluginClient(r.conn).Describe(ctx, &wire.DescribeRequest{})
	if err != nil {
		return Description{}, err
	}
	return Description{Kind: d.GetKind(), Finds: d.GetFinds(), Checks: d.GetChecks(), Info: Info{
		Name: d.GetName(), Version: d.GetVersion(), Description: d.GetDescription(), Schema: d.GetSchema(), Docs: d.GetDocs(), Help: d.GetHelp(),
	}}, nil
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

// Deliveries are asked for together.
type Deliveries struct {
	Binding       string
	Config        []byte
	Timeout       time.Duration // of one; 0: none
	Notifications []Notification
}

// Deliver asks a notifier for several deliveries and tells what became of each, as it
// becomes known and in any order; known is not called twice at a time. When ctx ends
// nothing more is begun; what is under way is waited for, but for no longer than
// parting. Outcomes that it did not tell of when it returns an error are not known.
func (r Remote) Deliver(ctx context.Context, q Deliveries, known func(i int, o Outcome)) error {
	open, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		select {
		case <-time.After(parting):
			cancel()
		case <-open.Done():
		}
	})()
	stream, err := wire.NewNotifierClient(r.conn).Deliver(open)
	if err != nil {
		return err
	}
	if err := send(stream, &q); err != nil && !errors.Is(err, io.EOF) { // io.EOF: Recv says why
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = stream.CloseSend() })()
	a := awaited{known: known, told: make([]bool, len(q.Notifications)), left: len(q.Notifications), late: q.Timeout + lateness, cancel: cancel}
	if err = a.all(stream); err != nil && ctx.Err() != nil && open.Err() != nil {
		return ctx.Err()
	}
	return err
}

// parting is how long a notifier is waited for by a ferry that stops: less than those
// who stop it wait for ferry.
const parting = 10 * time.Second

// maxBurst is how many bytes of notifications travel in one request, about.
const maxBurst = 4 << 20

func send(stream grpc.BidiStreamingClient[wire.DeliverRequest, wire.DeliverResponse], q *Deliveries) error {
	m := &wire.DeliverRequest{Binding: q.Binding, Config: q.Config}
	if q.Timeout > 0 {
		m.Timeout = durationpb.New(q.Timeout)
	}
	size := 0
	for i := range q.Notifications {
		n := &q.Notifications[i]
		if size += len(n.Event) + len(n.Text); size > maxBurst && len(m.Notifications) > 0 {
			m.More = true
			if err := stream.Send(m); err != nil {
				return err
			}
			m, size = &wire.DeliverRequest{}, len(n.Event)+len(n.Text)
		}
		m.Notifications = append(m.Notifications, notificationToWire(n))
	}
	return stream.Send(m)
}

// lateness is how long after its timeout an outcome is waited for.
const lateness = 5 * time.Second

// awaited are the outcomes of a request.
type awaited struct {
	known  func(i int, o Outcome)
	told   []bool
	left   int
	late   time.Duration
	cancel context.CancelFunc
}

func (a *awaited) all(stream grpc.BidiStreamingClient[wire.DeliverRequest, wire.DeliverResponse]) error {
	for a.left > 0 {
		var silent *time.Timer
		if a.late > lateness {
			silent = time.AfterFunc(a.late, a.cancel)
		}
		m, err := stream.Recv()
		switch {
		case silent != nil && !silent.Stop() && err != nil:
			return context.DeadlineExceeded
		case errors.Is(err, io.EOF):
			return errNoOutcome
		case err != nil:
			return err
		}
		for _, o := range m.GetOutcomes() {
			i := int(o.GetIndex())
			if i >= len(a.told) || a.told[i] {
				return fmt.Errorf("it tells of delivery %d, which is not awaited", i)
			}
			a.told[i], a.left = true, a.left-1
			out := Outcome{Receipt: receiptFromWire(o.GetReceipt()), Err: failureFromWire(o.GetFailure())}
			if o.GetHeld() {
				out.Err = ErrHeld
			}
			a.known(i, out)
		}
	}
	return nil
}

// Check is Checker.Check, for plugins that are.
func (r Remote) Check(ctx context.Context, q CheckRequest) error {
	m, err := wire.NewPluginClient(r.conn).Check(ctx, &wire.CheckRequest{Binding: q.Binding, Config: q.Config, To: q.To})
	if err != nil {
		return err
	}
	return failureFromWire(m.GetFailure())
}

// Fail returns err as a Failure: for hosts that speak with plugins otherwise.
func Fail(err error) error { return Failure{err} }
