package api

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"ferry/plugins/api/wire"
)

// fill gives every field of a value something of its own.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(int64(*n), 5).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{fmt.Sprint(*n): "x"}))
	case reflect.String:
		v.SetString(fmt.Sprint("text ", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(uint64(*n % 250))
	default:
		v.SetInt(int64(*n))
	}
}

func full[T any]() T {
	var out T
	n := 0
	fill(reflect.ValueOf(&out).Elem(), &n)
	return out
}

// TestNothingIsLost sends each word of the contract there and back: a field that
// was forgotten on the way is missing.
func TestNothingIsLost(t *testing.T) {
	if e := full[Event](); !reflect.DeepEqual(eventFromWire(eventToWire(e)), e) {
		t.Errorf("event = %+v, want %+v", eventFromWire(eventToWire(e)), e)
	}
	if r := full[ExecuteRequest](); !reflect.DeepEqual(executeFromWire(executeToWire(r)), r) {
		t.Errorf("request = %+v, want %+v", executeFromWire(executeToWire(r)), r)
	}
	n := full[Notification]()
	if got := notificationFromWire(notificationToWire(&n), &wire.DeliverRequest{Binding: n.Binding, Config: n.Config}); !reflect.DeepEqual(got, n) {
		t.Errorf("notification = %+v, want %+v", got, n)
	}
	if r := full[Receipt](); receiptFromWire(receiptToWire(r)) != r {
		t.Errorf("receipt = %+v, want %+v", receiptFromWire(receiptToWire(r)), r)
	}
	if e := eventFromWire(eventToWire(Event{})); !reflect.DeepEqual(e, Event{}) {
		t.Errorf("nothing becomes %+v", e)
	}
}

func TestErrors(t *testing.T) {
	cause := errors.New("why \xff")
	for _, c := range []struct {
		err     error
		after   time.Duration
		again   bool
		refused bool
	}{
		{cause, 0, false, false},
		{Again(cause, 0), 0, true, false},
		{Again(cause, 1500*time.Millisecond), 1500 * time.Millisecond, true, false},
		{Again(cause, -1), 0, true, false},
		{Refuse(cause), 0, false, true},
		{fmt.Errorf("more: %w", Refuse(cause)), 0, false, true},
	} {
		got := failureFromWire(failureToWire(c.err))
		after, again := Retry(got)
		if after != c.after || again != c.again || IsRefusal(got) != c.refused || !strings.Contains(got.Error(), "why \uFFFD") {
			t.Errorf("%v becomes %v: again %v after %s, refused %v", c.err, got, again, after, IsRefusal(got))
		}
		if _, own := errors.AsType[Failure](got); !own {
			t.Errorf("%v is not the plugin's own any more", got)
		}
	}
	if failureFromWire(failureToWire(nil)) != nil || Again(nil, 1) != nil || Refuse(nil) != nil {
		t.Error("no error becomes one")
	}
}
