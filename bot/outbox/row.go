package outbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"ferry/internal/chat"
)

// row is a message: what it is to say, and what is known of it in the chat.
type row struct {
	Key    string       `json:"key"`
	Seq    int64        `json:"seq"` // orders first posts; from the time of the first Put
	Thread chat.Thread  `json:"thread"`
	Put    time.Time    `json:"put"` // the first one
	Wish   chat.Message `json:"wish"`
	Wished time.Time    `json:"wished"` // the last Put that changed it
	// Posting is when a first post was begun whose outcome is not known.
	Posting *time.Time `json:"posting,omitempty"`
	// TS is the message's timestamp in the chat, "" until it is known.
	TS string `json:"ts,omitempty"`
	// Sent is the digest of what the chat shows, SentAt since when.
	Sent   string    `json:"sent,omitempty"`
	SentAt time.Time `json:"sent_at,omitzero"`
	// Edits counts the edits that were sent.
	Edits int `json:"edits,omitempty"`
	// File is the file that is wished for instead of a message; TS is its identifier
	// once it is shared.
	File *file `json:"file,omitempty"`
	// Dead is why the wish was given up.
	Dead string `json:"dead,omitempty"`
	// Taken are the buttons that were pressed.
	Taken []taken `json:"taken,omitempty"`
	// Via is how to edit a message that one person sees, until ViaUntil.
	Via      string    `json:"via,omitempty"`
	ViaUntil time.Time `json:"via_until,omitzero"`

	// digest covers everything that is to be seen, as the row was read or written last.
	digest string
}

// taken is a button that was pressed.
type taken struct {
	Operation string `json:"operation"`
	Click     string `json:"click"` // which press it was
	Asked
	// Settled is true once the command was accepted.
	Settled bool `json:"settled,omitempty"`
}

// decode reads a row.
func decode(raw []byte) (r row, err error) {
	if err := json.Unmarshal(raw, &r); err != nil {
		return r, err
	}
	return r, r.look()
}

// encode writes a row.
func (r *row) encode() ([]byte, error) {
	if err := r.look(); err != nil {
		return nil, err
	}
	return json.Marshal(r)
}

// look notes what is to be seen of the row as it is now.
func (r *row) look() (err error) {
	s := r.shown()
	s.Final = false
	r.digest, err = digest(s)
	return err
}

// open reports whether the chat does not yet show what is wished.
func (r *row) open() bool {
	return r.Dead == "" && (r.TS == "" || r.Sent != r.digest)
}

// shown is the wish with its buttons made ready. Once a button was pressed and
// its command accepted, a line stands where the buttons were.
func (r *row) shown() Shown {
	s := Shown{Message: r.Wish}
	for i := range r.Wish.Controls {
		s.ControlOperations = append(s.ControlOperations, controlOperation(r.Key, &r.Wish.Controls[i]))
	}
	for i, b := range r.Wish.Buttons {
		op := operation(r.Key, i, b.Command)
		s.Operations = append(s.Operations, op)
		for _, t := range r.Taken {
			if t.Operation == op && t.Settled {
				s.Asked = append(s.Asked, t.Asked)
			}
		}
	}
	if len(s.Asked) > 0 {
		s.Buttons, s.Operations, s.Controls, s.ControlOperations = leading(r.Wish.Buttons), nil, nil, nil
		s.Operations = make([]string, len(s.Buttons))
	}
	return s
}

// leading are the buttons that ask for nothing but lead somewhere: those stay.
func leading(all []chat.Button) (out []chat.Button) {
	for _, b := range all {
		if b.URL != "" {
			out = append(out, b)
		}
	}
	return out
}

// reach notes how to edit a message that one person sees; it reports whether it did.
func (r *row) reach(c Click) bool {
	if r.Wish.For == "" || c.Via == "" {
		return false
	}
	r.Via, r.ViaUntil = c.Via, time.Now().Add(viaLife)
	return true
}

// reachable is what is shown, and how an edit gets there.
func (r *row) reachable(now time.Time) Shown {
	s := r.shown()
	if now.Before(r.ViaUntil) {
		s.Via = r.Via
	}
	return s
}

// viaLife is how long Slack takes edits at such an address, less some travel.
const viaLife = 29 * time.Minute

func (r *row) take(op string) *taken {
	i := slices.IndexFunc(r.Taken, func(t taken) bool { return t.Operation == op })
	if i < 0 {
		return nil
	}
	return &r.Taken[i]
}

// same reports whether two wishes look the same.
func same(a, b chat.Message) (bool, error) {
	a.Final, b.Final = false, false
	x, err := digest(a)
	if err != nil {
		return false, err
	}
	y, err := digest(b)
	return x == y, err
}

func digest(v any) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	h := sha256.Sum256(raw)
	return hex.EncodeToString(h[:12]), nil
}
