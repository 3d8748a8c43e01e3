package line

import (
	"slices"
	"strings"

	"ferry/plugins/kubectl/rules"
)

// Kind is one of Flux's kinds.
type Kind struct {
	rules.Kind
	// Name is Kubernetes' word for it, Words are those of Flux's own command:
	// Kustomization, "kustomization"; GitRepository, "source git".
	Name, Words string
	// Reads is true for one that cannot be suspended or asked to reconcile.
	Reads bool
}

// Groups of Flux's API.
const (
	Kustomize = "kustomize.toolkit.fluxcd.io"
	Helm      = "helm.toolkit.fluxcd.io"
	Source    = "source.toolkit.fluxcd.io"
	Image     = "image.toolkit.fluxcd.io"
)

// Kinds are all that there are here, in the order in which they are shown.
func Kinds() []Kind {
	of := func(plural, group, name, words string) Kind {
		return Kind{Kind: rules.Kind{Plural: plural, Group: group, Known: true}, Name: name, Words: words}
	}
	policy := of("imagepolicies", Image, "ImagePolicy", "image policy")
	policy.Reads = true
	return []Kind{
		of("gitrepositories", Source, "GitRepository", "source git"),
		of("ocirepositories", Source, "OCIRepository", "source oci"),
		of("helmrepositories", Source, "HelmRepository", "source helm"),
		of("helmcharts", Source, "HelmChart", "source chart"),
		of("buckets", Source, "Bucket", "source bucket"),
		of("kustomizations", Kustomize, "Kustomization", "kustomization"),
		of("helmreleases", Helm, "HelmRelease", "helmrelease"),
		of("imagerepositories", Image, "ImageRepository", "image repository"),
		policy,
		of("imageupdateautomations", Image, "ImageUpdateAutomation", "image update"),
	}
}

// Named returns the kind that Kubernetes calls so, in a group of Flux's.
func Named(name, group string) (Kind, bool) {
	all := Kinds()
	i := slices.IndexFunc(all, func(k Kind) bool { return k.Name == name && (group == "" || k.Group == group) })
	if i < 0 {
		return Kind{}, false
	}
	return all[i], true
}

// readKinds reads the words for kinds that a line's names begin with, and says how
// many they are. Several kinds come of sources, images and all.
func readKinds(verb string, args []string) (kinds []Kind, n int, err error) {
	if len(args) == 0 {
		return nil, 0, refuse("%s what? One of %s", verb, strings.Join(words(verb), ", "))
	}
	switch first := args[0]; first {
	case "kustomization", "kustomizations", "ks":
		return called("kustomization"), 1, nil
	case "helmrelease", "helmreleases", "hr":
		return called("helmrelease"), 1, nil
	case "all":
		return Kinds(), 1, nil
	case "source", "sources":
		return member("source", args[1:])
	case "image", "images":
		return member("image", args[1:])
	default:
		for _, k := range Kinds() {
			if word := strings.ToLower(first); word == strings.ToLower(k.Name) || word == k.Plural {
				return nil, 0, refuse("%q is `%s` in Flux's own words", first, k.Words)
			}
		}
		if near := Nearest(first, []string{"kustomization", "kustomizations", "helmrelease", "helmreleases", "source", "sources", "image", "images"}); near != "" {
			return nil, 0, refuse("%q is nothing that flux %s knows; did you mean %s?", first, verb, near)
		}
		return nil, 0, refuse("%q is nothing that flux %s knows; there are %s", first, verb, strings.Join(words(verb), ", "))
	}
}

// member reads the second word of a kind such as source git; without one, or with
// all, they are all meant.
func member(group string, args []string) (kinds []Kind, n int, err error) {
	if len(args) == 0 {
		return under(group), 1, nil
	}
	if args[0] == "all" {
		return under(group), 2, nil
	}
	if kinds := called(group + " " + args[0]); kinds != nil {
		return kinds, 2, nil
	}
	names := []string{}
	for _, k := range under(group) {
		names = append(names, strings.TrimPrefix(k.Words, group+" "))
	}
	if near := Nearest(args[0], names); near != "" {
		return nil, 0, refuse("`%s %s` is no kind of Flux's; did you mean `%s %s`?", group, args[0], group, near)
	}
	return nil, 0, refuse("`%s %s` is no kind of Flux's; after %s comes one of %s", group, args[0], group, strings.Join(names, ", "))
}

func called(words string) []Kind {
	for _, k := range Kinds() {
		if k.Words == words {
			return []Kind{k}
		}
	}
	return nil
}

func under(group string) []Kind {
	return slices.DeleteFunc(Kinds(), func(k Kind) bool { return !strings.HasPrefix(k.Words, group+" ") })
}

// words are those that may follow a verb.
func words(verb string) []string {
	if verb == "get" {
		return []string{"kustomizations", "helmreleases", "sources [git|oci|helm|chart|bucket]", "images [repository|policy|update]", "all"}
	}
	out := []string{}
	for _, k := range Kinds() {
		if !k.Reads && (verb != "tree" || k.Name == "Kustomization") {
			out = append(out, k.Words)
		}
	}
	return out
}
