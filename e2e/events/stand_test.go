package events

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"ferry/plugins/api"
)

// arrival is a delivery as a sink got it for the first time.
type arrival struct {
	api.Notification
	at    time.Time
	again int // how often it came again with this ID
}

// stand is the world behind ferry's sinks: an Elasticsearch, and two webhooks, one for every event and one for
// incidents. Each keeps what it got by ID, in the order of the first sight, and refuses what is not as it is documented.
// While it is harmed some requests fail, before or after their effect.
type stand struct {
	mu      sync.Mutex
	rand    *rand.Rand
	harmed  bool
	shelves map[string]*shelf // documents, every, incidents
	wrong   []string          // requests that no sink may send
	failed  map[string]int    // requests that were made to fail, by how
}

type shelf struct {
	byID map[string]*arrival
	all  []*arrival
}

func newStand(r *rand.Rand) *stand {
	return &stand{rand: r, failed: map[string]int{}, shelves: map[string]*shelf{
		"documents": {byID: map[string]*arrival{}}, "every": {byID: map[string]*arrival{}}, "incidents": {byID: map[string]*arrival{}},
	}}
}

func (s *shelf) put(d api.Notification) (fresh bool) {
	if a := s.byID[d.ID]; a != nil {
		a.again++
		return false
	}
	a := &arrival{Notification: d, at: time.Now()}
	s.byID[d.ID], s.all = a, append(s.all, a)
	return true
}

// taken is what a shelf holds, the oldest first.
func (s *stand) taken(name string) []arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]arrival, 0, len(s.shelves[name].all))
	for _, a := range s.shelves[name].all {
		out = append(out, *a)
	}
	return out
}

func (s *stand) harm(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.harmed = on
}

// ServeHTTP takes /elastic/STREAM/_bulk, /every and /incidents.
func (s *stand) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // ferry was killed while it spoke
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	way := ""
	one := map[string]int{"/every": 1000, "/incidents": 8}[r.URL.Path] // of so many requests fails
	if s.harmed && s.rand.IntN(cmp.Or(one, 16)) == 0 {
		way = []string{"503", "500", "429", "lost"}[s.rand.IntN(4)]
	}
	if way != "" {
		s.failed[way]++
	}
	switch way {
	case "503", "500":
		http.Error(w, "not now", map[string]int{"503": http.StatusServiceUnavailable, "500": http.StatusInternalServerError}[way])
		return
	case "429":
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many", http.StatusTooManyRequests)
		return
	}
	answer, err := s.take(r, body)
	switch {
	case err != nil:
		s.wrong = append(s.wrong, fmt.Sprintf("%s %s: %v", r.Method, r.URL.Path, err))
		http.Error(w, err.Error(), http.StatusBadRequest)
	case way == "lost":
		panic(http.ErrAbortHandler) // it had its effect
	default:
		_ = json.NewEncoder(w).Encode(answer)
	}
}

func (s *stand) take(r *http.Request, body []byte) (answer any, err error) {
	if r.Method != http.MethodPost {
		return nil, errors.New("it is no POST")
	}
	if strings.HasPrefix(r.URL.Path, "/elastic/") {
		return s.bulk(r, body)
	}
	var d api.Notification
	if err := strict(body, &d); err != nil {
		return nil, err
	}
	shelf := s.shelves[strings.TrimPrefix(r.URL.Path, "/")]
	if shelf == nil || d.ID == "" || r.Header.Get("Ferry-Delivery") != d.ID {
		return nil, fmt.Errorf("delivery %q, header %q", d.ID, r.Header.Get("Ferry-Delivery"))
	}
	shelf.put(d)
	return map[string]string{}, nil
}

// bulk is Elasticsearch's: lines in pairs, an action and a document. Into a data stream nothing but "create" goes, which
// answers 409 for an ID that is there. While it is harmed some documents are refused with 429, and only those.
func (s *stand) bulk(r *http.Request, body []byte) (answer any, err error) {
	lines := bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
	if r.URL.Path != "/elastic/logs-ferry-default/_bulk" || r.Header.Get("Content-Type") != "application/x-ndjson" || len(lines)%2 != 0 || !bytes.HasSuffix(body, []byte("\n")) {
		return nil, fmt.Errorf("%d lines as %s", len(lines), r.Header.Get("Content-Type"))
	}
	var items []any
	for ; len(lines) > 0; lines = lines[2:] {
		var action struct {
			Create *struct {
				ID string `json:"_id"`
			} `json:"create"`
		}
		var doc struct {
			Timestamp time.Time `json:"@timestamp"`
			api.Notification
			Event string `json:"event"`
		}
		if err := errors.Join(strict(lines[0], &action), strict(lines[1], &doc)); err != nil {
			return nil, err
		}
		if action.Create == nil || action.Create.ID == "" || len(action.Create.ID) > 512 || doc.Timestamp.IsZero() || !json.Valid([]byte(doc.Event)) {
			return nil, fmt.Errorf("no document of a data stream: %s %.200s", lines[0], lines[1])
		}
		status := http.StatusCreated
		doc.Notification.ID = action.Create.ID
		switch {
		case s.harmed && s.rand.IntN(1000) == 0:
			s.failed["document"]++
			status = http.StatusTooManyRequests
		case !s.shelves["documents"].put(doc.Notification):
			status = http.StatusConflict
		}
		items = append(items, map[string]any{"create": map[string]any{"_id": action.Create.ID, "status": status}})
	}
	return map[string]any{"errors": false, "items": items}, nil
}

func strict(body []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	return d.Decode(to)
}
