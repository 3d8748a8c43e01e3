package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strings"
	"text/template"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/notifiers/post"
	"ferry/plugins/notifiers/settings"
)

// config is what can be configured; schema.json says the same to ferry.
type config struct {
	URL         string            `yaml:"url"`
	URLFile     string            `yaml:"url_file"`
	SecretFile  string            `yaml:"secret_file"`
	Template    string            `yaml:"template"`
	ContentType string            `yaml:"content_type"`
	Headers     map[string]string `yaml:"headers"`
	Batch       int               `yaml:"batch"`
}

// hook is a configuration that was understood.
type hook struct {
	config

	header          http.Header
	template        *template.Template
	address, secret func() (string, error)
}

func read(text []byte) (*hook, error) {
	h := &hook{header: http.Header{"Content-Type": {"application/json"}, "User-Agent": {"ferry"}}}
	if err := settings.Read(text, &h.config); err != nil {
		return nil, err
	}
	if err := errors.Join(h.readFiles(), h.readHeaders(), h.readTemplate()); err != nil {
		return nil, err
	}
	if h.Batch < 0 {
		return nil, fmt.Errorf("batch: %d is none: say how many deliveries go into one request", h.Batch)
	}
	return h, nil
}

func (h *hook) readFiles() error {
	h.address = func() (string, error) { return h.URL, nil }
	h.secret = func() (string, error) { return "", nil }
	switch {
	case h.URL != "" && h.URLFile != "":
		return errors.New("url and url_file stand beside each other: keep one of them")
	case h.URL == "" && h.URLFile == "":
		return errors.New("url is missing: write url: https://example.com/hook, or url_file where the address is a secret")
	case h.URL != "":
		if err := post.Address(h.URL); err != nil {
			return fmt.Errorf("url: %w", err)
		}
	default:
		if err := settings.Path("url_file", h.URLFile); err != nil {
			return err
		}
		h.address = (&settings.Secret{Key: "url_file", Path: h.URLFile, Judge: post.Address}).Value
	}
	if h.SecretFile != "" {
		h.secret = (&settings.Secret{Key: "secret_file", Path: h.SecretFile}).Value
		return settings.Path("secret_file", h.SecretFile)
	}
	return nil
}

// inName are the characters of a header's name.
const inName = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func (h *hook) readHeaders() error {
	if h.ContentType != "" {
		h.header.Set("Content-Type", h.ContentType)
	}
	for k, v := range h.Headers {
		name := textproto.CanonicalMIMEHeaderKey(k)
		switch {
		case k == "" || strings.Trim(k, inName) != "":
			return fmt.Errorf("headers: %q is no name of a header: letters, digits and dashes", k)
		case strings.HasPrefix(name, "Ferry-") || name == "Host" || name == "Content-Length":
			return fmt.Errorf("headers: %s is ferry's to set: leave it out", name)
		case strings.ContainsAny(v, "\r\n\x00"):
			return fmt.Errorf("headers: %s: a header is one line", name)
		}
		h.header[name] = []string{v}
	}
	if strings.ContainsAny(h.ContentType, "\r\n\x00") {
		return errors.New("content_type: a header is one line")
	}
	return nil
}

func (h *hook) readTemplate() error {
	if h.Template == "" {
		return nil
	}
	if h.Batch > 1 {
		return errors.New("template and batch: a template is of one delivery; leave batch out")
	}
	t, err := template.New("webhook").Funcs(template.FuncMap{"json": toJSON}).Option("missingkey=error").Parse(h.Template)
	if err != nil {
		return fmt.Errorf("template: %w", err)
	}
	h.template = t
	// What it asks of labels and details depends on the notification; which fields there
	// are does not.
	_, err = h.body(&api.Notification{ID: "0", Incident: "0", State: api.Opened, At: time.Unix(0, 0), Event: []byte("{}")})
	if err != nil && strings.Contains(err.Error(), "can't evaluate field") {
		return err
	}
	return nil
}
