package say

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"ferry/internal/chat"
	"ferry/internal/fault"
)

func TestFaultsAreToldInTheirOwnWords(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("plan: %w", fault.New(fault.Ambiguous, "two apps are called `worker`", "name the namespace").
		WithChoices("promote a/worker@1 to prod", "promote b/worker@1 to prod").Because(errors.New("secret detail")))
	want := chat.Message{
		Tone: chat.Refused, Title: "Two apps are called `worker`", Final: true,
		Lines: []string{"Name the namespace", "Did you mean one of these?", "• `promote a/worker@1 to prod`", "• `promote b/worker@1 to prod`"},
	}
	if got := Error(err); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := Error(fault.New(fault.Invalid, "x", "").WithChoices("list")).Lines; !reflect.DeepEqual(got, []string{"Did you mean `list`?"}) {
		t.Errorf("one choice reads %q", got)
	}
}

func TestOtherErrorsAreNotShown(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		errors.New("dial 10.0.0.1: secret detail"),
		fault.New(fault.Internal, "secret detail", "secret detail"),
		fmt.Errorf("secret detail: %w", context.DeadlineExceeded),
	} {
		m := Error(err)
		if m.Tone != chat.Failure || m.Title == "" || strings.Contains(fmt.Sprint(m), "secret") {
			t.Errorf("%v reads %+v", err, m)
		}
	}
	if m := Error(nil); m.Title != "" {
		t.Errorf("no error reads %+v", m)
	}
}

func TestNamesKeepTheirCase(t *testing.T) {
	t.Parallel()
	for says, want := range map[string]string{
		"podinfo is on prod already": "podinfo is on prod already",
		"there is no app `x`":        "There is no app `x`",
		"`x` is no app":              "`x` is no app",
	} {
		if got := Error(fault.New(fault.Invalid, says, "")).Title; got != want {
			t.Errorf("%q reads %q, want %q", says, got, want)
		}
	}
}
