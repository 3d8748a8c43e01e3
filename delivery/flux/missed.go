package flux

// Missed calls f for each path that was asked for in vain, some of them twice.
func (r *Rendering) Missed(f func(path string)) {
	r.notes.Missed(f)
	for _, p := range r.parts {
		p.Missed(f)
	}
}
