package api

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

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

func validAll(texts []string) []string {
	for i, text := range texts {
		if !utf8.ValidString(text) {
			texts = slices.Clone(texts)
			for ; i < len(texts); i++ {
				texts[i] = valid(texts[i])
			}
			break
		}
	}
	return texts
}

func eventToWire(e Event) *wire.Event {
	return &wire.Event{
		Id: valid(e.ID), Cursor: valid(e.Cursor), At: timeToWire(e.At), Cluster: valid(e.Cluster), Kind: valid(e.Kind), Namespace: valid(e.Namespace), Name: valid(e.Name),
		Reason: valid(e.Reason), Severity: valid(e.Severity), Title: valid(e.Title), Text: valid(e.Text), Labels: validLabels(e.Labels), Object: e.Object,
		About: valid(e.About), Resolved: e.Resolved, Moment: e.Moment, Still: e.Still, Count: int64(e.Count),
	}
}

func eventFromWire(e *wire.Event) Event {
	return Event{
		ID: e.GetId(), Cursor: e.GetCursor(), At: timeFromWire(e.GetAt()), Cluster: e.GetCluster(), Kind: e.GetKind(), Namespace: e.GetNamespace(),
		Name: e.GetName(), Reason: e.GetReason(), Severity: e.GetSeverity(), Title: e.GetTitle(), Text: e.GetText(), Labels: e.GetLabels(),
		Object: e.GetObject(), About: e.GetAbout(), Resolved: e.GetResolved(), Moment: e.GetMoment(), Still: e.GetStill(), Count: int(e.GetCount()),
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

func notificationToWire(n *Notification) *wire.Notification {
	return &wire.Notification{
		Id: n.ID, Incident: n.Incident, State: string(n.State), Revision: int64(n.Revision), At: timeToWire(n.At), Severity: n.Severity,
		Title: valid(n.Title), Text: valid(n.Text), Count: int64(n.Count), Firing: int64(n.Firing), Things: int64(n.Things), Repeat: int64(n.Repeat),
		Labels: validLabels(n.Labels), Details: validAll(n.Details), Event: n.Event, To: n.To, Previous: receiptToWire(n.Previous), Order: valid(n.Order),
		Opened: timeToWire(n.Opened),
	}
}

func notificationFromWire(n *wire.Notification, q *wire.DeliverRequest) Notification {
	return Notification{
		ID: n.GetId(), Incident: n.GetIncident(), State: State(n.GetState()), Revision: int(n.GetRevision()), At: timeFromWire(n.GetAt()), Severity: n.GetSeverity(),
		Title: n.GetTitle(), Text: n.GetText(), Count: int(n.GetCount()), Firing: int(n.GetFiring()), Things: int(n.GetThings()), Repeat: int(n.GetRepeat()),
		Labels: n.GetLabels(), Details: n.GetDetails(), Event: n.GetEvent(), To: n.GetTo(), Previous: receiptFromWire(n.GetPrevious()), Order: n.GetOrder(),
		Opened:  timeFromWire(n.GetOpened()),
		Binding: q.GetBinding(), Config: q.GetConfig(),
	}
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
