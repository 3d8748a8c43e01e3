package fault

import (
	"errors"
	"fmt"
	"testing"
)

func TestKindSurvivesWrapping(t *testing.T) {
	cause := errors.New("dial tcp: refused")
	base := New(Unavailable, "GitHub does not answer", "try again in a minute").Because(cause)
	wrapped := fmt.Errorf("plan podinfo: %w", base)

	if got := KindOf(wrapped); got != Unavailable {
		t.Errorf("KindOf = %q, want %q", got, Unavailable)
	}
	if !errors.Is(wrapped, cause) {
		t.Error("the cause is lost")
	}
	if got, want := wrapped.Error(), "plan podinfo: GitHub does not answer: dial tcp: refused"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}

func TestUnmarkedErrorsAreInternal(t *testing.T) {
	if got := KindOf(errors.New("nil map")); got != Internal {
		t.Errorf("KindOf = %q, want %q", got, Internal)
	}
	if got := KindOf(nil); got != "" {
		t.Errorf("KindOf(nil) = %q, want none", got)
	}
	if Is(nil, Internal) {
		t.Error("nil is of no kind")
	}
}

func TestWithersDoNotChangeTheOriginal(t *testing.T) {
	base := New(Ambiguous, "two apps are called worker", "")
	if other := base.WithHelp("name the namespace").WithChoices("a/worker", "b/worker"); len(other.Choices) != 2 || other.Help == "" {
		t.Errorf("copy misses its own: %+v", other)
	}
	if base.Help != "" || base.Choices != nil {
		t.Errorf("original changed: %+v", base)
	}
}
