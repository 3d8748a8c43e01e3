package delivery

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"ferry/delivery/flux"
	"ferry/delivery/snapshot"
	"ferry/delivery/yamledit"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// unbuildable refuses a target whose Kustomization cannot be rendered.
func unbuildable(ctx context.Context, w *flux.World, t deploy.Target, root *flux.Root) error {
	why, mend, code := trouble(ctx, w.Files(), root)
	return fault.Newf(fault.Refused, "%s on %s cannot be built from Git as it is", t.App.Name, t.Cluster).
		WithHelp("%s\nFlux cannot build it either (%s): %s, then ask again", why, root.Ref, mend).
		Because(root.Rendering.Err).WithCode(code)
}

// trouble says why a Kustomization cannot be rendered and what mends it: which
// file it is, where that can be told, else kustomize's own words.
func trouble(ctx context.Context, files flux.Files, root *flux.Root) (why, mend, code string) {
	if link, to := linked(ctx, files, root.Rendering); link != "" {
		return fmt.Sprintf("`%s` is a symbolic link to `%s`, and Flux leaves links out", link, to), "put the file itself there", Linked
	}
	if why := broken(ctx, files, root.Rendering); why != "" {
		return why, "mend the file", Unreadable
	}
	return firstLine(root.Rendering.Err), "mend that", Unreadable
}

// linked finds a symbolic link among what a rendering asked for.
func linked(ctx context.Context, files flux.Files, r *flux.Rendering) (link, to string) {
	r.Missed(func(p string) {
		for ; p != "" && p != "."; p = path.Dir(p) {
			e, ok := files.Tree.Entry(p)
			if !ok || e.Mode != snapshot.ModeLink || (link != "" && link < p) {
				continue
			}
			if target, err := files.Blobs.Get(ctx, e.SHA); err == nil {
				link, to = p, string(target)
			}
		}
	})
	return link, to
}

// broken names the file that is no YAML, of those which a rendering read and its
// error speaks of. The line is that of the file: kustomize counts from the start
// of the document.
func broken(ctx context.Context, files flux.Files, r *flux.Rendering) string {
	var asked []string
	r.Reads(func(file string) {
		if strings.Contains(r.Err.Error(), path.Base(file)) && !slices.Contains(asked, file) {
			asked = append(asked, file)
		}
	})
	slices.Sort(asked)
	for _, file := range asked {
		data, err := read(ctx, files, file)
		if err != nil {
			continue // the rendering's own error says more
		}
		_, err = yamledit.Parse(data)
		line := conflict(data)
		switch {
		case err != nil && line > 0:
			return fmt.Sprintf("`%s` has a merge conflict at line %d that nobody resolved", file, line)
		case err != nil:
			return fmt.Sprintf("`%s` is not valid YAML: %s", file, strings.TrimPrefix(firstLine(err), "yaml: "))
		}
	}
	return ""
}

// conflict is the first line that Git's merge left as a marker; 0 if there is
// none.
func conflict(data []byte) int {
	for i, line := range bytes.Split(data, []byte("\n")) {
		if bytes.HasPrefix(line, []byte("<<<<<<< ")) {
			return i + 1
		}
	}
	return 0
}

// offerPin adds to the refusal of a range what puts a version in its place.
func offerPin(c deploy.Change, f field, err error) error {
	e, ok := err.(*fault.Error) //nolint:errorlint // as checkSwap makes it
	if !ok || !f.ranged || c.Pin {
		return err
	}
	c.Pin = true
	return e.WithChoices(promoteText(c, string(c.Version)))
}
