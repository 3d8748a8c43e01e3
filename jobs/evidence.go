package jobs

import (
	"slices"

	"ferry/internal/deploy"
)

// elsewhere reports whether a release takes the value from another object, such as
// a ConfigMap of its valuesFrom. Then neither its generation nor the digest of what
// it attempted tells whether it has read the new one. A chart's version does.
func elsewhere(r deploy.ReleaseState, site deploy.Site) bool {
	return site.Field == deploy.FieldImage && site.Object != r.Ref
}

// carried reports whether a workload has an image of the value: a version, or a
// whole reference.
func carried(o deploy.Observation, value string) bool {
	return slices.ContainsFunc(o.Workloads, func(w deploy.WorkloadState) bool {
		return slices.ContainsFunc(w.Images, func(i deploy.Image) bool {
			return i.String() == value || imageHas(i, deploy.Version(value))
		})
	})
}

// inhabited takes an arrival back where the app had workloads and none is left:
// what a release owns is found by its labels, and what was deleted has none.
func inhabited(j judgement, o deploy.Observation, owner deploy.Owner) judgement {
	if j.verdict != arrived || len(o.Workloads) > 0 || len(owner.Workloads) == 0 {
		return j
	}
	return told(waiting, "none of its workloads is there", rollingOut)
}
