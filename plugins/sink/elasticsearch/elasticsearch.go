// Package elasticsearch writes deliveries into a data stream with the bulk API. It is
// exactly once: a document's ID is the delivery's, it is created and never replaced,
// and one that is there already has arrived. That holds within one backing index: a
// delivery that is repeated after a rollover stands in two.
package elasticsearch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"ferry/plugins/sink"
	"ferry/plugins/sink/httpsink"
)

// Config of a data stream.
type Config struct {
	URL string // of the cluster, without a path to a stream
	// Stream is the data stream, such as logs-ferry-default; an index template for it
	// makes it with the first document.
	Stream string
	// APIKey is what Elasticsearch calls the encoded one; or user and password.
	APIKey, User, Password string
}

// Sink is a data stream.
type Sink struct {
	http    *http.Client
	address string
	header  http.Header
}

// New checks a configuration.
func New(c Config) (*Sink, error) {
	if err := httpsink.URL(c.URL); err != nil {
		return nil, err
	}
	// As Elasticsearch documents names of data streams.
	if c.Stream == "" || len(c.Stream) > 255 || c.Stream != strings.ToLower(c.Stream) || strings.ContainsAny(c.Stream, `\/*?"<>| ,#:`) || strings.ContainsAny(c.Stream[:1], "-_+.") {
		return nil, fmt.Errorf("stream: %q is no name of a data stream", c.Stream)
	}
	s := &Sink{
		http: httpsink.Client(), address: strings.TrimRight(c.URL, "/") + "/" + url.PathEscape(c.Stream) + "/_bulk",
		header: http.Header{"Content-Type": {"application/x-ndjson"}, "User-Agent": {"ferry"}},
	}
	switch {
	case c.APIKey != "" && c.User != "":
		return nil, errors.New("api_key and user: give one of them")
	case c.APIKey != "":
		s.header.Set("Authorization", "ApiKey "+c.APIKey)
	case c.User != "":
		r := &http.Request{Header: s.header}
		r.SetBasicAuth(c.User, c.Password)
	}
	return s, nil
}

// Deliver implements sink.Sink.
func (s *Sink) Deliver(ctx context.Context, d sink.Delivery) (sink.Receipt, error) {
	return sink.Receipt{}, s.DeliverAll(ctx, []sink.Delivery{d})[0]
}

// document is a delivery as it is stored: with the field that every document of a data
// stream has, and the event as text, so that its fields cannot clash with others'.
type document struct {
	Timestamp time.Time `json:"@timestamp"`
	sink.Delivery
	Event string `json:"event,omitempty"`
}

// DeliverAll implements sink.Batcher.
func (s *Sink) DeliverAll(ctx context.Context, ds []sink.Delivery) []error {
	errs := make([]error, len(ds))
	all := func(err error) []error {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	for i := range ds {
		action := map[string]any{"create": map[string]string{"_id": ds[i].ID}}
		doc := document{Timestamp: ds[i].At, Delivery: ds[i], Event: string(ds[i].Event)}
		if err := errors.Join(to.Encode(action), to.Encode(doc)); err != nil {
			return all(sink.Refused(fmt.Errorf("encode delivery %s: %w", ds[i].ID, err)))
		}
	}
	raw, err := httpsink.Do(ctx, s.http, http.MethodPost, s.address, s.header.Clone(), b.Bytes())
	if err != nil {
		return all(err)
	}
	var answer struct {
		Items []map[string]struct {
			Status int             `json:"status"`
			Error  json.RawMessage `json:"error"`
		} `json:"items"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return all(fmt.Errorf("elasticsearch: an answer that is none: %w", err))
	}
	if len(answer.Items) != len(ds) {
		return all(fmt.Errorf("elasticsearch answered %d items for %d documents", len(answer.Items), len(ds)))
	}
	for i, item := range answer.Items {
		one := item["create"]
		switch {
		case one.Status >= 200 && one.Status < 300, one.Status == http.StatusConflict:
			// A conflict is a document that is there.
		default:
			errs[i] = httpsink.Status(one.Status, nil, fmt.Errorf("elasticsearch: %d: %.300s", one.Status, one.Error))
		}
	}
	return errs
}
