package delivery

import (
	"path"

	"ferry/delivery/snapshot"
	"ferry/internal/fault"
)

// modesOf are the modes of files that are no plain ones; a commit keeps them.
func modesOf(tree *snapshot.Tree, files map[string][]byte) map[string]string {
	var out map[string]string
	for file := range files {
		e, there := tree.Entry(file)
		if !there || e.Mode == snapshot.ModeFile {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[file] = e.Mode
	}
	return out
}

// committable refuses what is no file in Git. Links are left out of what Flux
// reads, so that a plan edits none; but a new file may come to stand in the place
// of one, or below it.
func committable(tree *snapshot.Tree, files map[string][]byte) error {
	for file := range files {
		for at := file; at != "."; at = path.Dir(at) {
			e, there := tree.Entry(at)
			if !there || e.Mode == snapshot.ModeFile || e.Mode == snapshot.ModeExecutable {
				continue
			}
			return fault.Newf(fault.Refused, "`%s` is a link, and a commit of `%s` would put something else in its place", at, file).
				WithHelp("make it a folder or a file first").WithCode(Shaped)
		}
	}
	return nil
}
