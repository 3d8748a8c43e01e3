package api

import (
	"errors"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"ferry/plugins/api/wire"
)

func timeToWire(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func timeFromWire(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// valid makes a text one that can travel: protobuf takes no other than UTF-8, and
// what logs and commands print is not always that.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func validLabels(labels map[string]string) map[string]string {
	if len(labels) == 0 {
		return nil
	}
	out := make(map[string]string, len(labels))
	for k, v := range labels {
		out[valid(k)] = valid(v)
	}
	return out
}

func eventToWire(e Event) *wire.Event {
	return &wire.Event{
		Id: valid(e.ID), Cursor: valid(e.Cursor), At: timeToWire(e.At), Cluster: valid(e.Cluster), Kind: valid(e.Kind), Namespace: valid(e.Namespace), Name: valid(e.Name),
		Reason: valid(e.Reason), Severity: valid(e.Severity), Title: valid(e.Title), Text: valid(e.Text), Labels: validLabels(e.Labels), Object: e.Object,
		About: valid(e.About), Resolved: e.Resolved, Moment: e.Moment, Count: int64(e.Count),
	}
}

func eventFromWire(e *wire.Event) Event {
	return Event{
		ID: e.GetId(), Cursor: e.GetCursor(), At: timeFromWire(e.GetAt()), Cluster: e.GetCluster(), Kind: e.GetKind(), Namespace: e.GetNamespace(),
		Name: e.GetName(), Reason: e.GetReason(), Severity: e.GetSeverity(), Title: e.GetTitle(), Text: e.GetText(), Labels: e.GetLabels(),
		Object: e.GetObject(), About: e.GetAbout(), Resolved: e.GetResolved(), Moment: e.GetMoment(), Count: int(e.GetCount()),
	}
}

func executeToWire(r ExecuteRequest) *wire.ExecuteRequest {
	out := &wire.ExecuteRequest{
		Binding: r.Binding, Line: r.Line, Config: r.Config, Confirmed: r.Confirmed,
		User: &wire.User{Id: r.User.ID, Name: r.User.Name, Groups: r.User.Groups, Roles: r.User.Roles},
	}
	for _, c := range r.Clusters {
		out.Clusters = append(out.Clusters, &wire.Cluster{Name: c.Name, Kubeconfig: c.Kubeconfig})
	}
	return out
}

func executeFromWire(r *wire.ExecuteRequest) ExecuteRequest {
	u := r.GetUser()
	out := ExecuteRequest{
		Binding: r.GetBinding(), Line: r.GetLine(), Config: r.GetConfig(), Confirmed: r.GetConfirmed(),
		User: User{ID: u.GetId(), Name: u.GetName(), Groups: u.GetGroups(), Roles: u.GetRoles()},
	}
	for _, c := range r.GetClusters() {
		out.Clusters = append(out.Clusters, Cluster{Name: c.GetName(), Kubeconfig: c.GetKubeconfig()})
	}
	return out
}

func notificationToWire(n Notification) *wire.DeliverRequest {
	out := &wire.DeliverRequest{
		Id: n.ID, Incident: n.Incident, State: string(n.State), Binding: n.Binding, Config: n.Config, To: n.To, Title: n.Title, Text: n.Text,
		Severity: n.Severity, Labels: n.Labels, Count: int64(n.Count), Began: timeToWire(n.Began), At: timeToWire(n.At), Previous: receiptToWire(n.Previous),
	}
	for _, e := range n.Events {
		out.Events = append(out.Events, eventToWire(e))
	}
	return out
}

func notificationFromWire(r *wire.DeliverRequest) Notification {
	out := Notification{
		ID: r.GetId(), Incident: r.GetIncident(), State: State(r.GetState()), Binding: r.GetBinding(), Config: r.GetConfig(), To: r.GetTo(),
		Title: r.GetTitle(), Text: r.GetText(), Severity: r.GetSeverity(), Labels: r.GetLabels(), Count: int(r.GetCount()),
		Began: timeFromWire(r.GetBegan()), At: timeFromWire(r.GetAt()), Previous: receiptFromWire(r.GetPrevious()),
	}
	for _, e := range r.GetEvents() {
		out.Events = append(out.Events, eventFromWire(e))
	}
	return out
}

func receiptToWire(r Receipt) *wire.Receipt {
	return &wire.Receipt{Ref: valid(r.Ref), Url: valid(r.URL)}
}
func receiptFromWire(r *wire.Receipt) Receipt { return Receipt{Ref: r.GetRef(), URL: r.GetUrl()} }

func failureToWire(err error) *wire.Failure {
	if err == nil {
		return nil
	}
	after, again := Retry(err)
	f := &wire.Failure{Text: valid(err.Error()), Again: again, Refused: IsRefusal(err)}
	if after > 0 {
		f.After = durationpb.New(after)
	}
	return f
}

func failureFromWire(f *wire.Failure) error {
	if f == nil {
		return nil
	}
	err := error(Failure{errors.New(f.GetText())})
	if f.GetRefused() {
		err = Refuse(err)
	}
	if f.GetAgain() {
		return Again(err, f.GetAfter().AsDuration())
	}
	return err
}
