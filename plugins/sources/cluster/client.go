// Package cluster follows one kind of objects in one cluster for a source: it lists,
// watches from where the list was, lists again when the API server has forgotten what
// came after, and never ends because of what a cluster does. Objects are decoded
// into what a source declares of them and nothing else is kept, so that a source
// costs what it asks about, not what the cluster holds.
//
// Three things are to be had that informers do not give: a watch goes on where a
// process before this one was (Feed.From), the world is seen as it was there as long
// as the API server knows it (Feed.Recalled), and what cannot be seen is told
// (Feed.Trouble) instead of being tried in silence for ever.
package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Client is a way into a cluster.
type Client struct {
	base string
	http *http.Client
	// known is set once the API server has taken the credentials.
	known atomic.Bool
}

// Connect reads a kubeconfig's current context. It sends nothing.
func Connect(kubeconfig []byte) (*Client, error) {
	if len(kubeconfig) == 0 {
		return nil, errors.New("it was given no cluster: name one under `clusters`")
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.UserAgent = "ferry-source"
	config.Timeout = 0 // it would end watches
	config.Dial = dialing((&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext)
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("use the kubeconfig: %w", err)
	}
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("use the kubeconfig: %w", err)
	}
	return &Client{base: strings.TrimSuffix(base.String(), "/"), http: client}, nil
}

// Refusal is what an API server says instead of an answer.
type Refusal struct {
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

func (r *Refusal) Error() string {
	if r.Message == "" {
		return fmt.Sprintf("the API server answers %d", r.Code)
	}
	return r.Message
}

// passes says whether it is one that a server gives that is busy, or just starting.
func (r *Refusal) passes() bool { return r.Code == http.StatusTooManyRequests || r.Code >= 500 }

// denied says whether an API server does not take the credentials.
func denied(err error) bool {
	r, ok := errors.AsType[*Refusal](err)
	return ok && r.Code == http.StatusUnauthorized
}

// strange says whether an API server does not take the credentials for what everybody may
// read. One behind it, which serves some kinds, may not take them alone.
func (c *Client) strange(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, longestList)
	defer cancel()
	body, err := c.get(ctx, "/version", nil, "application/json")
	if err == nil {
		_ = body.Close()
	}
	return denied(err)
}

// Gone says whether the API server has forgotten what was asked for.
func Gone(err error) bool {
	r, ok := errors.AsType[*Refusal](err)
	return ok && r.Code == http.StatusGone
}

// longestList bounds how long a page of a list may take to arrive.
const longestList = 60 * time.Second

// get opens a response; whoever calls it closes it.
func (c *Client) get(ctx context.Context, path string, query url.Values, accept string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", accept)
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusUnauthorized && answer.StatusCode < http.StatusInternalServerError {
		c.known.Store(true)
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	refusal := &Refusal{}
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if json.Unmarshal(text, refusal) != nil || refusal.Code == 0 {
		refusal = &Refusal{Code: answer.StatusCode, Message: fmt.Sprintf("the API server answers %s", answer.Status)}
	}
	return nil, refusal
}
