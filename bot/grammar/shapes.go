package grammar

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"ferry/internal/chat"
)

// everything is the word for all apps: none can be called so without its namespace.
const everything = "all"

// Lengths of names: DNS-1123 (Kubernetes' object names), OCI's tags.
const (
	maxLabel = 63
	maxName  = 253
	maxTag   = 128
)

// check reports what is wrong with a word as a placeholder, in a sentence and a
// help; both are empty if nothing is.
func (g *Grammar) check(placeholder, word string) (says, help string) {
	if says, help := strange(word); says != "" {
		return says, help
	}
	ok, help := true, ""
	switch placeholder {
	case "app":
		if word == everything {
			return quote(word) + " means every app", "an app of that name is written with its namespace: `namespace/all`"
		}
		ok, help = isApp(word), "an app is called `name` or `namespace/name`, in small letters, digits and `-`"
	case "glob":
		ok, help = isGlob(word), "a pattern is a name in which `*`, `?` and `[a-z]` stand for others, such as `pod*`"
	case "version":
		ok, help = isVersion(word), "a version is an image tag (`6.5.4`), a digest (`sha256:…`), both joined by `@`, or a chart version"
	case "namespace":
		ok, help = isLabel(word), "a namespace has small letters, digits and `-`"
	case "job":
		ok, help = isJob(word), "a job is called by 4 to 16 small letters and digits; `status` lists them"
	case "matchers":
		ok, help = isMatchers(word), "labels are chosen by `cluster=prod`, `severity!=info`, `app=~\"web-.*\"` or `app!~\"web-.*\"`; values with blanks or signs in double quotation marks"
	case "id":
		ok, help = isID(word), "an ID is what ferry shows: small letters and digits, such as `s1`"
	case "switch":
		ok, help = word == "on" || word == "off", "write `on` or `off`"
	case "field":
		ok, help = word == "chart" || word == "image", "a field is `chart` or `image`"
	case "option":
		ok, help = word == "pin" || word == "tag-only", "the options are `pin` and `tag-only`"
	case "mode":
		ok, help = word == "--dry-run" || word == "dry-run", "`--dry-run` shows what would happen and changes nothing"
	case "gate":
		ok, help = isGate(word), "what can be passed is `freeze`, `hold` and `approval`, several joined by commas: `freeze,hold`"
	case "duration":
		_, ok = chat.Word(word).Span()
		help = "a time is a number and its unit: `90m`, `4h`, `3d`, `2w`; a year is the longest"
	case "cluster", "other", "from":
		return g.checkCluster(word)
	case "clusters":
		return g.checkClusters(word)
	case "targets":
		return g.checkTarget(word)
	case "topic":
		if slices.Contains(g.verbs, word) {
			return "", ""
		}
		return g.unknownVerb(word), "the commands are " + list(g.offered)
	}
	if ok {
		return "", ""
	}
	switch placeholder {
	case "matchers":
		return quote(word) + " chooses no label", help
	case "switch":
		return quote(word) + " is neither `on` nor `off`", ""
	case "id":
		return quote(word) + " is no ID", help
	}
	return fmt.Sprintf("%s is no %s", quote(word), placeholder), help
}

func (g *Grammar) checkCluster(word string) (says, help string) {
	if slices.Contains(g.clusters, word) {
		return "", ""
	}
	return fmt.Sprintf("there is no cluster %s", quote(word)), "the clusters are " + list(g.clusters)
}

// checkClusters reports what is wrong with a cluster's name, or with a pattern over
// them: one that stands for none is a mistake.
func (g *Grammar) checkClusters(word string) (says, help string) {
	if !strings.ContainsAny(word, "*?[") {
		return g.checkCluster(word)
	}
	if strings.Contains(word, "/") || !isGlob(word) {
		return quote(word) + " is no pattern", "a pattern is a name in which `*`, `?` and `[a-z]` stand for others, such as `prod-*`"
	}
	if slices.ContainsFunc(g.clusters, func(c string) bool { ok, _ := path.Match(word, c); return ok }) {
		return "", ""
	}
	return "no cluster is called like " + quote(word), "the clusters are " + list(g.clusters)
}

// strange finds characters that look like others, and Slack's own marks.
func strange(word string) (says, help string) {
	if strings.HasPrefix(word, "<") && strings.HasSuffix(word, ">") {
		return "a mention or a link cannot stand in a command", "write names as plain text"
	}
	for _, r := range word {
		if r < utf8.RuneSelf {
			continue
		}
		says = fmt.Sprintf("%s has the character %q (%U), which no name has", quote(word), r, r)
		if plain, ok := lookalike(r); ok {
			return says, fmt.Sprintf("it only looks like %q: type the word instead of pasting it", plain)
		}
		return says, "a name is written in plain letters: type the word instead of pasting it"
	}
	return "", ""
}

func isApp(s string) bool {
	ns, name, ok := strings.Cut(s, "/")
	if !ok {
		return isName(s)
	}
	return isLabel(ns) && isName(name)
}

// isName is a DNS-1123 subdomain.
func isName(s string) bool {
	if len(s) > maxName {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

// isLabel is a DNS-1123 label.
func isLabel(s string) bool {
	return s != "" && len(s) <= maxLabel && s[0] != '-' && s[len(s)-1] != '-' && only(s, func(c byte) bool { return lower(c) || digit(c) || c == '-' })
}

func isGlob(s string) bool {
	if s == "" || len(s) > maxName || strings.Count(s, "/") > 1 {
		return false
	}
	_, err := path.Match(s, "")
	return err == nil && only(s, func(c byte) bool { return lower(c) || digit(c) || strings.IndexByte("-.*?[]^/", c) >= 0 })
}

// isVersion is a tag or chart version, a digest, or a tag with a digest.
func isVersion(s string) bool {
	if isDigest(s) {
		return true
	}
	if tag, digest, ok := strings.Cut(s, "@"); ok {
		return isTag(tag) && isDigest(digest)
	}
	tag, build, ok := strings.Cut(s, "+")
	return isTag(tag) && (!ok || isBuild(build))
}

func isTag(s string) bool {
	return s != "" && len(s) <= maxTag && s[0] != '.' && s[0] != '-' &&
		only(s, func(c byte) bool { return letter(c) || digit(c) || c == '_' || c == '.' || c == '-' })
}

func isBuild(s string) bool {
	return s != "" && len(s) <= maxTag && only(s, func(c byte) bool { return letter(c) || digit(c) || c == '.' || c == '-' })
}

func isDigest(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	return ok && len(hex) == 64 && only(hex, func(c byte) bool { return digit(c) || c >= 'a' && c <= 'f' })
}

func isJob(s string) bool {
	return len(s) >= 4 && len(s) <= 16 && only(s, func(c byte) bool { return lower(c) || digit(c) })
}

// isGate is one or more gates, each once.
func isGate(s string) bool {
	seen := map[string]bool{}
	for name := range strings.SplitSeq(s, ",") {
		if seen[name] || name != "freeze" && name != "hold" && name != "approval" {
			return false
		}
		seen[name] = true
	}
	return true
}

func only(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) bool  { return c >= 'a' && c <= 'z' }
func letter(c byte) bool { return lower(c) || c >= 'A' && c <= 'Z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }
