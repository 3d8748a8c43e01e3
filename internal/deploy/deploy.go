// Package deploy holds the words for what runs where and how it is changed:
// clusters, apps, versions, what a cluster declares (Kustomization, Source),
// what was seen there (AppState, Observation), what is to be changed (Change,
// Plan, Commit) and what came of it (Record). It has no behaviour but to write
// its words down; the fleet in k8s fills in what is seen, delivery what is
// planned, and jobs decide on both.
//
// An app is what people promote: a HelmRelease with all its workloads, or a
// Deployment that a Kustomization applies directly. Its namespace is the one in
// which it runs.
package deploy

import (
	"encoding/json"
	"time"
)

// Cluster is the configured name of a cluster.
type Cluster string

// Everywhere stands for all clusters, where something is about no single one.
const Everywhere Cluster = "*"

// Version is a version as it stands in Git or in a cluster: an image tag, a
// digest (with its algorithm, "sha256:…") or a chart version. Never parsed
// across a seam.
type Version string

// App names an app within a cluster.
type App struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// String returns "namespace/name".
func (a App) String() string { return a.Namespace + "/" + a.Name }

// Target is an app on a cluster.
type Target struct {
	Cluster Cluster `json:"cluster"`
	App     App     `json:"app"`
}

// String returns "cluster/namespace/name".
func (t Target) String() string { return string(t.Cluster) + "/" + t.App.String() }

// Ref names an object of a cluster.
type Ref struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// String returns "Kind namespace/name".
func (r Ref) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

// FieldKind says which of an app's versions is meant.
type FieldKind string

// The kinds of fields. FieldAny lets delivery find out, and refuse where both
// exist.
const (
	FieldAny   FieldKind = ""
	FieldChart FieldKind = "chart"
	FieldImage FieldKind = "image"
)

// Image is the image of one container. Tag and Digest are without their
// separators; either may be empty.
type Image struct {
	Container  string `json:"container"`
	Repository string `json:"repository"`
	Tag        string `json:"tag,omitempty"`
	Digest     string `json:"digest,omitempty"`
}

// String returns the reference, "repository:tag@digest" as far as it is known.
func (i Image) String() string {
	ref := i.Repository
	if i.Tag != "" {
		ref += ":" + i.Tag
	}
	if i.Digest != "" {
		ref += "@" + i.Digest
	}
	return ref
}

// Version returns the version that people see in an image: its tag, else its
// digest.
func (i Image) Version() Version {
	if i.Tag != "" {
		return Version(i.Tag)
	}
	return Version(i.Digest)
}

// Health is how an app is doing, judged from what its cluster reports.
type Health string

// The healths. Unknown is not healthy.
const (
	Healthy     Health = "healthy"
	Progressing Health = "progressing"
	Degraded    Health = "degraded"
	Suspended   Health = "suspended"
	Unknown     Health = "unknown"
)

// Owner says through which Flux objects an app reaches its cluster.
type Owner struct {
	// Release is the HelmRelease that makes the workloads; zero if the
	// Kustomization applies them directly.
	Release Ref `json:"release,omitzero"`
	// Kustomization applies the HelmRelease or the workload; zero if Flux does
	// not own the app.
	Kustomization Ref `json:"kustomization,omitzero"`
	// Workloads are the Deployments of the app that are there now.
	Workloads []Ref `json:"workloads,omitempty"`
}

// AppState is one row of the fleet: an app as its cluster shows it now.
type AppState struct {
	Target
	// Version is the version that people mean, and Field which one that is. It
	// is the chart version where a HelmRelease owns the app, unless the chart is
	// a mere library or comes from Git; else the tag (or digest) of the container
	// that is called like the app, else of the first one.
	Version Version
	Field   FieldKind
	// Chart and ChartVersion are the release's; empty without a HelmRelease.
	Chart        string
	ChartVersion Version
	Images       []Image
	// Ready and Desired count replicas over all workloads of the app.
	Ready, Desired int32
	Health         Health
	Reason         string // why it is not healthy, in a person's words
	// Stands: its own workloads and release are healthy. It may be Progressing all the
	// same, while Flux is at work on the Kustomization that it shares with others.
	Stands bool
	Since  time.Time // creation of the oldest workload, else of the owner
	Owner  Owner
}

