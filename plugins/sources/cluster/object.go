package cluster

import "time"

// Meta is what of an object's metadata sources ask for.
type Meta struct {
	Name            string            `json:"name"`
	Namespace       string            `json:"namespace,omitempty"`
	UID             string            `json:"uid,omitempty"`
	Version         string            `json:"resourceVersion,omitempty"`
	Generation      int64             `json:"generation,omitempty"`
	Created         time.Time         `json:"creationTimestamp,omitzero"`
	Deleted         *time.Time        `json:"deletionTimestamp,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	OwnerReferences []Owner           `json:"ownerReferences,omitempty"`
}

// Owner is who made an object.
type Owner struct {
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Controller bool   `json:"controller,omitempty"`
}

// Owner is the one that controls it, if there is one.
func (m *Meta) Owner() (Owner, bool) {
	for _, o := range m.OwnerReferences {
		if o.Controller {
			return o, true
		}
	}
	return Owner{}, false
}

// Key is namespace/name.
func (m *Meta) Key() string { return m.Namespace + "/" + m.Name }

// Condition is one of an object's conditions.
type Condition struct {
	Type    string    `json:"type"`
	Status  string    `json:"status"`
	Reason  string    `json:"reason,omitempty"`
	Message string    `json:"message,omitempty"`
	Since   time.Time `json:"lastTransitionTime,omitzero"`
}

// Conditions of an object.
type Conditions []Condition

// Get is the condition of that type, or an empty one.
func (c Conditions) Get(kind string) Condition {
	for _, one := range c {
		if one.Type == kind {
			return one
		}
	}
	return Condition{}
}

// Clip cuts a text to so many bytes, at a whole character.
func Clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xC0 == 0x80 {
		most--
	}
	return s[:most] + "…"
}
