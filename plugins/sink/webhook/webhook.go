// Package webhook posts deliveries to an address, as JSON or as a template says, and
// signs them if it has a secret. It is at least once: a delivery whose answer was
// lost comes again, with the same ID in the header Ferry-Delivery and in the
// payload, by which the other side can tell.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"text/template"
	"time"

	"ferry/plugins/sink"
	"ferry/plugins/sink/httpsink"
)

// Headers of a request.
const (
	HeaderDelivery  = "Ferry-Delivery"
	HeaderSignature = "Ferry-Signature"
	HeaderTimestamp = "Ferry-Timestamp"
)

// Config of a webhook.
type Config struct {
	URL string
	// Secret signs: Ferry-Signature is "sha256=" and the hexadecimal HMAC-SHA256 of
	// Ferry-Timestamp, a full stop, and the body. "" for no signature.
	Secret string
	// Template is a text/template over sink.Delivery (function json); "" for the
	// delivery's own JSON.
	Template    string
	ContentType string // application/json
	Headers     map[string]string
	// Batch is how many deliveries go into one request, as a JSON array; 0 and 1 are one,
	// which is then not in an array.
	Batch int
}

// Sink is a webhook.
type Sink struct {
	c        Config
	http     *http.Client
	header   http.Header
	template *template.Template
}

// Many is a webhook that takes several deliveries at once.
type Many struct{ *Sink }

// New checks a configuration.
func New(c Config) (sink.Sink, error) {
	if err := httpsink.URL(c.URL); err != nil {
		return nil, err
	}
	s := &Sink{c: c, http: httpsink.Client(), header: http.Header{"Content-Type": {"application/json"}, "User-Agent": {"ferry"}}}
	if c.ContentType != "" {
		s.header.Set("Content-Type", c.ContentType)
	}
	for k, v := range c.Headers {
		s.header[textproto.CanonicalMIMEHeaderKey(k)] = []string{v}
	}
	if c.Template != "" {
		t, err := template.New("webhook").Funcs(template.FuncMap{"json": toJSON}).Option("missingkey=error").Parse(c.Template)
		if err != nil {
			return nil, fmt.Errorf("template: %w", err)
		}
		s.template = t
	}
	switch {
	case c.Batch > 1 && c.Template != "":
		return nil, errors.New("batch: a template is of one delivery")
	case c.Batch > 1:
		return Many{s}, nil
	}
	return s, nil
}

func toJSON(v any) (string, error) {
	raw, err := json.Marshal(v)
	return string(raw), err
}

// Deliver implements sink.Sink.
func (s *Sink) Deliver(ctx context.Context, d sink.Delivery) (sink.Receipt, error) {
	body, err := s.body(&d)
	if err != nil {
		return sink.Receipt{}, sink.Refused(err)
	}
	return sink.Receipt{}, s.post(ctx, d.ID, body)
}

func (s *Sink) body(d *sink.Delivery) ([]byte, error) {
	if s.template == nil {
		return encode(nil, d)
	}
	var b bytes.Buffer
	if err := s.template.Execute(&b, d); err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	return b.Bytes(), nil
}

// encode appends a delivery's JSON. Its event is JSON already, and put in as it is.
func encode(to []byte, d *sink.Delivery) ([]byte, error) {
	rest := *d
	rest.Event = nil
	raw, err := json.Marshal(&rest)
	if err != nil || len(d.Event) == 0 {
		return append(to, raw...), err
	}
	to = append(slices.Grow(to, len(raw)+len(d.Event)+16), raw[:len(raw)-1]...)
	return append(append(append(to, `,"event":`...), d.Event...), '}'), nil
}

// array is the JSON of several deliveries.
func array(ds []sink.Delivery) (out []byte, err error) {
	out = append(out, '[')
	for i := range ds {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = encode(out, &ds[i]); err != nil {
			return nil, err
		}
	}
	return append(out, ']'), nil
}

func (s *Sink) post(ctx context.Context, id string, body []byte) error {
	h := s.header.Clone()
	h[HeaderDelivery] = []string{id}
	if s.c.Secret != "" {
		at := strconv.FormatInt(time.Now().Unix(), 10)
		h[HeaderTimestamp], h[HeaderSignature] = []string{at}, []string{Sign(s.c.Secret, at, body)}
	}
	_, err := httpsink.Do(ctx, s.http, http.MethodPost, s.c.URL, h, body)
	return err
}

// Sign is the signature of a request.
func Sign(secret, timestamp string, body []byte) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(timestamp))
	m.Write([]byte{'.'})
	m.Write(body)
	return "sha256=" + hex.EncodeToString(m.Sum(nil))
}

// DeliverAll implements sink.Batcher. A request arrives as a whole or not at all; one
// that is refused for good is taken apart, so that one delivery does not sink the others.
func (m Many) DeliverAll(ctx context.Context, ds []sink.Delivery) []error {
	errs := make([]error, len(ds))
	for from := 0; from < len(ds); from += m.c.Batch {
		part := ds[from:min(len(ds), from+m.c.Batch)]
		body, err := array(part)
		if err == nil {
			err = m.post(ctx, part[0].ID, body)
		}
		for i := range part {
			errs[from+i] = err
			if sink.IsRefused(err) && len(part) > 1 {
				one, merr := array(part[i : i+1])
				if errs[from+i] = merr; merr == nil {
					errs[from+i] = m.post(ctx, part[i].ID, one)
				}
			}
		}
	}
	return errs
}
