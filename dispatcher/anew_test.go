package dispatcher

import (
	"context"
	"errors"
	"slices"
	"testing"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// forgetful are witnesses whose chat system was asked for the groups a while ago, and
// says something else when it is asked anew.
type forgetful struct {
	*witnesses
	now   map[chat.GroupID][]chat.UserID
	limit bool // it does not answer now
	asked []chat.Asking
}

func (f *forgetful) Members(ctx context.Context, g chat.GroupID) ([]chat.UserID, error) {
	asking, anew := chat.Asked(ctx)
	if !anew {
		return f.groups[g], nil
	}
	f.asked = append(f.asked, asking)
	switch {
	case !f.limit:
		return f.now[g], nil
	case asking.Certain:
		return nil, fault.New(fault.Unavailable, "cannot tell", "").Because(errors.New("429"))
	}
	return f.groups[g], nil
}

// TestWhatLetsItPassIsAskedAnew: an approval counts if it does now. Where nobody can
// say that now the commit waits; an asker may still be who they were a minute ago.
func TestWhatLetsItPassIsAskedAnew(t *testing.T) {
	t.Parallel()
	was := map[chat.GroupID][]chat.UserID{"S-devs": {"U-dev"}, "S-leads": {"U-lead"}}
	for name, c := range map[string]struct {
		now   map[chat.GroupID][]chat.UserID
		limit bool
		given bool
		kind  fault.Kind
		code  string
		anew  int // questions
	}{
		"all is as it was":            {now: was, given: true, anew: 4},
		"the lead has left":           {now: map[chat.GroupID][]chat.UserID{"S-devs": {"U-dev"}}, given: true, kind: fault.Refused, code: deploy.NeedsApproval, anew: 4},
		"the asker has left":          {now: map[chat.GroupID][]chat.UserID{"S-leads": {"U-lead"}}, given: true, kind: fault.Denied, anew: 4},
		"nobody says":                 {now: was, limit: true, given: true, kind: fault.Unavailable, anew: 4},
		"what does not pass asks not": {now: was, kind: fault.Refused, code: deploy.NeedsApproval},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWitnesses()
			w.groups = was
			f := &forgetful{witnesses: w, now: c.now, limit: c.limit}
			if c.given {
				w.approvals = []deploy.Approval{{Job: "j1", Plan: "h1", By: "U-lead", At: w.now}}
			}
			all := w.all()
			all.People = f
			_, err := NewPolicy(rules(), all).Pass(t.Context(), promotion("U-dev"), podinfo(), "j1")
			e, _ := errors.AsType[*fault.Error](err)
			if fault.KindOf(err) != c.kind || e != nil && e.Code != c.code || len(f.asked) != c.anew {
				t.Errorf("%v after %d questions, want %q with the code %q", err, len(f.asked), c.kind, c.code)
			}
			if n := len(f.asked); n > 0 && (f.asked[0].Certain || !f.asked[n-1].Certain || !slices.ContainsFunc(f.asked, func(a chat.Asking) bool { return a.Since.Equal(w.now) })) {
				t.Errorf("asked %+v", f.asked)
			}
		})
	}
}
