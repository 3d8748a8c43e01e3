package flux

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"

	"ferry/internal/deploy"
)

// from is an entry of spec.postBuild.substituteFrom.
type from struct {
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Optional bool   `json:"optional"`
}

// variables merges what a Kustomization substitutes from: later ones win,
// optional ones may be missing. What Git declares goes before what lives. why
// says what is not known.
func (g *graph) variables(k Kustomization) (vars map[string]string, why string) {
	if k.Spec.PostBuild == nil {
		return nil, ""
	}
	live := map[deploy.Ref]deploy.Substitute{}
	for _, s := range g.live[nameOf(k.Ref)].Substitutes {
		live[s.Ref] = s
	}
	for _, raw := range k.Spec.PostBuild.SubstituteFrom {
		var f from
		if err := json.Unmarshal(raw, &f); err != nil {
			why = "its substituteFrom cannot be read"
			continue
		}
		ref := deploy.Ref{Kind: f.Kind, Namespace: k.Ref.Namespace, Name: f.Name}
		values, ok := g.inGit(ref)
		if !ok {
			seen, known := live[ref]
			switch {
			case !known:
				why = fmt.Sprintf("%s is not in Git, and ferry has not seen it on %s", ref, g.declared.Cluster)
			case seen.Problem != "":
				why = seen.Problem
			case seen.Missing && !f.Optional:
				why = fmt.Sprintf("%s is not there", ref)
			}
			values = seen.Values
		}
		if vars == nil {
			vars = map[string]string{}
		}
		maps.Copy(vars, values)
	}
	return vars, why
}

// inGit reads a ConfigMap or Secret that a Kustomization renders. One that is
// encrypted counts as not there.
func (g *graph) inGit(ref deploy.Ref) (map[string]string, bool) {
	placed, ok := g.values[ref]
	if !ok {
		return nil, false
	}
	return valuesOf(placed.Object)
}

func valuesOf(o *Object) (map[string]string, bool) {
	var v struct {
		Data       map[string]string `json:"data"`
		StringData map[string]string `json:"stringData"`
		SOPS       json.RawMessage   `json:"sops"`
	}
	if err := json.Unmarshal(o.JSON, &v); err != nil || v.SOPS != nil {
		return nil, false
	}
	if o.Ref.Kind == "Secret" {
		for key, encoded := range v.Data {
			data, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				return nil, false
			}
			v.Data[key] = string(data)
		}
		if v.Data == nil {
			v.Data = map[string]string{}
		}
		maps.Copy(v.Data, v.StringData)
	}
	return v.Data, true
}
