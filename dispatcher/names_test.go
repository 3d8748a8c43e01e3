package dispatcher

import (
	"testing"

	"ferry/dispatcher/gate"
	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// TestNobodyIsDeniedBeforeNamesAreKnown: whom the configuration calls by name may be
// just the one who asks, right after the start.
func TestNobodyIsDeniedBeforeNamesAreKnown(t *testing.T) {
	t.Parallel()
	w := newWitnesses()
	w.groups = map[chat.GroupID][]chat.UserID{"S-devs": {"U-dev"}}
	known := rules()
	unknown := rules()
	unknown.Admins = gate.People{}
	p := NewPolicy(unknown, w.all())
	ask := func(user chat.UserID) error {
		return p.Allow(t.Context(), promotion(user), []deploy.Target{target("prod", "apps", "podinfo")})
	}
	p.Await()
	if err := ask("U-admin"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("before: %v", err)
	}
	if err := ask("U-dev"); err != nil {
		t.Errorf("whose right needs no name: %v", err)
	}
	p.Set(known)
	if err := ask("U-admin"); err != nil {
		t.Errorf("after: %v", err)
	}
	if err := ask("U-nobody"); !fault.Is(err, fault.Denied) {
		t.Errorf("somebody else after: %v", err)
	}
}
