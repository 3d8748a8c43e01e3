package flux

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/sources/cluster"
)

// object is what is asked of Flux's objects of any kind.
type object struct {
	Metadata cluster.Meta `json:"metadata"`
	Spec     struct {
		Suspend bool `json:"suspend"`
	} `json:"spec"`
	Status struct {
		Observed   int64              `json:"observedGeneration"`
		Conditions cluster.Conditions `json:"conditions"`
		Applied    string             `json:"lastAppliedRevision"`
		Artifact   struct {
			Revision string `json:"revision"`
		} `json:"artifact"`
		// History of a HelmRelease, the newest first; a Kustomization's has other words.
		History []struct {
			Chart   string `json:"chartName"`
			Version string `json:"chartVersion"`
			App     string `json:"appVersion"`
			Status  string `json:"status"`
		} `json:"history"`
	} `json:"status"`
}

// state is what was told of an object.
type state struct {
	// Failed is the reason of what is wrong; empty: nothing.
	Failed string `json:"f,omitempty"`
	// Since is when that began, as the object says it.
	Since     time.Time `json:"t,omitzero"`
	Stalled   bool      `json:"x,omitempty"`
	Suspended bool      `json:"s,omitempty"`
	Drift     bool      `json:"d,omitempty"`
	Revision  string    `json:"r,omitempty"`

	message string
	version string // of the object, for IDs of what may come again
}

// state is what is, as far as it can be told from what was before: while something
// is under way nothing is decided, and what waits for something else does not fail.
func (o *object) state(before state) state {
	s := before
	s.version = o.Metadata.Version
	s.Suspended = o.Spec.Suspend
	if r := o.revision(); r != "" {
		s.Drift = s.Drift && r == before.Revision
		s.Revision = r
	}
	ready, stalled := o.Status.Conditions.Get("Ready"), o.Status.Conditions.Get("Stalled")
	switch {
	case o.Spec.Suspend: // as it was
	case ready.Status == "True":
		s.Failed, s.Since, s.Stalled = "", time.Time{}, false
	case stalled.Status == "True":
		s.Failed, s.Stalled, s.message = stalled.Reason, true, stalled.Message
	case ready.Status == "False" && ready.Reason != "DependencyNotReady" && ready.Reason != "Progressing":
		s.Failed, s.Stalled, s.message = ready.Reason, false, ready.Message
	}
	if s.Failed != "" && before.Failed == "" {
		s.Since = ready.Since
	}
	return s
}

// revision is what an object has brought into the cluster, or fetched.
func (o *object) revision() string {
	for _, h := range o.Status.History {
		if h.Chart == "" {
			break
		}
		if h.Status == "deployed" {
			return h.Chart + "@" + h.Version
		}
	}
	if o.Status.Applied != "" {
		return o.Status.Applied
	}
	return o.Status.Artifact.Revision
}

// What can be told, and skipped.
const (
	failure   = "failure"
	drift     = "drift"
	suspended = "suspended"
	revision  = "revision"
)

// news is one transition.
type news struct {
	about, reason, severity, says, text, id string
	over                                    bool
}

// transitions are what there is to tell between two states. A failure for another
// reason is news of the same failure.
func transitions(before, after state) []news {
	var out []news
	switch {
	case after.Failed != "" && (after.Failed != before.Failed || after.Stalled && !before.Stalled):
		n := news{about: failure, reason: after.Failed, severity: api.SeverityWarning, says: "fails", text: after.message, id: "failed/" + stamp(after.Since) + "/" + after.Failed}
		if after.Stalled {
			n.severity, n.says = api.SeverityCritical, "fails and is not tried again until it is changed"
			n.id += "/stalled"
		}
		out = append(out, n)
	case after.Failed == "" && before.Failed != "":
		out = append(out, news{about: failure, reason: "Healthy", severity: api.SeverityInfo, says: "is healthy again", id: "healthy/" + stamp(before.Since), over: true})
	}
	switch {
	case after.Drift && !before.Drift:
		out = append(out, news{about: drift, reason: "DriftDetected", severity: api.SeverityWarning, says: "has drifted: the cluster is not what it says", id: "drift"})
	case before.Drift && !after.Drift:
		out = append(out, news{about: drift, reason: "DriftCorrected", severity: api.SeverityInfo, says: "has drifted no longer", id: "corrected/" + digest(after.Revision), over: true})
	}
	switch {
	case after.Suspended && !before.Suspended:
		out = append(out, news{about: suspended, reason: "Suspended", severity: api.SeverityInfo, says: "is suspended", id: "suspended/" + after.version})
	case before.Suspended && !after.Suspended:
		out = append(out, news{about: suspended, reason: "Resumed", severity: api.SeverityInfo, says: "is resumed", id: "resumed/" + after.version, over: true})
	}
	if after.Revision != before.Revision && after.Revision != "" {
		text := ""
		if before.Revision != "" {
			text = "It was " + short(before.Revision) + "."
		}
		out = append(out, news{
			about: revision, reason: "NewRevision", severity: api.SeverityInfo, says: "is at " + short(after.Revision), text: text,
			id: "revision/" + digest(before.Revision, after.Revision, after.version),
		})
	}
	return out
}

// short is a revision without most of its digest: main@sha1:0123456.
func short(r string) string {
	head, sum, ok := strings.Cut(r, ":")
	if ok && len(sum) > 12 && strings.Trim(sum, "0123456789abcdef") == "" {
		return head + ":" + sum[:12]
	}
	return r
}

func stamp(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:6])
}
