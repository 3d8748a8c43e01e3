package delivery

import "ferry/internal/deploy"

// The codes of refusals: why a change cannot be made, for programs. What people
// read is the error's text.
const (
	Shared     = "shared"        // others take their version from the same place
	Ambiguous  = "ambiguous"     // more than one version could be meant
	Encrypted  = "encrypted"     // the version stands in an encrypted file
	Linked     = "link"          // the file is a symbolic link, which Flux leaves out
	Unreadable = "unreadable"    // something on the way cannot be rendered
	Range      = "range"         // Git holds a range: Flux picks the version
	NotInGit   = "not_in_git"    // Git does not hold it
	FromSecret = "from_secret"   // it comes from a Secret, which ferry never opens
	Automated  = "automated"     // Flux's image automation writes there
	Digested   = "digest"        // a digest beside the tag would go stale; it can be dropped when told
	Shaped     = "shape"         // it is written in a way that cannot be changed in place
	Elsewhere  = "elsewhere"     // another repository or branch is applied
	Conflict   = deploy.Conflict // somebody else changed it meanwhile
	NotShared  = "not_shared"    // a target that was named as well would not change
	NoPin      = "no_pin"        // there is no override that could go
	Behind     = "behind"        // without the override the version would be another
	NoVersion  = "no_version"    // the version does not exist, or it is not known whether
)
