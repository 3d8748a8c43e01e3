package delivery

import (
	"strings"

	"ferry/delivery/envedit"
	"ferry/delivery/yamledit"
)

// envCandidates lists the values of a generator's KEY=value file that may hold a
// version; ok is false for a file that is none.
func envCandidates(file string, before []byte, f field, wanted string) (out []candidate, blocked string, ok bool) {
	e, err := envedit.Parse(before)
	if err != nil {
		return nil, "", false
	}
	for _, v := range e.Values() {
		value, holds := swap(v.Text, f, wanted)
		score := 1
		if !holds {
			value, holds = swapJoined(v.Text, f.version, wanted)
			score = -4
		}
		if !holds {
			continue
		}
		if e.Encrypted() {
			return nil, sealedFile, true
		}
		if f.repository != "" && parseReference(v.Text).repository == f.repository {
			score += 4
		}
		if strings.Contains(strings.ToLower(v.Key), strings.ToLower(strings.ReplaceAll(f.object.Name, "-", "_"))) {
			score += 3
		}
		out = append(out, candidate{file: file, path: "/" + yamledit.EscapePointer(v.Key), key: v.Key, score: score, env: true, edit: func() ([]byte, yamledit.Edit, error) {
			data, err := e.Replace(v, value)
			return data, yamledit.Edit{Line: v.Line, Column: v.Column, Before: v.Text, After: value}, err
		}})
	}
	return out, "", true
}

// holdsVariables reports whether a file has values that may be a part of a
// version.
func holdsVariables(file string, data []byte) bool {
	if manifest(file) {
		return false
	}
	_, err := envedit.Parse(data)
	return err == nil
}
