package deploy

// MessageFields is what the template of a commit's message can say. Where a
// commit carries several changes, a text holds their different values, joined
// with ", ": a template that was written for one change stays true of several.
type MessageFields struct {
	Command   string // promote, rollback, …
	App       string // without its namespace
	Namespace string
	Cluster   string
	From      string // the version that Git held
	To        string // the version that it gets
	Field     string // chart or image
	Requester string // who asked: the name, or the ID where that is not known
	Job       string
	// Count is the number of changes, Changes are they, in the order in which they
	// were asked for.
	Count   int
	Changes []ChangeFields
	// Files are the paths that change, sorted; Edits say in a line each what
	// becomes what there.
	Files []string
	Edits []string
}

// ChangeFields is what the template of a commit's message can say of one change;
// the fields are those of MessageFields.
type ChangeFields struct {
	Command, App, Namespace, Cluster, From, To, Field, Requester, Job string

	Files, Edits []string
}
