package flux

// Missed calls f for each path that was asked for in vain. It is for a rendering
// that failed: such a one was built at once, and has no parts.
func (r *Rendering) Missed(f func(path string)) { r.notes.Missed(f) }
