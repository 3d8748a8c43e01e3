package deploy

// Wanted is what Git wants of an app on a cluster.
type Wanted struct {
	Target Target
	// Object is the HelmRelease or workload that Git declares.
	Object Ref
	// Versions are those that Git holds, the likeliest to be meant first; none if
	// Why says what stands in the way.
	Versions []WantedVersion
	Why      string
}

// WantedVersion is a version that Git holds.
type WantedVersion struct {
	Field   FieldKind
	Version Version
	// Ranged is true where Git holds a range, from which Flux picks.
	Ranged bool
}
