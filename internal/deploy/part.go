package deploy

// Part is what a plan does to one of the further targets of its change.
type Part struct {
	Target Target  `json:"target"`
	From   Version `json:"from"` // the version that Git holds for it at Base
	Site   Site    `json:"site"`
}
