package main

import (
	"fmt"
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"ferry/playground/cluster"
	"ferry/playground/cluster/workload"
	"ferry/playground/github"
	"ferry/playground/seed"
)

// applyByHand puts into a cluster what the fleet has there past Git, as somebody
// with kubectl does.
func (p *Playground) applyByHand(c *cluster.Cluster) error {
	manifests, err := p.fleet.ByHand(c.Name())
	if err != nil {
		return err
	}
	for _, doc := range strings.Split(manifests, "\n---\n") {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			return fmt.Errorf("read what is applied to %s by hand: %w", c.Name(), err)
		}
		if o == nil {
			continue
		}
		version, kind := fmt.Sprint(o["apiVersion"]), fmt.Sprint(o["kind"])
		r := c.Store().ResourceFor(schema.FromAPIVersionAndKind(version, kind))
		if r == nil {
			return fmt.Errorf("apply to %s by hand: it has no kind %s of %s", c.Name(), kind, version)
		}
		if _, err := c.Store().Create(r, o); err != nil {
			return fmt.Errorf("apply to %s by hand: %w", c.Name(), err)
		}
	}
	return nil
}

// pushLater pushes what the fleet keeps for when the clusters run.
func (p *Playground) pushLater() error {
	files, err := p.fleet.Later()
	if err == nil && len(files) > 0 {
		_, err = p.repo().Commit(branch, "More of the checkout", files)
	}
	if err == nil && len(p.fleet.Links) > 0 {
		_, err = p.repo().Link(branch, "The platform's search", p.fleet.Links)
	}
	return err
}

// serveToken says what ferry's token may do from now on.
func (p *Playground) serveToken(w http.ResponseWriter, r *http.Request) {
	state, ok := wanted(w, r)
	if !ok {
		return
	}
	access, known := map[string]github.Access{"read": github.ReadAccess, "write": github.WriteAccess}[state]
	if !known {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("unknown state %q: read or write", state))
		return
	}
	p.github.Limit(githubToken, access)
	answer(w, http.StatusOK, map[string]any{"ok": true, "state": state})
}

// judgeOn says what becomes of an image on a cluster: the armada has one that only
// fails in a single place.
func judgeOn(name string) func(string) workload.Verdict {
	return func(image string) workload.Verdict {
		if name == seed.ArmadaFailsOn && image == seed.ArmadaFails {
			return workload.CannotPull
		}
		return workload.Judge(image)
	}
}
