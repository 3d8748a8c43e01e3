package deploy

import "time"

// Condition is a Ready condition: what the controller said last, of which
// generation.
type Condition struct {
	Status  string `json:"status"` // "True", "False", "Unknown" or ""
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// Observed is true if it is about the object's present generation.
	Observed bool `json:"observed"`
}

// ReleaseRecord is an entry of a HelmRelease's status.history, newest first.
type ReleaseRecord struct {
	ChartVersion string `json:"chart_version"` // without build metadata
	ConfigDigest string `json:"config_digest"`
	Status       string `json:"status"` // Helm's: deployed, failed, superseded, …
}

// ReleaseState is what a HelmRelease says about itself.
type ReleaseState struct {
	Ref       Ref       `json:"ref"`
	Ready     Condition `json:"ready"`
	Suspended bool      `json:"suspended,omitempty"`
	// Attempted is true if the last attempt was of the present generation.
	Attempted        bool            `json:"attempted"`
	AttemptedVersion string          `json:"attempted_version,omitempty"`
	AttemptedDigest  string          `json:"attempted_digest,omitempty"` // of the values
	History          []ReleaseRecord `json:"history,omitempty"`
	// Remediated is set while the release stands on something older because
	// Helm's own remediation brought it back; it holds the controller's words.
	Remediated string `json:"remediated,omitempty"`
}

// WorkloadState is how far a workload's rollout is.
type WorkloadState struct {
	Ref    Ref     `json:"ref"`
	Images []Image `json:"images"`
	// Observed is true if the status is about the present generation.
	Observed bool `json:"observed"`
	Paused   bool `json:"paused,omitempty"`
	// Desired, Updated, Ready, Available and Total count replicas.
	Desired   int32 `json:"desired"`
	Updated   int32 `json:"updated"`
	Ready     int32 `json:"ready"`
	Available int32 `json:"available"`
	Total     int32 `json:"total"`
	// Stuck is the reason why the controller gave up (ProgressDeadlineExceeded,
	// ReplicaFailure) in its own words, or empty.
	Stuck string `json:"stuck,omitempty"`
}

// NotReady is the reason of a Problem whose container runs while its probes do
// not pass. Every container is like that for a moment after it started.
const NotReady = "NotReady"

// Problem is something a pod of the app reports that explains a rollout which
// does not get on.
type Problem struct {
	Pod       string `json:"pod"`
	Container string `json:"container,omitempty"`
	Image     string `json:"image,omitempty"`
	Reason    string `json:"reason"` // the kubelet's: ImagePullBackOff, Unschedulable, …; or NotReady
	Message   string `json:"message,omitempty"`
	// Current is true if the pod belongs to the workload's newest template.
	Current bool `json:"current"`
}

// Observation is everything a cluster shows about a target at one moment, as
// far as it proves or disproves that a change arrived.
type Observation struct {
	At    time.Time    `json:"at"`
	State ClusterState `json:"-"`
	// Fetched is the revision of the source's artifact ("main@sha1:…"),
	// SourceReady its condition.
	Fetched     string    `json:"fetched,omitempty"`
	SourceReady Condition `json:"source_ready"`
	// Applied and Attempted are the Kustomization's revisions.
	Applied       string    `json:"applied,omitempty"`
	Attempted     string    `json:"attempted,omitempty"`
	Kustomization Condition `json:"kustomization"`
	Suspended     bool      `json:"suspended,omitempty"` // source or Kustomization
	// SiteValue is what stands at the plan's site now; SiteFound is false if
	// the object or the path is not there.
	SiteValue string `json:"site_value,omitempty"`
	SiteFound bool   `json:"site_found"`
	// Release is nil without a HelmRelease.
	Release   *ReleaseState   `json:"release,omitempty"`
	Workloads []WorkloadState `json:"workloads,omitempty"`
	Problems  []Problem       `json:"problems,omitempty"`
}

// Record is a line of history: what became of a version on a target.
type Record struct {
	// ID orders records: later ones are greater.
	ID      uint64    `json:"id"`
	Target  Target    `json:"target"`
	Version Version   `json:"version"`
	From    Version   `json:"from,omitempty"`
	Field   FieldKind `json:"field,omitempty"`
	Site    Site      `json:"site"`
	Commit  string    `json:"commit,omitempty"` // that brought it; of what was only seen: one that holds it
	URL     string    `json:"url,omitempty"`    // of the commit, for people
	Job     string    `json:"job,omitempty"`
	Command string    `json:"command,omitempty"` // "promote", "rollback", "seen"
	By      string    `json:"by,omitempty"`      // the chat's user ID
	At      time.Time `json:"at"`
	// Approvers are the chat's user IDs of those who approved, Why the reason that
	// somebody gave for it, if they had to.
	Approvers []string `json:"approvers,omitempty"`
	Why       string   `json:"why,omitempty"`
	// FromGit is true if ferry did not see it happen, but read of it in Git. Then
	// the health is not known.
	FromGit bool `json:"from_git,omitempty"`
	// Healthy is true if the version was seen healthy on the target, at At. It
	// was there until the target's next record of a change.
	Healthy bool `json:"healthy"`
	// Outcome and Reason are the job's.
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
	// Evidence is what proved the outcome.
	Evidence *Observation `json:"evidence,omitempty"`
	// Failing is when the failure that ended it was first seen, and Believed when it
	// had lasted long enough.
	Failing  time.Time `json:"failing,omitzero"`
	Believed time.Time `json:"believed,omitzero"`
	// Undoes is the job whose change this took back, where ferry did that by itself.
	Undoes string `json:"undoes,omitempty"`
}
