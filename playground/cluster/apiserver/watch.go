package apiserver

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// bookmarkEvery is how often an idle watch is told the current version.
const bookmarkEvery = time.Minute

// watch streams changes until the client leaves or its time is over.
func (s *Server) watch(w http.ResponseWriter, r *request) error {
	match, err := selector(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	bookmarks, sendInitial := isTrue(query.Get("allowWatchBookmarks")), isTrue(query.Get("sendInitialEvents"))
	if query.Has("sendInitialEvents") && query.Get("resourceVersionMatch") != "NotOlderThan" {
		return apierrors.NewBadRequest("sendInitialEvents requires resourceVersionMatch=NotOlderThan")
	}
	from := watchFrom{existing: sendInitial}
	if v := query.Get("resourceVersion"); !sendInitial {
		if from.existing = v == "" || v == "0"; !from.existing {
			if from.version, err = strconv.ParseUint(v, 10, 64); err != nil {
				return apierrors.NewBadRequest(fmt.Sprintf("invalid resource version %q", v))
			}
		}
	}
	watcher, initial, version, err := s.store.watch(r.resource, r.namespace, match, from)
	stream := &stream{w: w, flush: http.NewResponseController(w), request: r}
	if err != nil {
		// As the watch cache of a real server does: 200, and the error in the stream.
		stream.error(err)
		return nil
	}
	defer watcher.stop()
	if sendInitial && bookmarks {
		stream.initial, stream.complete = initial, version
	} else {
		stream.initial = -1
	}
	stream.start()
	if stream.initial == 0 {
		stream.initialEnd()
	}
	stream.run(watcher, timeout(query.Get("timeoutSeconds")), bookmarks)
	return nil
}

func timeout(seconds string) time.Duration {
	if n, err := strconv.Atoi(seconds); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	return 30*time.Minute + rand.N(30*time.Minute)
}

// stream writes the events of one watch.
type stream struct {
	w        http.ResponseWriter
	flush    *http.ResponseController
	request  *request
	initial  int    // events until the initial list is complete; negative: nobody asked
	complete uint64 // as of when it is
}

func (s *stream) start() {
	s.w.Header().Set("Content-Type", "application/json")
	s.w.WriteHeader(http.StatusOK)
	_ = s.flush.Flush()
}

func (s *stream) run(watcher *Watcher, limit time.Duration, bookmarks bool) {
	end := time.NewTimer(limit)
	defer end.Stop()
	tick := time.NewTicker(bookmarkEvery)
	defer tick.Stop()
	for {
		events, ok := watcher.take()
		if !ok {
			s.error(apierrors.NewResourceExpired("the watch fell too far behind"))
			return
		}
		for _, e := range events {
			if s.send(string(e.Type), e.Object) != nil {
				return
			}
			if s.initial--; s.initial == 0 {
				s.initialEnd()
			}
		}
		if s.flush.Flush() != nil {
			return
		}
		select {
		case <-watcher.wake:
		case <-s.request.Context().Done():
			return
		case <-end.C:
			return
		case <-tick.C:
			if bookmarks {
				s.bookmark(watcher, nil)
			}
		}
	}
}

func (s *stream) send(kind string, o *Object) error {
	raw, err := s.request.form(o)
	if err != nil {
		return err
	}
	line := make([]byte, 0, len(raw)+40)
	line = fmt.Appendf(line, `{"type":%q,"object":`, kind)
	line = append(line, raw...)
	_, err = s.w.Write(append(line, '}', '\n'))
	return err
}

// initialEnd is the bookmark that ends a streamed list.
func (s *stream) initialEnd() {
	s.mark(s.complete, map[string]string{metav1.InitialEventsAnnotationKey: "true"})
}

// bookmark says how far the watch is, unless events are waiting.
func (s *stream) bookmark(watcher *Watcher, annotations map[string]string) {
	watcher.store.mu.Lock()
	idle, version := len(watcher.waiting) == 0, watcher.store.version
	watcher.store.mu.Unlock()
	if idle {
		s.mark(version, annotations)
	}
}

func (s *stream) mark(version uint64, annotations map[string]string) {
	r := s.request.resource
	object := metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: r.APIVersion(), Kind: r.Kind},
		ObjectMeta: metav1.ObjectMeta{ResourceVersion: strconv.FormatUint(version, 10), Annotations: annotations},
	}
	if s.request.wantsMetadata() {
		object.TypeMeta = metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadata"}
	}
	s.write("BOOKMARK", object)
}

func (s *stream) error(err error) {
	s.w.Header().Set("Content-Type", "application/json")
	s.write("ERROR", statusOf(err))
}

func (s *stream) write(kind string, object any) {
	raw, err := json.Marshal(map[string]any{"type": kind, "object": object})
	if err != nil {
		return
	}
	_, _ = s.w.Write(append(raw, '\n'))
	_ = s.flush.Flush()
}
