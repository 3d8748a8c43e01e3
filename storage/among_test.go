package storage_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ferry/internal/deploy"
	"ferry/storage"
)

// TestAmongReadsAnySelectionNewestFirst holds each way of reading against the
// list that was written.
func TestAmongReadsAnySelectionNewestFirst(t *testing.T) {
	t.Parallel()
	h := storage.NewHistory(open(t))
	var all []deploy.Record
	for i := range 900 {
		r := deploy.Record{
			Target: deploy.Target{Cluster: deploy.Cluster(fmt.Sprintf("c%d", i%3)), App: deploy.App{Namespace: "n", Name: fmt.Sprintf("a%d", i*i%67)}},
			Job:    fmt.Sprint(i), Version: "1", At: noon.Add(time.Duration(i) * time.Second),
		}
		if err := h.Append(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
		all = append([]deploy.Record{r}, all...)
	}
	for name, of := range map[string]func(deploy.Target) bool{
		"none":       func(deploy.Target) bool { return false },
		"one":        func(t deploy.Target) bool { return t.Cluster == "c1" && t.App.Name == "a1" },
		"a few":      func(t deploy.Target) bool { return t.App.Name == "a1" || t.App.Name == "a0" },
		"a cluster":  func(t deploy.Target) bool { return t.Cluster == "c2" },
		"everything": func(deploy.Target) bool { return true },
	} {
		for _, most := range []int{1, 20, 1000} {
			var want, got []string
			for _, r := range all {
				if of(r.Target) && len(want) < most {
					want = append(want, r.Job)
				}
			}
			err := h.Among(t.Context(), of, func(r deploy.Record) bool {
				got = append(got, r.Job)
				return len(got) < most
			})
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s, %d: %v\n got %v\nwant %v", name, most, err, got, want)
			}
		}
	}
}
