package forge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
)

// What is kept of answers, so that asking again costs nothing that GitHub counts.
const (
	keptAnswers = 64
	keptBytes   = 128 << 10 // of one answer
)

// answers keeps the last answer to each read with its ETag. Who comes when it is
// full takes the place of the one that was asked for longest ago.
type answers struct {
	mu    sync.Mutex
	byURL map[string]kept
	turn  int
}

type kept struct {
	etag string
	body []byte
	next int // page, 0 for none
	used int
}

func (a *answers) get(url string) kept {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, ok := a.byURL[url]
	if ok {
		a.turn++
		k.used = a.turn
		a.byURL[url] = k
	}
	return k
}

func (a *answers) put(url string, k kept) {
	if k.etag == "" || len(k.body) > keptBytes {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byURL == nil {
		a.byURL = map[string]kept{}
	}
	if _, there := a.byURL[url]; !there && len(a.byURL) >= keptAnswers {
		oldest := ""
		for u, o := range a.byURL {
			if oldest == "" || o.used < a.byURL[oldest].used {
				oldest = u
			}
		}
		delete(a.byURL, oldest)
	}
	a.turn++
	k.used = a.turn
	a.byURL[url] = k
}

// read gets a resource below the API's address, conditionally if it was got
// before, and returns the number of the next page, 0 for none. Errors are
// GitHub's own, for the caller to explain.
func (r *Repository) read(ctx context.Context, url string, into any) (next int, err error) {
	req, err := r.client.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0, fmt.Errorf("make request: %w", err)
	}
	known := r.answers.get(url)
	if known.etag != "" {
		req.Header.Set("If-None-Match", known.etag)
	}
	var body bytes.Buffer
	resp, err := r.client.Do(ctx, req, &body)
	switch {
	case resp != nil && resp.StatusCode == http.StatusNotModified && known.etag != "":
	case err != nil:
		return 0, err
	default:
		known = kept{etag: resp.Header.Get("Etag"), body: body.Bytes(), next: resp.NextPage}
		r.answers.put(url, known)
	}
	if err := json.Unmarshal(known.body, into); err != nil {
		return 0, fmt.Errorf("read GitHub's answer: %w", err)
	}
	return known.next, nil
}

// write sends a change. Errors are GitHub's own, for the caller to explain.
func (r *Repository) write(ctx context.Context, method, url string, body, into any) error {
	req, err := r.client.NewRequest(method, url, body)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	_, err = r.client.Do(ctx, req, into)
	return err
}

// refused returns the status and the words with which GitHub refused a request;
// 0 if it did not answer, or did not refuse.
func refused(err error) (status int, says string) {
	e, ok := asResponse(err)
	if !ok {
		return 0, ""
	}
	says = e.Message
	for _, one := range e.Errors {
		if one.Message != "" {
			says += ": " + one.Message
		}
	}
	return e.Response.StatusCode, says
}

// hidden reports whether something is not there or not for ferry to see.
func hidden(err error) bool {
	status, _ := refused(err)
	return status == http.StatusNotFound || status == http.StatusForbidden
}