// ClusterState is how fresh the fleet's knowledge of a cluster is.
type ClusterState struct {
	Name Cluster
	// Synced is true once everything was listed at least once.
	Synced bool
	// Stale is true while what is known may be out of date: not synced yet, or
	// the cluster does not answer. Since says from when.
	Stale bool
	Since time.Time
	// Reason is why it is stale, in a person's words.
	Reason string
	// Version is the API server's own version ("v1.34.3"), if known.
	Version string
}

// Source is where Flux reads manifests from, as a cluster declares it. It is
// comparable: two sources are the same if they read the same branch of the same
// repository.
type Source struct {
	URL string `json:"url"` // as declared
	// Branch is the branch that Flux follows. Other kinds of references
	// (tag, semver, commit, name) cannot be promoted to; then Branch is empty
	// and Pinned says what stands there.
	Branch string `json:"branch,omitempty"`
	Pinned string `json:"pinned,omitempty"`
}

// Kustomization is one Flux Kustomization as a cluster declares it.
type Kustomization struct {
	Cluster Cluster `json:"cluster"`
	Ref     Ref     `json:"ref"`
	// SourceRef is the object named by spec.sourceRef; Source what it reads,
	// zero if it is not a GitRepository that is known.
	SourceRef Ref    `json:"source_ref"`
	Source    Source `json:"source"`
	// Path is spec.path as declared; relative to the root of the source.
	Path string `json:"path"`
	// Object is the whole object as JSON (apiVersion, kind, metadata with name,
	// namespace and annotations, spec), for rendering as Flux does.
	Object json.RawMessage `json:"object"`
	// Substitutes are what spec.postBuild.substituteFrom names, as it lives on
	// the cluster, in its order.
	Substitutes []Substitute `json:"substitutes,omitempty"`
	// SourceIgnore is the GitRepository's spec.ignore, if any.
	SourceIgnore string `json:"source_ignore,omitempty"`
}

// Substitute is a ConfigMap or Secret that variables come from.
type Substitute struct {
	Ref    Ref               `json:"ref"`
	Values map[string]string `json:"values,omitempty"`
	// Missing is true if it is certain that there is none; Problem says why the
	// values are not known otherwise.
	Missing bool   `json:"missing,omitempty"`
	Problem string `json:"problem,omitempty"`
}

// Declared is what one cluster declares to Flux.
type Declared struct {
	Cluster Cluster
	// Known is false if the cluster was never seen since ferry started; then
	// Kustomizations is empty and delivery must find the cluster's entry in the
	// repository, or refuse.
	Known          bool
	Kustomizations []Kustomization
	// Artifacts are the folders of the repository that sources hold which are
	// pushed from it, such as an OCIRepository; "" is all of it.
	Artifacts map[Ref]string
}

// Change is an intent: this version, of this app, on this cluster.
type Change struct {
	Target Target `json:"target"`
	// With are further targets, which take the version from the same place: they
	// may, and must, come to it together with the first one.
	With    []Target  `json:"with,omitempty"`
	Version Version   `json:"version"`
	Field   FieldKind `json:"field,omitempty"`
	Owner   Owner     `json:"owner"`
	// Container is the container whose image is meant, where the app has
	// several; empty for the one called like the app, or the only one.
	Container string `json:"container,omitempty"`
	// Pin allows what changes how the app gets its version: an override for this
	// cluster where the version is shared, an exact version in place of a range.
	Pin bool `json:"pin,omitempty"`
	// TagOnly takes away a digest that stands beside the tag, where it would go
	// stale.
	TagOnly bool `json:"tag_only,omitempty"`
	// Unpin takes such an override away again, where nothing that is rendered
	// changes by that. Version is empty then: the plan says which one stays.
	Unpin bool `json:"unpin,omitempty"`
	// Suspend takes image automations that would write over it out of service, in
	// the same commit.
	Suspend bool `json:"suspend,omitempty"`
}

// Site is the place in a rendered object where the version shows: what the
// cluster has to show when the change has arrived.
type Site struct {
	Field FieldKind `json:"field"`
	// Object is the rendered object as the cluster names it.
	Object Ref `json:"object"`
	// Path leads to the scalar within it, a JSON pointer (RFC 6901); Inner, if
	// set, from there into the YAML text that it holds.
	Path  string `json:"path"`
	Inner string `json:"inner,omitempty"`
	// Value is the whole scalar after the change (an image reference, a tag or
	// a chart version).
	Value string `json:"value"`
}

