package rules

// Grant is all that one run of kubectl may ask of one cluster. The guard makes it
// of the rules and the line; the wall holds every request against it.
type Grant struct {
	// Scopes are what may be read.
	Scopes []Scope `json:"scopes,omitempty"`
	// Along is what is read beside it, in the scopes' namespaces: describing a pod
	// shows its events.
	Along []Along `json:"along,omitempty"`
	// Subresources may be read of what may be read, such as log.
	Subresources []string `json:"subresources,omitempty"`
	// Writes are the changes that were agreed to, each for one object.
	Writes []Write `json:"writes,omitempty"`
	// As is whom every request has to be made as.
	As Identity `json:"as"`
}

// Along is a kind, by plural or plural.group, that is read beside others.
type Along struct {
	Resource string `json:"resource"`
	// Namespace is the one place it is read at; empty for the scopes' own.
	Namespace string `json:"namespace,omitempty"`
	// Cluster is true for one that is in no namespace.
	Cluster bool `json:"cluster,omitempty"`
}

// Write is one kind of request that changes one object.
type Write struct {
	Method      string `json:"method"` // PATCH, PUT or DELETE
	Resource    string `json:"resource"`
	Subresource string `json:"subresource,omitempty"`
	Namespace   string `json:"namespace,omitempty"`
	Name        string `json:"name"`
}

// Identity is whom a cluster is asked as. The zero value is whoever the
// kubeconfig belongs to.
type Identity struct {
	User   string   `json:"user,omitempty"`
	Groups []string `json:"groups,omitempty"`
}
