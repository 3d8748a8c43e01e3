package botkube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"ferry/internal/chat"
	"ferry/internal/fault"
	"ferry/plugins/api"
	"ferry/plugins/botkube/wire/executor"
)

// maxMessages is how many messages an answer may have.
const maxMessages = 15

// Execute implements host.Peer. What people only read goes to out; what they act on
// is shown beside it (Talk).
func (p *Peer) Execute(ctx context.Context, r api.ExecuteRequest, out io.Writer) (api.Result, error) {
	c, err := parseCommand(strings.TrimSpace(p.Plugin + " " + r.Line))
	if err != nil {
		return api.Result{}, err
	}
	if c.help() {
		return p.help(ctx, r, &c, out)
	}
	clusters, err := p.targets(&c, r.Clusters)
	if err != nil {
		return api.Result{}, err
	}
	for _, cluster := range clusters {
		if err := p.one(ctx, r, &c, cluster, len(clusters) > 1, out); err != nil {
			if len(clusters) > 1 && !errors.Is(err, context.Canceled) {
				err = named(cluster.Name, err)
			}
			return api.Result{}, err
		}
	}
	return api.Result{}, nil
}

// named says in which cluster something failed, as what it was.
func named(cluster string, err error) error {
	text := fmt.Errorf("%s: %w", cluster, err)
	if failure := (api.Failure{}); errors.As(err, &failure) {
		return api.Fail(text)
	}
	return text
}

// targets are the clusters that a line is for. Without a kubeconfig it is the same
// in all of them, and runs once.
func (p *Peer) targets(c *command, all []api.Cluster) ([]api.Cluster, error) {
	var names []string
	for _, one := range all {
		names = append(names, one.Name)
		if one.Name == c.cluster {
			return []api.Cluster{one}, nil
		}
	}
	switch {
	case c.cluster != "":
		return nil, fault.Newf(fault.NotFound, "`%s` reaches no cluster `%s`", p.Plugin, c.cluster).WithHelp("it reaches %s", orElse(strings.Join(names, ", "), "none"))
	case len(all) == 0 || p.RBAC == nil:
		return []api.Cluster{{}}, nil
	case len(all) > 1 && !c.all:
		return nil, fault.Newf(fault.Ambiguous, "`%s` reaches several clusters", p.Plugin).
			WithHelp("add --cluster-name=%s, or --all-clusters; there are %s", names[0], strings.Join(names, ", "))
	}
	return all, nil
}

// one runs a line in one cluster.
func (p *Peer) one(ctx context.Context, r api.ExecuteRequest, c *command, cluster api.Cluster, several bool, out io.Writer) error {
	talk := talkOf(ctx)
	request, err := p.request(r, c, cluster, talk)
	if err != nil {
		return err
	}
	answer, err := p.executor.Execute(ctx, request)
	if err != nil {
		if status.Code(err) == codes.Unimplemented {
			return fault.Newf(fault.Refused, "the plugin of `%s` executes nothing", r.Binding).Because(err)
		}
		return failure(err)
	}
	all := answer.GetMessages()
	if len(answer.GetMessage()) > 0 {
		all = append([][]byte{answer.GetMessage()}, all...)
	}
	left := max(len(all)-maxMessages, 0)
	at := place{}
	if several {
		at.title = cluster.Name
	}
	if len(r.Clusters) > 1 {
		at.cluster = cluster.Name
	}
	for _, text := range all[:len(all)-left] {
		if err := p.shown(talk, r, c, at, text, out); err != nil {
			return err
		}
	}
	if left > 0 {
		talk.Shown = append(talk.Shown, Shown{Message: chat.Message{Tone: chat.Info, Title: fmt.Sprintf("%d further messages are left out", left), Lines: []string{fmt.Sprintf("A plugin may answer with %d.", maxMessages)}}})
	}
	return nil
}