// Edit is a change of one scalar in one file.
type Edit struct {
	File   string `json:"file"`   // path in the repository
	Line   int    `json:"line"`   // 1-based, of the scalar
	Column int    `json:"column"` // 1-based, in bytes
	// Before and After are the bytes that change, as they stand in the file.
	Before string `json:"before"`
	After  string `json:"after"`
	// Suspends is the image automation that the edit suspends; zero for an edit of
	// the version.
	Suspends Ref `json:"suspends,omitzero"`
}

// Affected is an object whose rendering a plan changes.
type Affected struct {
	Cluster Cluster `json:"cluster"`
	Object  Ref     `json:"object"`
}

// Plan is a change made concrete against one commit, proven by rendering. It is
// a value: nothing has been written when it exists.
type Plan struct {
	Change Change  `json:"change"`
	Source Source  `json:"source"`
	Base   string  `json:"base"` // SHA of the commit it was made against
	From   Version `json:"from"` // the version that Git holds at Base
	// Already is true if Base holds the wanted version: there are no edits.
	Already bool `json:"already,omitempty"`
	Site    Site `json:"site"`
	// Parts are the same for the targets in With, in their order.
	Parts []Part `json:"parts,omitempty"`
	// Sharing is set on what is refused because others share the version: all that
	// would have to be in With. It is empty where they are not all apps.
	Sharing  []Target   `json:"sharing,omitempty"`
	Edits    []Edit     `json:"edits"`
	Affected []Affected `json:"affected"`
	// Diff is the unified diff of the files, RenderedDiff that of the rendered
	// manifests.
	Diff         string `json:"diff"`
	RenderedDiff string `json:"rendered_diff"`
	// Warnings are what people should know of it, in sentences.
	Warnings []string `json:"warnings,omitempty"`
	// Automation are the image automations that look for the fields which change,
	// also of a plan that is refused for them.
	Automation []Automation `json:"automation,omitempty"`
	// Suspended are those of them that this plan suspends; At is the line of
	// spec.suspend after the commit. They stay suspended until somebody sets that
	// to false.
	Suspended []Automation `json:"suspended,omitempty"`
	// Hash covers intent, old and new values and blast radius, not Base or line
	// numbers: it is what an approval binds to. Of automations it covers which are
	// out of service after the commit, not whether they were before.
	Hash string `json:"hash"`
	// Files are the new contents by path; nil takes a file away. They are not part of a job's row:
	// whoever resumes a job plans again and compares hashes.
	Files map[string][]byte `json:"-"`
}

// Authorship is what a commit says about why it was made.
type Authorship struct {
	Job       string `json:"job"`
	Command   string `json:"command"`   // "promote", "rollback"
	Requester string `json:"requester"` // the chat's user ID
	Name      string `json:"name"`      // display name, may be empty
	Email     string `json:"email"`     // may be empty: then no co-author line
	// Approvers are those whose approval it needed: user ID and name of each.
	Approvers []string `json:"approvers,omitempty"`
	// Wave counts the commits of a job that makes several, from 1; 0 for a job that
	// makes one.
	Wave int `json:"wave,omitempty"`
	// Glass is why gates were to be passed that are closed; usually empty.
	Glass string `json:"glass,omitempty"`
}

// Commit is a commit that ferry made or found.
type Commit struct {
	SHA  string    `json:"sha"`
	URL  string    `json:"url,omitempty"`
	At   time.Time `json:"at"`
	Site Site      `json:"site"`
	// Merged: people or GitHub made it out of a proposal. What it holds is seen by
	// rendering it, as that of any other revision.
	Merged bool `json:"merged,omitempty"`
}

// Holding says whether a revision still has what a plan wrote.
type Holding string

// The holdings.
const (
	// Holds: the revision is the commit or a descendant in which the site
	// renders to the plan's value.
	Holds Holding = "holds"
	// Replaced: it is a descendant in which the site renders to something else.
	Replaced Holding = "replaced"
	// NotYet: the commit is no ancestor of the revision.
	NotYet Holding = "not_yet"
)
