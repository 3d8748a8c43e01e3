package deploy

// Tried is what came of planning one of several changes: a plan, or why there is
// none. Then Plan may tell with whom the version is shared.
type Tried struct {
	Plan Plan
	Err  error
}
