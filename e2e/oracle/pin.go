package oracle

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// noPin begins what is said of a pin that ferry does not offer.
const noPin = "none offered: "

// judgePin says why a pin is none, "" if it is: it moves this pair and nothing else. A pin of the version that is there
// already moves nothing; then the shared place, edited, must no longer move this pair, but all that it moved besides.
func (repo *Repo) judgePin(app App, claim Claim) string {
	if !claim.Pin.OK {
		return noPin + claim.Pin.Why
	}
	f, why := repo.field(app, claim)
	if why != "" {
		return why
	}
	change, why := repo.edited(claim.Pin.Edits)
	if why != "" {
		return why
	}
	m := repo.moves(change)
	switch others := m.others(app.Pair); {
	case m.broken != "":
		return "with it a build fails: " + brief(m.broken)
	case len(others) > 0:
		return "it also moves " + some(others)
	case m.apps[app.Pair]:
		if !m.at(app.Cluster, f.Object, f.Path) {
			return fmt.Sprintf("it does not move %s %s", claim.Object, claim.Path)
		}
		return ""
	}
	return repo.holds(app, claim, f, change)
}

// holds says why the pin does not keep the pair where it is when the shared place moves.
func (repo *Repo) holds(app App, claim Claim, f Field, pinned Change) string {
	o, ok := repo.claimed(claim)
	if !ok {
		return "the shared place is not there"
	}
	if _, both := pinned[o.File]; both {
		return "it edits the shared file, and moves nothing"
	}
	before := repo.probe(o)
	change := maps.Clone(pinned)
	change[o.File] = repo.changed(o)
	after := repo.moves(change)
	if after.at(app.Cluster, f.Object, f.Path) || after.apps[app.Pair] {
		return fmt.Sprintf("an edit at %s still moves it", o)
	}
	if missing, extra := compare(before.others(app.Pair), after.others(app.Pair)); len(missing)+len(extra) > 0 {
		return fmt.Sprintf("with it an edit at %s no longer moves %s, and moves %s", o, some(missing), some(extra))
	}
	return ""
}

// edited is the change that edits make, or what is wrong with them.
func (repo *Repo) edited(edits []Edit) (Change, string) {
	if len(edits) == 0 {
		return nil, "it has no edits"
	}
	edits = slices.Clone(edits)
	slices.SortStableFunc(edits, func(a, b Edit) int { // from the end of a file to its start
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(b.Line, a.Line), cmp.Compare(b.Column, a.Column))
	})
	change := Change{}
	for _, e := range edits {
		content, begun := change[e.File]
		if !begun {
			content = repo.Tree[e.File]
		}
		offset, ok := offsetOf(content, e)
		if !ok {
			return nil, fmt.Sprintf("%q does not stand at %s:%d:%d", e.Before, e.File, e.Line, e.Column)
		}
		change[e.File] = slices.Concat(content[:offset], []byte(e.After), content[offset+len(e.Before):])
	}
	return change, ""
}

// offsetOf is where an edit starts. Columns may count bytes or characters.
func offsetOf(content []byte, e Edit) (int, bool) {
	start := 0
	for range e.Line - 1 {
		i := bytes.IndexByte(content[start:], '\n')
		if i < 0 {
			return len(content), e.Before == "" && e.Column <= 1
		}
		start += i + 1
	}
	if at := start + e.Column - 1; at >= 0 && at <= len(content) && bytes.HasPrefix(content[at:], []byte(e.Before)) {
		return at, true
	}
	at := start
	for range e.Column - 1 {
		_, size := utf8.DecodeRune(content[at:])
		at += size
	}
	return at, bytes.HasPrefix(content[at:], []byte(e.Before))
}
