package notifiers_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// vendor is a local server that judges what it is sent.
type vendor struct {
	*httptest.Server
	mu    sync.Mutex
	posts []string // what was done, in short
	next  func(w http.ResponseWriter)
}

func (v *vendor) did() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return strings.Join(v.posts, "; ")
}

// fails makes the next request one that answer answers.
func (v *vendor) fails(answer func(w http.ResponseWriter)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.next = answer
}

// judge says what a request did and what the answer is, or what is wrong with it.
type judge func(r *http.Request, body []byte) (did string, answer any, err error)

// serve answers with what judge says; an error of it is a 400 that says why.
func serve(t *testing.T, judge judge) *vendor {
	t.Helper()
	v := &vendor{}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		defer v.mu.Unlock()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if answer := v.next; answer != nil {
			v.next = nil
			answer(w)
			return
		}
		did, answer, err := judge(r, body)
		if err != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if e, ok := answer.(status); ok {
			w.WriteHeader(e.code)
			fmt.Fprint(w, e.body)
			return
		}
		v.posts = append(v.posts, did)
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(v.Close)
	return v
}

// status is an answer of another status than 200.
type status struct {
	code int
	body string
}
