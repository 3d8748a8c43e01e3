package post_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ferry/plugins/api"
	"ferry/plugins/notifiers/post"
)

// tooLarge is what Do makes of an answer of 413.
func tooLarge(t *testing.T) error {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	}))
	defer s.Close()
	_, err := post.Do(t.Context(), post.Client(), http.MethodPost, s.URL+"/secret", nil, []byte("12345"))
	if large, ok := errors.AsType[post.TooLarge](err); !ok || large.Bytes != 5 || !post.Permanent(err) || strings.Contains(err.Error(), "/secret") {
		t.Fatalf("413 is %v", err)
	}
	return err
}

// TestParts: what is too large is halved, each part is asked for once and in order, and
// nothing overtakes what failed before it in its incident.
func TestParts(t *testing.T) {
	t.Parallel()
	large := tooLarge(t)
	for name, c := range map[string]struct {
		ids, bad         string // bad: the ID that fails, and how
		fails            error
		takes            int // how many go together
		singly           bool
		requests, became string
	}{
		"all together":   {ids: "a/1 b/1 a/2", takes: 9, requests: "3", became: "ok ok ok"},
		"halves":         {ids: "a/1 b/1 a/2 c/1 b/2", takes: 2, requests: "5 2 3 1 2", became: "ok ok ok ok ok"},
		"down to one":    {ids: "a/1 b/1 a/2", takes: 1, requests: "3 1 2 1 1", became: "ok ok ok"},
		"one too large":  {ids: "a/1 b/1 b/2 c/1", bad: "b/1", fails: large, takes: 9, requests: "4 2 1 1 1", became: "ok refused held ok"},
		"none is taken":  {ids: "a/1 a/2 b/1", takes: 0, requests: "3 1 1", became: "refused held refused"},
		"fails in half":  {ids: "a/1 b/1 a/2 c/1", bad: "a/1", fails: api.Again(errors.New("down"), 0), takes: 2, requests: "4 2 1", became: "again again held ok"},
		"waits":          {ids: "a/1 b/1 c/1 d/1", bad: "a/1", fails: api.Again(errors.New("busy"), 9), takes: 2, requests: "4 2", became: "again again held held"},
		"stops":          {ids: "a/1 b/1 c/1 d/1", bad: "a/1", fails: context.Canceled, takes: 2, requests: "4 2", became: "refused refused held held"},
		"refused":        {ids: "a/1 b/1 c/1", bad: "b/1", fails: errors.New("no"), takes: 9, requests: "3", became: "refused refused refused"},
		"refused singly": {ids: "a/1 b/1 b/2 c/1", bad: "b/1", fails: errors.New("no"), takes: 9, singly: true, requests: "4 1 1 1", became: "ok refused held ok"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var all []api.Notification
			for id := range strings.FieldsSeq(c.ids) {
				order, _, _ := strings.Cut(id, "/")
				all = append(all, api.Notification{ID: id, Order: order})
			}
			var requests, became []string
			p := post.Parts{Singly: c.singly, Raise: "the limit", Deliver: func(ns []api.Notification) ([]api.Outcome, error) {
				requests = append(requests, fmt.Sprint(len(ns)))
				if len(ns) > c.takes {
					return nil, large
				}
				for _, n := range ns {
					if n.ID == c.bad {
						if errors.Is(c.fails, context.Canceled) {
							cancel()
						}
						return nil, c.fails
					}
				}
				return make([]api.Outcome, len(ns)), nil
			}}
			for i, o := range p.DeliverAll(ctx, all) {
				_, again := api.Retry(o.Err)
				_, is := errors.AsType[post.TooLarge](o.Err)
				switch {
				case o.Err == nil:
					became = append(became, "ok")
				case errors.Is(o.Err, api.ErrHeld):
					became = append(became, "held")
				case again:
					became = append(became, "again")
				default:
					became = append(became, "refused")
				}
				if want := fmt.Sprintf("delivery %s is too large, with 5 bytes: raise the limit, then `resend` it: ", all[i].ID); is && !strings.HasPrefix(o.Err.Error(), want) {
					t.Errorf("it says %q, want %q", o.Err, want)
				}
			}
			if got := strings.Join(requests, " "); got != c.requests || strings.Join(became, " ") != c.became {
				t.Errorf("requests of %s, %v; want %s, %s", got, became, c.requests, c.became)
			}
		})
	}
}
