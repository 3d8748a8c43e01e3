package delivery

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"ferry/delivery/flux"
)

// gapsOf says what a Kustomization's rendering leaves out.
func gapsOf(root *flux.Root) []string {
	if root.Rendering == nil || root.Rendering.Err != nil {
		return nil
	}
	return root.Rendering.Gaps()
}

// gapsTouched warns where an edit may also change what is left out of a
// rendering: an entry of a kustomization, or a variable, reaches all that is
// taken in, wherever it comes from.
func gapsTouched(s *scene, after *flux.World, sites []site) []string {
	inKustomization := slices.ContainsFunc(sites, func(at site) bool { return isKustomizationFile(at.file) })
	var out []string
	for _, c := range s.world.Clusters() {
		for _, root := range s.world.Roots(c) {
			gaps, now := gapsOf(root), after.Find(c, root.Ref)
			if len(gaps) == 0 || now == nil || now.Rendering == root.Rendering {
				continue
			}
			if inKustomization || !reflect.DeepEqual(root.Vars, now.Vars) || !reflect.DeepEqual(root.Spec, now.Spec) {
				out = append(out, fmt.Sprintf("%s on %s also takes in what ferry does not read (%s): whether that changes too is not known", root.Ref, c, strings.Join(gaps[:min(2, len(gaps))], "; ")))
			}
		}
	}
	return out
}
