package oracle

import (
	"encoding/json"
	"fmt"
)

// Inventory is what `ferry inventory -o json` prints.
type Inventory struct {
	Clusters []struct {
		Name string `json:"name"`
		Path string `json:"path"`
	} `json:"clusters"`
	Apps []Claim `json:"apps"`
}

// What a Claim says of a field.
const (
	Isolated  = "isolated"  // an edit moves this app on this cluster alone
	Shared    = "shared"    // it moves others too
	Ambiguous = "ambiguous" // there are several places
	None      = "none"      // there is none
)

// Claim is what ferry says of one app on one cluster. Lines and columns count from 1.
type Claim struct {
	Pair
	Kind       string `json:"kind"`
	Declared   string `json:"declared"` // the app's own object, where its namespace is not the app's
	Mechanism  string `json:"mechanism"`
	Field      string `json:"field"`
	File       string `json:"file"`
	Line       int    `json:"line"`
	Column     int    `json:"column"`
	Version    string `json:"version"`
	Object     string `json:"object"`
	Path       string `json:"path"`
	Status     string `json:"status"`
	SharedWith []Pair `json:"shared_with"`
	Automated  string `json:"automated"` // the image automation that writes there, in ferry's words
	Why        string `json:"why"`
	Pin        *Pin   `json:"pin"`
}

// Pin is an override for one cluster alone, as edits of the tree.
type Pin struct {
	OK    bool   `json:"ok"`
	Edits []Edit `json:"edits"`
	Why   string `json:"why"`
}

// Edit replaces before with after at a place of a file as it stood before any edit.
type Edit struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// ParseInventory reads what ferry printed.
func ParseInventory(raw []byte) (Inventory, error) {
	var inv Inventory
	if err := json.Unmarshal(raw, &inv); err != nil {
		return inv, fmt.Errorf("read the inventory: %w", err)
	}
	return inv, nil
}
