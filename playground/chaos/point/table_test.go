package point

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestTheTableDecides: what it does not know is an error, and so is a row that was
// never met; a row without a point needs a reason.
func TestTheTableDecides(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "effects.md")
	write := func(rows string) {
		t.Helper()
		text := "# Effects\n\n| effect | key | point |\n|---|---|---|\n" + rows + "\nAnd more | text | `none`\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("| Post (`a`) | none | `slack/x` `slack/y` |\n| Token | none | none: harmless |\n| Wait | none | rare: `slack/z` |\n")
	table, err := Read(file)
	if err != nil || len(table.Rows) != 3 || strings.Join(table.Rows[0].Points, " ") != "slack/x slack/y" || table.Rows[1].Why != "harmless" || !table.Rows[2].Rare {
		t.Fatalf("read %+v, %v", table, err)
	}
	y := NewTally(table)
	y.Meet("slack/x")
	if y.Unknown() != nil || y.Complete(false) == nil {
		t.Errorf("met, nobody killed: %v, %v", y.Unknown(), y.Complete(false))
	}
	y.killed(Spot{"slack/y", true}, true)
	y.Meet("slack/z")
	y.Meet("github/new")
	if y.Complete(false) != nil || y.Unknown() == nil || y.odds(Spot{"github/new", false}, true) != 0 {
		t.Errorf("killed at one of its points, and a stray: %v, %v", y.Complete(false), y.Unknown())
	}
	if err := y.Complete(true); err == nil || !strings.Contains(err.Error(), "nobody was killed before slack/y") || strings.Contains(err.Error(), "after slack/y") || strings.Contains(err.Error(), "slack/z") {
		t.Errorf("each side: %v", err)
	}
	write("| Post | none | - |\n")
	if _, err := Read(file); err == nil {
		t.Error("a row with neither a point nor a reason is read")
	}
}

func TestRequestsNameTheirPoint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ method, path, body, want string }{
		{"POST", "/api/graphql", `{"query":"mutation($input:X!){createCommitOnBranch(input:$input){commit{oid}}}"}`, "github/createCommitOnBranch"},
		{"POST", "/api/graphql", `{"query":"query{viewer{login}}"}`, Reading},
		{"POST", "/api/v3/repos/acme/fleet/git/refs", "", "github/POST/refs"},
		{"PATCH", "/api/v3/repos/acme/fleet/pulls/3", "", "github/PATCH/pulls"},
		{"POST", "/api/v3/repos/acme/fleet/issues/3/labels", "", "github/POST/labels"},
		{"GET", "/api/v3/repos/acme/fleet/pulls/3", "", Reading},
	} {
		if got := OfGitHub(httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))); got != c.want {
			t.Errorf("%s %s is %s, want %s", c.method, c.path, got, c.want)
		}
	}
	post := httptest.NewRequest("POST", "/api/chat.postMessage", strings.NewReader(`metadata=%7B%22key%22%3A%22job%2Fx%2Fclosing%22%7D`))
	if got := OfSlack(post); got != "slack/chat.postMessage/closing" {
		t.Errorf("a closing reply is %s", got)
	}
	if got := KindOf(`{"key": "job/x/approval/0af3"}`); got != "approval" {
		t.Errorf("a question is %s", got)
	}
	if incident, more := KindOf(`{"key":"event/people/slack/0af3"}`), KindOf(`{"key":"event/people/slack/0af3/details"}`); incident != "incident" || more != "details" {
		t.Errorf("an incident is %s, what stands in its thread %s", incident, more)
	}
	if got := OfCluster(httptest.NewRequest("PATCH", "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories/flux-system", nil)); got != "cluster/PATCH/gitrepositories" {
		t.Errorf("asking Flux is %s", got)
	}
}

// TestDrawsAreRepeatable: a seed draws the same, another one something else, and each
// spot comes before any comes twice.
func TestDrawsAreRepeatable(t *testing.T) {
	t.Parallel()
	table := &Table{Rows: []Row{{Points: []string{"a", "b", "c", "d"}}, {Points: []string{"e", "f", "g", "h", "a"}}}}
	spots := table.Spots(func(string) bool { return true })
	draws := func(seed uint64) (out []string) {
		k := NewKiller(NewTally(table), spots, [2]uint64{seed, 1}, func() {})
		for range 40 {
			for _, s := range k.arm() {
				out = append(out, s.String())
			}
			k.wanted = k.wanted[1:] // ferry came there
		}
		return out
	}
	one := draws(1)
	if !slices.Equal(one, draws(1)) || slices.Equal(one, draws(2)) {
		t.Errorf("seed 1 draws %q and %q, seed 2 %q", one, draws(1), draws(2))
	}
	first := slices.Sorted(slices.Values(one[:len(spots)]))
	if len(spots) != 16 || len(slices.Compact(first)) != len(spots) {
		t.Errorf("of %d spots the first draws are %q", len(spots), first)
	}
}

// TestAKillLandsWhereItIsWanted, or elsewhere if that never comes.
func TestAKillLandsWhereItIsWanted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := &Table{Rows: []Row{{Points: []string{"rare", "other"}}}}
		tally, ends := NewTally(table), 0
		k := NewKiller(tally, []Spot{{"rare", true}}, [2]uint64{3, 1}, func() { ends++ })
		landed := map[string]int{}
		for i := range 30 {
			var over atomic.Bool
			go func() { // ferry
				for !over.Load() {
					time.Sleep(10 * time.Millisecond)
					if k.At(Spot{"other", false}) || i%2 == 0 && k.At(Spot{"rare", true}) {
						return
					}
				}
			}()
			landed[k.Strike(t.Context()).Where]++
			over.Store(true)
			time.Sleep(time.Second)
		}
		if ends != 30 || landed["after rare"] < 10 || landed["before other"] < 5 {
			t.Errorf("%d ends, landed %v", ends, landed)
		}
	})
}

// TestARareSpotStaysWanted until somebody was killed there, beside those that are drawn
// meanwhile.
func TestARareSpotStaysWanted(t *testing.T) {
	t.Parallel()
	row := Row{Points: []string{"rare"}}
	for i := range 20 {
		row.Points = append(row.Points, string(rune('a'+i)))
	}
	table := &Table{Rows: []Row{row}}
	k := NewKiller(NewTally(table), table.Spots(func(string) bool { return true }), [2]uint64{1, 1}, func() {})
	rare, drawn := Spot{"rare", false}, 0
	for range 200 {
		drawn += len(k.arm())
		for _, s := range k.wanted { // ferry comes to the first that is no rarity
			if s.Point != "rare" && k.At(s) {
				<-k.done
				break
			}
		}
	}
	life, end := context.WithTimeout(t.Context(), time.Millisecond)
	defer end()
	if at := k.Lurk(life); at.Where != "" || k.At(rare) {
		t.Errorf("killed %s", at.Where)
	}
	k.lurks, k.armed = true, true
	for _, s := range k.deck.spots {
		if s.Point != "rare" && k.tally.struck(s) && k.At(s) {
			t.Errorf("killed again %s", s)
		}
	}
	if drawn < 200 || !slices.Contains(k.wanted, rare) {
		t.Fatalf("%d draws; wanted are %v", drawn, k.wanted)
	}
	k.arm()
	if !k.At(rare) {
		t.Error("it comes, and nobody is killed there")
	}
}
