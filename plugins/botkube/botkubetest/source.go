package botkubetest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"ferry/plugins/botkube/wire/source"
)

// aSource is one of the sources.
type aSource struct {
	source.UnimplementedSourceServer
	name string
}

// Metadata implements source.SourceServer.
func (s *aSource) Metadata(context.Context, *emptypb.Empty) (*source.MetadataResponse, error) {
	return &source.MetadataResponse{Version: "v1.14.0", Description: s.name + " of the test", Recommended: true}, nil
}

type sink = grpc.ServerStreamingServer[source.StreamResponse]

// Stream implements source.SourceServer.
func (s *aSource) Stream(r *source.StreamRequest, to sink) error {
	_ = r.Context.SourceContext.IncomingWebhook.BaseURL //nolint:protogetter // it is to crash
	send := func(text string) error { return to.Send(&source.StreamResponse{Event: []byte(text)}) }
	const kubernetes = `{"Message":{"type":"nonInteractiveEventSingleSection","sections":[{"header":"v1/pods error","bulletLists":[{"title":"Messages","items":["Back-off restarting (%d times)"]}]}]},` +
		`"RawObject":{"APIVersion":"v1","Kind":"Pod","Title":"v1/pods error","Name":"podinfo-1","Namespace":"team-a","Messages":["Back-off"],"Type":"error","Reason":"BackOff","Level":"error",` +
		`"Cluster":%q,"TimeStamp":"2026-01-02T03:04:05Z","Count":%d,"Action":"","Resource":"v1/pods","Recommendations":[],"Warnings":[]%s},"AnalyticsLabels":{"a":"b"}}`
	cluster := r.GetContext().GetSourceContext().GetClusterName()
	switch s.name {
	case "silent":
		return status.Error(codes.Unimplemented, "method Stream not implemented")
	case "kubernetes":
		for i := range 400 {
			if err := send(fmt.Sprintf(kubernetes, i, cluster, i+1, "")); err != nil {
				return err
			}
		}
	case "cm-watcher":
		const said = `{"Message":{"type":"threadMessage","parentActivityId":"1700000000.000100","baseBody":{"plaintext":%q}},"RawObject":{"anything":[1]}}`
		if err := send(fmt.Sprintf(said, "Plugin cm-watcher detected `ADDED` event on `default/cm-1`\n"+seen(r))); err != nil {
			return err
		}
	case "closes":
		return send(`{"Message":{"baseBody":{"plaintext":"Message 17 of it"}}}`)
	case "fat":
		if err := send(fmt.Sprintf(kubernetes, 1, cluster, 1, `,"Fat":"`+strings.Repeat("x", 5<<20)+`"`)); err != nil {
			return err
		}
		if err := send(fmt.Sprintf(kubernetes, 1, cluster, 2, "")); err != nil {
			return err
		}
	case "garbage":
		for _, text := range []string{"<html>", `{"Message":{"baseBody":7}}`, `{"Message":{}} {"x":1}`, `{"Message":{"type":"skipMessage","baseBody":{"plaintext":"x"}}}`, `{}`, `{"Message":{"baseBody":{"plaintext":"the last"}}}`} {
			if err := send(text); err != nil {
				return err
			}
		}
	}
	<-to.Context().Done()
	return nil
}

func seen(r *source.StreamRequest) string {
	c := r.GetContext().GetSourceContext()
	return strings.Join([]string{
		"configs", fmt.Sprint(len(r.GetConfigs())), string(r.GetConfigs()[0].GetRawYAML()), "cluster", c.GetClusterName(), "source", c.GetSourceName(),
		"at", c.GetIncomingWebhook().GetFullURLForSource(), "kubeconfig", fmt.Sprint(len(r.GetContext().GetKubeConfig())),
	}, " ")
}

// HandleExternalRequest implements source.SourceServer.
func (s *aSource) HandleExternalRequest(ctx context.Context, r *source.ExternalRequest) (*source.ExternalRequestResponse, error) {
	switch payload := string(r.GetPayload()); {
	case s.name == "deaf":
		return s.UnimplementedSourceServer.HandleExternalRequest(ctx, r)
	case payload == "nothing":
		return &source.ExternalRequestResponse{}, nil
	case payload == "die":
		panic("enough")
	case strings.HasPrefix(payload, "{"):
		return &source.ExternalRequestResponse{Event: encode(map[string]any{"Message": map[string]any{"baseBody": map[string]any{
			"plaintext": "told " + payload + " to " + r.GetContext().GetSourceContext().GetSourceName() + " with " + string(r.GetConfig().GetRawYAML()),
		}}})}, nil
	}
	return nil, errors.New("that is no JSON")
}
