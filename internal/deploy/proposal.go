package deploy

// Conflict is the code of a refusal because somebody else changed the same thing
// meanwhile.
const Conflict = "conflict"

// ProposalState is how far a proposal has come.
type ProposalState string

// The states of a proposal. Closed is closed without being merged.
const (
	ProposalOpen   ProposalState = "open"
	ProposalMerged ProposalState = "merged"
	ProposalClosed ProposalState = "closed"
)

// Proposal is a pull request that ferry opened.
type Proposal struct {
	Number int           `json:"number"`
	URL    string        `json:"url"`
	Branch string        `json:"branch"` // of its own
	State  ProposalState `json:"state"`
	// Merged is the commit that brought the change to the branch, once it did, and
	// MergedBy whose doing that was, as a login.
	Merged   Commit `json:"merged,omitzero"`
	MergedBy string `json:"merged_by,omitempty"`
	// ClosedBy is who closed it without merging it, as a login; empty if that is not
	// known.
	ClosedBy string `json:"closed_by,omitempty"`
	// Waits says for people what an open one waits for; empty if that is not known
	// yet.
	Waits string `json:"waits,omitempty"`
	// Conflict: it cannot be merged as it is. Behind: it has to be brought up to
	// date first.
	Conflict bool `json:"conflict,omitempty"`
	Behind   bool `json:"behind,omitempty"`
	// Warnings say what was wanted of it and could not be done.
	Warnings []string `json:"warnings,omitempty"`
}