// request has all its nested messages: without them plugins crash.
func (p *Peer) request(r api.ExecuteRequest, c *command, cluster api.Cluster, talk *Talk) (*executor.ExecuteRequest, error) {
	kubeconfig, err := p.RBAC.Kubeconfig(cluster.Name, cluster.Kubeconfig, talk.Channel)
	if err != nil {
		return nil, err
	}
	out := &executor.ExecuteRequest{
		Command: c.line,
		Context: &executor.ExecuteContext{
			IsInteractivitySupported: true, SlackState: talk.slackState(p.Plugin, r.Binding), KubeConfig: kubeconfig,
			Message: &executor.MessageContext{
				Text: talk.Text, ParentActivityId: talk.Thread,
				User: &executor.UserContext{Mention: mention(talk.User), DisplayName: orElse(r.User.Name, r.User.ID)},
			},
			IncomingWebhook: &executor.IncomingWebhookContext{BaseSourceURL: p.Webhooks},
		},
	}
	for _, text := range append([][]byte{r.Config}, p.Groups...) {
		if len(strings.TrimSpace(string(text))) > 0 {
			out.Configs = append(out.Configs, &executor.Config{RawYAML: text})
		}
	}
	return out, fits(out)
}

func mention(id chat.UserID) string {
	if id == "" {
		return ""
	}
	return "<@" + string(id) + ">"
}

// place is where an answer is from: title is for a message that has none, cluster what
// tells it from others that the plugin reaches.
type place struct{ title, cluster string }

// shown shows one message of an answer.
func (p *Peer) shown(talk *Talk, r api.ExecuteRequest, c *command, at place, text []byte, out io.Writer) error {
	var m Message
	if err := decode(text, &m); err != nil {
		return api.Fail(fmt.Errorf("its answer cannot be read: %w", err))
	}
	if m.Type == skipped || m.empty() {
		return nil
	}
	s := shower{plugin: p.Plugin, binding: r.Binding, filter: c.filter, title: at.title, cluster: at.cluster}
	is := s.show(&m)
	filter := p.filtering(r, c, &m)
	if m.printed() && !s.apart && is.Code != nil && len(is.Lines) == 0 && len(is.Fields) == 0 && is.At.IsZero() {
		head := ""
		if is.Title != "" {
			head = is.Title + "\n"
		}
		if filter != nil {
			talk.Shown = append(talk.Shown, Shown{Message: chat.Message{Tone: chat.Done, Title: quoted(typedAs(r)) + " is done", Controls: []chat.Control{*filter}}})
		}
		_, err := io.WriteString(out, head+is.Code.Text+"\n")
		return err
	}
	switch {
	case is.Title != "":
	case m.printed():
		is.Title = quoted(typedAs(r)) + " answers"
	case at.cluster != "":
		is.Title = quoted(r.Binding) + " on " + at.cluster + " answers"
	default: // the line is a step of several, and says nothing to anybody
		is.Title = quoted(r.Binding) + " answers"
	}
	if filter != nil {
		is.Controls = append(is.Controls, *filter)
	}
	if m.OnlyVisibleForYou {
		is.For = talk.User
	}
	talk.Shown = append(talk.Shown, Shown{Message: is, Replace: m.ReplaceOriginal, Thread: m.thread()})
	return nil
}

// typedAs is the line as it was typed.
func typedAs(r api.ExecuteRequest) string { return strings.TrimSpace(r.Binding + " " + r.Line) }

// filterFrom is how many lines an answer has that is worth filtering.
const filterFrom = 16

// filtering is a field that has the line run again, for the lines with some text.
func (p *Peer) filtering(r api.ExecuteRequest, c *command, m *Message) *chat.Control {
	line := Typed(typedAs(r) + " --filter=")
	if m.Type != withFilter || c.filter != "" || len(line) > maxCommand || strings.Count(m.BaseBody.CodeBlock+m.BaseBody.Plaintext, "\n")+1 < filterFrom {
		return nil
	}
	if _, ends, _ := strings.Cut(" "+r.Line+" ", " -- "); ends != "" {
		return nil // what stands behind -- is the plugin's
	}
	return &chat.Control{Kind: chat.Typed, Label: "Filter output", Hint: "only lines with this text", Command: line}
}

// help shows what the plugin says of itself.
func (p *Peer) help(ctx context.Context, r api.ExecuteRequest, c *command, out io.Writer) (api.Result, error) {
	answer, err := p.executor.Help(ctx, &emptypb.Empty{})
	if err != nil {
		return api.Result{}, failure(err)
	}
	if m := (Message{}); len(answer.GetHelp()) == 0 || decode(answer.GetHelp(), &m) == nil && m.empty() {
		return api.Result{Title: quoted(r.Binding) + " has no help"}, nil
	}
	return api.Result{}, p.shown(talkOf(ctx), r, c, place{}, answer.GetHelp(), out)
}
