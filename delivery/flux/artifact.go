package flux

import (
	"encoding/json"
	"strings"

	"ferry/internal/deploy"
)

const externalArtifact = "ExternalArtifact"

// isGenerator reports whether an object makes artifacts out of others.
func isGenerator(o *Object) bool {
	return o.Group == "source.extensions.fluxcd.io" && o.Ref.Kind == "ArtifactGenerator"
}

// copies says of which folders of the repository a source's artifact is made;
// none if it is not known to be made of it.
func (g *graph) copies(source deploy.Ref) []Copy {
	if folder, ok := g.declared.Artifacts[source]; ok {
		return []Copy{{From: folder}}
	}
	return g.artifacts[source]
}

// learnArtifacts reads an ArtifactGenerator: what it copies out of the
// repository keeps its place in Git. Rules that pick single files, and sources
// that are not this repository, are left out: what needs them does not render.
func (g *graph) learnArtifacts(o *Object) {
	var gen struct {
		Spec struct {
			Sources []struct {
				Alias, Kind, Name, Namespace string
			} `json:"sources"`
			Artifacts []struct {
				Name string `json:"name"`
				Copy []struct {
					From, To string
				} `json:"copy"`
			} `json:"artifacts"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(o.JSON, &gen); err != nil {
		return
	}
	own := map[string]bool{}
	for _, s := range gen.Spec.Sources {
		ns := s.Namespace
		if ns == "" {
			ns = o.Ref.Namespace
		}
		source, known := g.sources[deploy.Ref{Namespace: ns, Name: s.Name}]
		own[s.Alias] = s.Kind == "GitRepository" && (!known || g.ours(source))
	}
	for _, a := range gen.Spec.Artifacts {
		ref := deploy.Ref{Kind: externalArtifact, Namespace: o.Ref.Namespace, Name: a.Name}
		var copies []Copy
		for _, c := range a.Copy {
			alias, from, ok := strings.Cut(strings.TrimPrefix(c.From, "@"), "/")
			folder, all := strings.CutSuffix(from, "**")
			to, in := strings.CutPrefix(c.To, "@artifact/")
			if ok && all && in && own[alias] {
				copies = append(copies, Copy{To: strings.Trim(to, "/"), From: strings.Trim(folder, "/")})
			}
		}
		g.artifacts[ref] = copies
	}
}
