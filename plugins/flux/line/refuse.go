// Package line reads lines that people write as Flux's own command takes them, and
// says what they mean here: Parse makes a Command of a line or says why not, Decide
// makes of the command, the configuration and who asks what is done on which
// cluster. Both are pure. How a line is split, aimed at clusters and read for its
// flags is the kubectl executor's guard; verbs, kinds and the shapes of names are
// lists of what is allowed, and there is no list of what is forbidden but for the
// words in which it is refused.
package line

import (
	"fmt"
	"slices"
	"strings"

	"ferry/plugins/kubectl/guard"
)

func refuse(format string, args ...any) error { return guard.Refusal(fmt.Sprintf(format, args...)) }

// Verbs are the names of all, those that read first.
func Verbs() []string { return []string{Get, Tree, Reconcile, Suspend, Resume} }

// find returns the verb that a line begins with.
func find(words []guard.Word) (guard.Verb, error) {
	if len(words) == 0 {
		return guard.Verb{}, refuse("what shall flux do? It can %s", guard.And(Verbs()))
	}
	first := words[0].Text
	for _, v := range verbs() {
		if v.Name == first {
			return v, nil
		}
	}
	if strings.HasPrefix(first, "-") {
		return guard.Verb{}, refuse("a line begins with what is to be done, such as get, and flags follow")
	}
	for _, group := range []struct{ names, why string }{
		{"bootstrap install uninstall migrate operator", "Flux itself is set up elsewhere"},
		{"create delete export", "manifests come from Git: change them there, or ask ferry to promote"},
		{"build diff push pull tag list envsubst completion plugin help", "it is about files of a machine, or about registries"},
		{"logs events trace stats debug check version", "of what there is, get and tree tell what Flux says; kubectl has logs and events"},
	} {
		if slices.Contains(strings.Fields(group.names), first) {
			return guard.Verb{}, guard.Never("flux "+first, group.why)
		}
	}
	if near := Nearest(first, Verbs()); near != "" {
		return guard.Verb{}, refuse("%q is nothing that flux does here; did you mean %s?", first, near)
	}
	return guard.Verb{}, refuse("%q is nothing that flux does here; it can %s", first, guard.And(Verbs()))
}

// never refuses flags that Flux's own command has and nobody needs or gets here, in
// words of its own; all others that a verb does not have are refused by it.
func never(words []guard.Word) error {
	for _, w := range words {
		name, _, _ := strings.Cut(w.Text, "=")
		switch name {
		case "--watch", "-w":
			return refuse("nothing is watched here: ask again")
		case "--wait":
			return refuse("reconcile and resume wait by themselves; --timeout says how long")
		case "--force", "--reset":
			return guard.Never(name, "it does more than Flux does by itself")
		}
	}
	return nil
}
