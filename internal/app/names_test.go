package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/chat"
)

// TestNamesAreLookedForAgain: who is found later gets their rights then; whom a name
// meant once it means from then on; who took a name gets nothing; and it ends.
func TestNamesAreLookedForAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began, looks := time.Now(), 0
		var given []map[string]chat.UserID
		var log bytes.Buffer
		n := names{
			wanted: []string{"ann", "ben", "cid", "dot"}, log: slog.New(slog.NewTextHandler(&log, nil)),
			set: func(known map[string]chat.UserID) { given = append(given, known) },
			find: func(context.Context) (map[string]chat.UserID, []string, []string, error) {
				looks++
				switch away := time.Since(began); {
				case looks < 3 || looks == 6:
					return nil, nil, nil, errors.New("Slack does not answer")
				case away < 2*time.Hour:
					return map[string]chat.UserID{"ann": "U1"}, []string{"ben", "cid", "dot"}, nil, nil
				}
				return map[string]chat.UserID{"ann": "U9", "ben": "U2"}, []string{"cid"}, []string{"dot"}, nil
			},
		}
		ctx, stop := context.WithTimeout(t.Context(), 72*time.Hour)
		defer stop()
		if err := n.run(ctx); err != nil {
			t.Fatal(err)
		}
		if want := []map[string]chat.UserID{{"ann": "U1"}, {"ann": "U1", "ben": "U2"}}; !reflect.DeepEqual(given, want) {
			t.Errorf("rights are given as %v, want %v", given, want)
		}
		if looks < 24 || looks > 40 {
			t.Errorf("it looked %d times", looks)
		}
		for words, times := range map[string]int{
			"cannot be looked up now": 3, "name=ann id=U1": 1, "id=U9": 0, "name=ben id=U2": 1, "gives no rights\" name=ben because=\"nobody": 1,
			"gives no rights\" name=cid because=\"nobody": 1, "gives no rights\" name=dot because=\"somebody has taken it since ferry looked first; if it is meant, write the ID": 1,
			"not looked for any longer: write the IDs instead, or restart ferry\" names=\"[cid dot]\"": 1,
		} {
			if got := strings.Count(log.String(), words); got != times {
				t.Errorf("%q is logged %d times, want %d:\n%s", words, got, times, log.String())
			}
		}
	})
}

// TestNamesThatAreFoundAreLookedForOnce.
func TestNamesThatAreFoundAreLookedForOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		n := names{wanted: []string{"ann"}, log: slog.New(slog.DiscardHandler), set: func(map[string]chat.UserID) {}, find: func(context.Context) (map[string]chat.UserID, []string, []string, error) {
			looks++
			return map[string]chat.UserID{"ann": "U1"}, nil, nil, nil
		}}
		ctx, stop := context.WithTimeout(t.Context(), 72*time.Hour)
		defer stop()
		if err := n.run(ctx); err != nil || looks != 1 {
			t.Errorf("it looked %d times, %v", looks, err)
		}
	})
}
