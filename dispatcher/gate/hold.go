package gate

import (
	"cmp"
	"fmt"

	"ferry/internal/deploy"
)

// holds notes what keeps a target as it is.
func (v *Verdict) holds(r *Rules, f *Facts, t *deploy.Target) {
	for i := range f.Holds {
		h := &f.Holds[i]
		if h.Target != *t || h.Over(f.At) || h.Version != "" && h.Version != f.Version {
			continue
		}
		by := cmp.Or(h.Name, h.By)
		what := "is held"
		if h.Version != "" {
			what = fmt.Sprintf("may not get `%s`, which is held back", h.Version)
		}
		until := "until somebody releases it"
		if !h.Until.IsZero() {
			until = "until " + h.Until.UTC().Format(moment) + " UTC"
		}
		because := ""
		if h.Version != "" {
			because = " because …"
		}
		v.shut(r, f, Reason{
			Kind: Hold, Target: *t, Name: by, Until: h.Until,
			Says: fmt.Sprintf("%s by %s %s: %s", what, by, until, h.Reason),
			Help: fmt.Sprintf("`release %s on %s%s` ends the hold", t.App, t.Cluster, because),
		})
	}
}
