package github

import (
	"errors"
	"net/http"
)

func (c *call) refRecord(at ref) record {
	return record{
		"ref": at.name, "node_id": nodeID("REF", c.repo.fullName(), at.name), "url": c.url("git", escapePath(at.name)),
		"object": record{"type": at.kind, "sha": at.id, "url": c.url("git", string(at.kind)+"s", string(at.id))},
	}
}

func getRef(c *call) (reply, error) {
	at, err := c.repo.shown("refs/" + c.PathValue("ref"))
	if errors.Is(err, errMissing) {
		if err := c.repo.empty(c.Context()); err != nil {
			return reply{}, err
		}
	}
	if err != nil {
		return reply{}, err
	}
	return reply{json: c.refRecord(at)}, nil
}

func matchingRefs(c *call) (reply, error) {
	if err := c.repo.empty(c.Context()); err != nil {
		return reply{}, err
	}
	refs, err := c.repo.refs(c.Context(), "refs/"+c.PathValue("ref"))
	if err != nil {
		return reply{}, err
	}
	out := list{}
	for _, at := range refs {
		out = append(out, c.refRecord(at))
	}
	return reply{json: out}, nil
}

// protected refuses what protection forbids on a reference; the zero answer lets it pass.
func (c *call) protected(name string) error {
	if said, _ := c.repo.violation(branchName(name), c.who.Login); said != "" {
		return &apiError{status: http.StatusUnprocessableEntity, message: said, docs: "https://docs.github.com/articles/about-protected-branches"}
	}
	return nil
}

// target finds the object that a reference shall name: branches name commits, and nothing else.
func (c *call) target(name string, id OID) (object, error) {
	o, err := c.repo.read(id)
	if errors.Is(err, errMissing) {
		return o, fail(http.StatusUnprocessableEntity, "Object does not exist")
	}
	if err == nil && o.kind != commitKind && branchName(name) != name {
		return o, fail(http.StatusUnprocessableEntity, "Reference update failed")
	}
	return o, err
}

func createRef(c *call) (reply, error) {
	var in struct {
		Ref string `json:"ref"`
		SHA OID    `json:"sha"`
	}
	if err := c.read(&in); err != nil {
		return reply{}, err
	}
	if !validRef(in.Ref) {
		return reply{}, fail(http.StatusUnprocessableEntity, "%s is not a valid ref name.", in.Ref)
	}
	if err := c.repo.empty(c.Context()); err != nil {
		return reply{}, err
	}
	o, err := c.target(in.Ref, in.SHA)
	if err != nil {
		return reply{}, err
	}
	err = c.repo.moveRefs(c.Context(), move{in.Ref, zeroOID, in.SHA})
	if lost := (*movedError)(nil); errors.As(err, &lost) {
		return reply{}, fail(http.StatusUnprocessableEntity, "Reference already exists")
	}
	if err != nil {
		return reply{}, err
	}
	out := c.refRecord(ref{in.Ref, in.SHA, o.kind})
	header := http.Header{}
	header.Set("Location", out["url"].(string))
	return reply{status: http.StatusCreated, json: out, header: header}, nil
}

func updateRef(c *call) (reply, error) {
	var in struct {
		SHA   OID  `json:"sha"`
		Force bool `json:"force"`
	}
	if err := c.read(&in); err != nil {
		return reply{}, err
	}
	name := "refs/" + c.PathValue("ref")
	for {
		at, err := c.repo.ref(name)
		if errors.Is(err, errMissing) {
			return reply{}, fail(http.StatusUnprocessableEntity, "Reference does not exist")
		}
		if err != nil {
			return reply{}, err
		}
		o, err := c.target(name, in.SHA)
		if err != nil {
			return reply{}, err
		}
		if err := c.protected(name); err != nil {
			return reply{}, err
		}
		if !in.Force {
			forward, err := c.repo.isAncestor(c.Context(), at.id, in.SHA)
			if err != nil {
				return reply{}, err
			}
			if !forward {
				return reply{}, fail(http.StatusUnprocessableEntity, "Update is not a fast forward")
			}
		}
		if at.id != in.SHA {
			err = c.repo.moveRefs(c.Context(), move{name, at.id, in.SHA})
		}
		if lost := (*movedError)(nil); errors.As(err, &lost) {
			// Somebody moved it between: whether this is still a fast-forward is a new question.
			continue
		}
		if err != nil {
			return reply{}, err
		}
		return reply{json: c.refRecord(ref{name, in.SHA, o.kind})}, nil
	}
}

func deleteRef(c *call) (reply, error) {
	name := "refs/" + c.PathValue("ref")
	for {
		at, err := c.repo.ref(name)
		if errors.Is(err, errMissing) {
			return reply{}, fail(http.StatusUnprocessableEntity, "Reference does not exist")
		}
		if err != nil {
			return reply{}, err
		}
		if err := c.protected(name); err != nil {
			return reply{}, err
		}
		err = c.repo.moveRefs(c.Context(), move{name, at.id, zeroOID})
		if lost := (*movedError)(nil); errors.As(err, &lost) {
			continue
		}
		return reply{status: http.StatusNoContent}, err
	}
}
