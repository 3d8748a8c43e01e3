package deploy

// Automation is an image automation of Flux that writes to a field which a plan
// changes: until it is suspended, what the plan brings does not last.
type Automation struct {
	// Ref is the ImageUpdateAutomation, and Cluster the one it runs on; Cluster is
	// empty where only a file tells of it that no known cluster applies. Both are
	// zero where the field has a marker and nothing in Git looks for it.
	Ref     Ref     `json:"ref,omitzero"`
	Cluster Cluster `json:"cluster,omitempty"`
	// Policy is the ImagePolicy that the field's marker names.
	Policy Ref `json:"policy"`
	// At, PolicyAt and Field are where the two and the marked field stand in the
	// repository; zero for what was not found there.
	At       Place `json:"at,omitzero"`
	PolicyAt Place `json:"policy_at,omitzero"`
	Field    Place `json:"field"`
	// Suspended is what Git says of it, for those in Plan.Suspended after the
	// commit. Branch is set for one that pushes to another branch: what it writes
	// is then up to people.
	Suspended bool   `json:"suspended,omitempty"`
	Branch    string `json:"branch,omitempty"`
}

// Place is a line of a file in the repository, from 1.
type Place struct {
	File string `json:"file"`
	Line int    `json:"line"`
}

// InCharge reports whether it would write over what a plan brings.
func (a Automation) InCharge() bool { return a.Ref != (Ref{}) && !a.Suspended && a.Branch == "" }
