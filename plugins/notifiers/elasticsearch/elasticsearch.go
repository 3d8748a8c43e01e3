// Package elasticsearch writes notifications into a data stream with the bulk API. It
// is exactly once: a document's ID is the delivery's, it is created and never replaced,
// and one that is there already has arrived. That holds within one backing index: a
// delivery that is repeated after a rollover stands in two.
package elasticsearch

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"ferry/plugins/api"
	"ferry/plugins/notifiers/post"
	"ferry/plugins/notifiers/settings"
)

//go:embed schema.json
var schema []byte

// Notifier writes documents.
type Notifier struct {
	Version string

	once settings.Once[cluster]
	http func() *http.Client
}

// New returns a notifier of a version.
func New(version string) *Notifier {
	return &Notifier{Version: version, http: sync.OnceValue(post.Client)}
}

// Info implements api.Notifier.
func (n *Notifier) Info() api.Info {
	return api.Info{
		Name: "elasticsearch", Version: n.Version, Schema: schema, Docs: "docs/notifiers.md#elasticsearch",
		Description: "Writes notifications into a data stream, each once",
	}
}

// Check implements api.Checker.
func (n *Notifier) Check(_ context.Context, r api.CheckRequest) error {
	c, err := n.once.Of(r.Config, read)
	if err != nil {
		return err
	}
	_, err = c.headers()
	errs := []error{err}
	for _, to := range r.To {
		if to != "" {
			errs = append(errs, named("to", to))
		}
	}
	return settings.Judge(errs...)
}

// Deliver implements api.Notifier.
func (n *Notifier) Deliver(ctx context.Context, of api.Notification) (api.Receipt, error) {
	return api.Receipt{}, n.DeliverAll(ctx, []api.Notification{of})[0].Err
}

// maxBatch is how many documents go into one request: far below what is too large for
// Elasticsearch (100 MB), whatever events there are.
const maxBatch = 64

// Batch implements api.Sizer.
func (n *Notifier) Batch([]byte) int { return maxBatch }

// DeliverAll implements api.Batcher. What is too large for a server that takes less, or for
// a proxy before it, goes in parts.
func (n *Notifier) DeliverAll(ctx context.Context, all []api.Notification) []api.Outcome {
	together := func(part []api.Notification) ([]api.Outcome, error) { return n.together(ctx, part) }
	return post.Parts{Deliver: together, Raise: "http.max_content_length, or what a proxy before it takes"}.DeliverAll(ctx, all)
}

// doubtful is how large a body is that is announced first: Elasticsearch closes the
// connection on one that is too large, and its answer may be lost with that.
const doubtful = 256 << 10

// together creates documents in one request. An error is of the request as a whole.
func (n *Notifier) together(ctx context.Context, all []api.Notification) ([]api.Outcome, error) {
	out := make([]api.Outcome, len(all))
	c, err := n.once.Of(all[0].Config, read)
	if err != nil {
		return nil, err
	}
	body, in := c.bulk(all, out)
	if len(in) == 0 {
		return out, nil
	}
	header, err := c.headers()
	if err != nil {
		return became(out, in, api.Again(err, 0)), nil // somebody can mend the file
	}
	if len(body) > doubtful {
		header.Set("Expect", "100-continue")
	}
	raw, err := post.Do(ctx, n.http(), http.MethodPost, c.address, header, body)
	if _, large := errors.AsType[post.TooLarge](err); large {
		return nil, err
	}
	if err != nil {
		return became(out, in, err), nil
	}
	return created(raw, in, out), nil
}

// created reads an answer to a request for some of the documents.
func created(raw []byte, in []int, out []api.Outcome) []api.Outcome {
	var answer struct {
		Items []map[string]struct {
			Status int             `json:"status"`
			Error  json.RawMessage `json:"error"`
		} `json:"items"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return became(out, in, api.Again(fmt.Errorf("elasticsearch: an answer that is none: %w", err), 0))
	}
	if len(answer.Items) != len(in) {
		return became(out, in, api.Again(fmt.Errorf("elasticsearch answered %d items for %d documents", len(answer.Items), len(in)), 0))
	}
	for k, item := range answer.Items {
		one := item["create"]
		if one.Status >= 200 && one.Status < 300 || one.Status == http.StatusConflict { // a conflict is a document that is there
			continue
		}
		out[in[k]].Err = post.Status(one.Status, nil, fmt.Errorf("elasticsearch: %d: %.300s", one.Status, one.Error))
	}
	return out
}

// became gives those deliveries an error.
func became(out []api.Outcome, which []int, err error) []api.Outcome {
	for _, i := range which {
		out[i].Err = err
	}
	return out
}

// named says what is wrong with the name of a data stream, as Elasticsearch documents
// them.
func named(key, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%s is missing: name a data stream, such as logs-ferry-default", key)
	case len(name) > 255, name != strings.ToLower(name), strings.ContainsAny(name, `\/*?"<>| ,#:`), strings.ContainsAny(name[:1], "-_+."):
		return fmt.Errorf("%s: %q is no name of a data stream: small letters, digits, dashes and dots, such as logs-ferry-default", key, name)
	}
	return nil
}

// config is what can be configured; schema.json says the same to ferry.
type config struct {
	URL          string `yaml:"url"`
	Stream       string `yaml:"stream"`
	APIKeyFile   string `yaml:"api_key_file"`
	User         string `yaml:"user"`
	PasswordFile string `yaml:"password_file"`
}

// cluster is a configuration that was understood.
type cluster struct {
	config

	address       string
	key, password *settings.Secret // nil: there is none
}

func read(text []byte) (*cluster, error) {
	c := &cluster{}
	if err := settings.Read(text, &c.config); err != nil {
		return nil, err
	}
	if c.URL == "" {
		return nil, errors.New("url is missing: write that of the cluster, such as https://elastic.example.com:9200")
	}
	if err := post.Address(c.URL); err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if err := named("stream", c.Stream); err != nil {
		return nil, err
	}
	c.address = strings.TrimRight(c.URL, "/") + "/" + url.PathEscape(c.Stream) + "/_bulk"
	switch {
	case c.APIKeyFile != "" && c.User+c.PasswordFile != "":
		return nil, errors.New("api_key_file and user stand beside each other: keep one of them")
	case (c.User == "") != (c.PasswordFile == ""):
		return nil, errors.New("user and password_file belong together: write both, or api_key_file")
	case c.APIKeyFile != "":
		c.key = &settings.Secret{Key: "api_key_file", Path: c.APIKeyFile}
		return c, settings.Path("api_key_file", c.APIKeyFile)
	case c.User != "":
		c.password = &settings.Secret{Key: "password_file", Path: c.PasswordFile}
		return c, settings.Path("password_file", c.PasswordFile)
	}
	return c, nil
}

func (c *cluster) headers() (http.Header, error) {
	h := http.Header{"Content-Type": {"application/x-ndjson"}, "User-Agent": {"ferry"}}
	switch {
	case c.key != nil:
		key, err := c.key.Value()
		h.Set("Authorization", "ApiKey "+key)
		return h, err
	case c.password != nil:
		password, err := c.password.Value()
		r := &http.Request{Header: h}
		r.SetBasicAuth(c.User, password)
		return h, err
	}
	return h, nil
}
