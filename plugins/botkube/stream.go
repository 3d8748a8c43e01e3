package botkube

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"ferry/internal/fault"
	"ferry/plugins/api"
	"ferry/plugins/botkube/wire/source"
)

// Stream implements host.Peer. A source that does not stream has nothing to say by
// itself, which is no failure: it waits for what comes from outside (External).
func (p *Peer) Stream(ctx context.Context, r api.StreamRequest, emit func(api.Event) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	kubeconfig, err := p.RBAC.Kubeconfig(r.Cluster, r.Kubeconfig, "")
	if err != nil {
		return err
	}
	request := &source.StreamRequest{
		Configs: []*source.Config{{RawYAML: r.Config}},
		Context: &source.StreamContext{SourceContext: p.sourceContext(r.Binding, r.Cluster), KubeConfig: kubeconfig},
	}
	if err := fits(request); err != nil {
		return err
	}
	stream, err := p.source.Stream(ctx, request)
	if err != nil {
		return err
	}
	for {
		m, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case status.Code(err) == codes.Unimplemented:
			<-ctx.Done()
			return ctx.Err()
		case err != nil:
			return failure(err)
		}
		if e, ok := p.toEvent(m.GetEvent(), r.Cluster, time.Now()); ok {
			if err := emit(e); err != nil {
				return err
			}
		}
	}
}

func (p *Peer) sourceContext(binding, cluster string) *source.SourceContext {
	c := &source.SourceContext{
		IsInteractivitySupported: true, ClusterName: cluster, SourceName: binding,
		IncomingWebhook: &source.IncomingWebhookContext{BaseURL: p.Webhooks},
	}
	if p.Webhooks != "" {
		c.IncomingWebhook.FullURLForSource = p.Webhooks + "/" + binding
	}
	return c
}

// External hands a request from outside to a source; ok is false if it makes no
// event of it.
func (p *Peer) External(ctx context.Context, binding, cluster string, config, payload []byte) (e api.Event, ok bool, err error) {
	request := &source.ExternalRequest{
		Payload: payload, Config: &source.Config{RawYAML: config},
		Context: &source.ExternalRequestContext{SourceContext: p.sourceContext(binding, cluster)},
	}
	if err := fits(request); err != nil {
		return api.Event{}, false, err
	}
	answer, err := p.source.HandleExternalRequest(ctx, request)
	switch {
	case status.Code(err) == codes.Unimplemented:
		return api.Event{}, false, fault.Newf(fault.NotFound, "the source %s takes no requests", binding)
	case err != nil:
		return api.Event{}, false, failure(err)
	case len(answer.GetEvent()) == 0:
		return api.Event{}, false, nil
	}
	e, ok = p.toEvent(answer.GetEvent(), cluster, time.Now())
	return e, ok, nil
}
