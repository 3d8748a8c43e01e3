package oracle

import (
	"bytes"
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

const imageGroup = "image.toolkit.fluxcd.io"

// setter is the comment by which image automation knows a scalar.
var setter = regexp.MustCompile(`^#+\s*\{\s*"\$imagepolicy"\s*:\s*"([^":]+):([^":]+)(:(tag|name|digest))?"\s*\}$`)

// variable is one that only the cluster knows, as ferry writes it; the oracle has nothing in its place.
var variable = regexp.MustCompile(`\$\{\w+\}`)

// automated says which image automation writes to the claimed place, in ferry's words: "ns/name", with what is special
// of it, or "? (policy)" for a marker that none is found for. It does not read what an automation's source is.
func (repo *Repo) automated(claim Claim) string {
	m := setter.FindStringSubmatch(commentAt(repo.Tree[claim.File], claim.Line, claim.Column))
	if m == nil {
		return ""
	}
	for _, all := range [][]Object{repo.appliedAutomations(), repo.lyingAutomations()} {
		if words := repo.covering(all, m[1], claim.File); len(words) > 0 {
			return strings.Join(words, ", ")
		}
	}
	return "? (" + m[1] + "/" + m[2] + ")"
}

// covering names those of a namespace that write to a file.
func (repo *Repo) covering(all []Object, namespace, file string) []string {
	var words []string
	for _, o := range all {
		dir := clamp(o.str("spec", "update", "path"))
		if ns := o.str("metadata", "namespace"); ns != "" && ns != namespace || dir != "" && !strings.HasPrefix(file, dir+"/") {
			continue
		}
		word := namespace + "/" + o.name()
		checkout, push := cmp.Or(o.str("spec", "git", "checkout", "ref", "branch"), repo.branch(o.str("spec", "sourceRef", "name"))), o.str("spec", "git", "push", "branch")
		switch {
		case o.get("spec", "suspend") == true:
			word += " (suspended)"
		case push != "" && checkout != "" && push != checkout:
			word += " (on " + push + ")"
		}
		if !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}

// branch is what a GitRepository of any cluster follows.
func (repo *Repo) branch(source string) string {
	for _, c := range repo.Clusters {
		for _, o := range c.objects {
			if o.is(sourceGroup, "GitRepository") && o.name() == source {
				return o.str("spec", "ref", "branch")
			}
		}
	}
	return ""
}

func (repo *Repo) appliedAutomations() []Object {
	var out []Object
	for _, c := range repo.Clusters {
		for _, o := range c.objects {
			if o.is(imageGroup, "ImageUpdateAutomation") {
				out = append(out, o)
			}
		}
	}
	slices.SortFunc(out, func(a, b Object) int { return strings.Compare(a.ref(), b.ref()) })
	return out
}

// lyingAutomations stand in files that no cluster gets.
func (repo *Repo) lyingAutomations() []Object {
	var out []Object
	read := map[string]bool{}
	for _, name := range repo.files() {
		read[name] = true
	}
	for file, content := range repo.Tree {
		if ext := path.Ext(file); read[file] || ext != ".yaml" && ext != ".yml" {
			continue
		}
		for dec := yaml.NewDecoder(bytes.NewReader(content)); ; {
			var doc map[string]any
			if dec.Decode(&doc) != nil {
				break
			}
			if o := Object(doc); o.is(imageGroup, "ImageUpdateAutomation") {
				out = append(out, o)
			}
		}
	}
	return out
}

// commentAt is the comment behind the scalar at a place.
func commentAt(content []byte, line, column int) string {
	for dec := yaml.NewDecoder(bytes.NewReader(utf8Text(content))); ; {
		var doc yaml.Node
		if dec.Decode(&doc) != nil {
			return ""
		}
		if found, ok := scalarAt(&doc, line, column); ok {
			return found.LineComment
		}
	}
}

// scalarAt is the scalar on a line, of several the last that does not begin behind the column; 0 is any.
func scalarAt(n *yaml.Node, line, column int) (found *yaml.Node, ok bool) {
	if n.Kind == yaml.ScalarNode && n.Line == line && (n.Column <= column || column == 0) {
		return n, true
	}
	for _, child := range n.Content {
		if at, is := scalarAt(child, line, column); is {
			found, ok = at, true
		}
	}
	return found, ok
}
