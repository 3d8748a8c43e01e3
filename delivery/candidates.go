package delivery

import (
	"bytes"
	"errors"
	"path"
	"strconv"
	"strings"

	"ferry/delivery/yamledit"
	"ferry/internal/deploy"
)

// candidate is a scalar that may be the one.
type candidate struct {
	file, doc, path string
	docIndex        int
	key             string
	marker          string // the comment beside it
	score           int
	env             bool // a line of a KEY=value file
	edit            func() ([]byte, yamledit.Edit, error)
}

func (c candidate) name() string { return c.file + " " + c.doc + " " + c.path }

// mayHold reports whether a file can hold a version: the part of it that must
// stand there as it is.
func mayHold(data []byte, version string) bool {
	part, digest := splitVersion(version)
	if part == "" {
		part = digest
	} else if strings.Trim(part, "0123456789.") == "" && strings.Count(part, ".") <= 1 { // may be a number, written differently
		part = part[:1]
	}
	if bytes.Contains(data, []byte(part)) || bytes.Contains(data, []byte("postBuild:")) || bytes.Contains(data, []byte("kind: ConfigMap")) {
		return true // or a variable that is a part of it
	}
	// UTF-16 has a zero byte beside each of them.
	return len(data) > 1 && (data[0] == 0xff && data[1] == 0xfe || data[0] == 0xfe && data[1] == 0xff)
}

// candidatesIn lists the scalars of a file that may hold the version; blocked
// says why the file cannot be looked into.
func candidatesIn(file string, before []byte, f field, wanted string) (out []candidate, blocked string) {
	if out, blocked, ok := envCandidates(file, before, f, wanted); ok {
		return out, blocked
	}
	y, err := yamledit.Parse(before)
	switch {
	case errors.Is(err, yamledit.ErrEncoding):
		return nil, "is not UTF-8"
	case err != nil:
		return nil, "" // no manifest, or one that does not render either
	}
	if y.Encrypted() {
		return nil, encryptedFor(y, f)
	}
	add := func(s yamledit.Scalar, inner string, score int, edit func() ([]byte, yamledit.Edit, error)) {
		out = append(out, candidate{
			file: file, doc: strconv.Itoa(s.Doc), docIndex: s.Doc, path: s.Path + inner, key: s.Key, marker: s.Marker(), score: score, edit: edit,
		})
	}
	for _, s := range y.Scalars() {
		if value, ok := swap(s.Value, f, wanted); ok {
			add(s, "", likely(y, s, f), func() ([]byte, yamledit.Edit, error) { return y.Replace(s, value) })
			continue
		}
		if value, ok := swapJoined(s.Value, f.version, wanted); ok && variable(s.Path) {
			add(s, "", likely(y, s, f)-5, func() ([]byte, yamledit.Edit, error) { return y.Replace(s, value) })
			continue
		}
		if !mayHold([]byte(s.Value), f.version) || !holdsYAML(s.Value) {
			continue
		}
		inside, err := y.Inside(s)
		if err != nil {
			continue
		}
		for _, inner := range inside.Scalars() {
			if value, ok := swap(inner.Value, f, wanted); ok {
				add(s, "\x00"+inner.Path, likely(y, s, f)+likely(inside, inner, f), func() ([]byte, yamledit.Edit, error) {
					return y.ReplaceInside(s, inside, inner, value)
				})
			}
		}
	}
	return out, ""
}

// variable reports whether a scalar may be the value of a variable.
func variable(pointer string) bool {
	return strings.HasPrefix(pointer, "/spec/postBuild/substitute/") || strings.HasPrefix(pointer, "/data/") || strings.HasPrefix(pointer, "/spec/inputs/")
}

const sealedFile = "is encrypted with SOPS, whose seal an edit would break"

// encryptedFor says so if the version stands in the open part of an encrypted
// file.
func encryptedFor(y *yamledit.File, f field) string {
	for _, s := range y.Scalars() {
		if _, ok := swap(s.Value, f, "x"); ok && !strings.HasPrefix(s.Path, "/sops/") {
			return sealedFile
		}
	}
	return ""
}

// likely scores a candidate by what stands near it. It orders the probes and
// decides nothing.
func likely(y *yamledit.File, s yamledit.Scalar, f field) int {
	score := 0
	if strings.HasSuffix(f.path, "/"+s.Key) || s.Key == "newTag" {
		score++
	}
	if f.repository != "" && parseReference(s.Value).repository == f.repository {
		score += 4
	}
	folder := s.Path[:strings.LastIndexByte(s.Path, '/')+1]
	for _, o := range y.Scalars() {
		switch {
		case o.Doc != s.Doc:
		case o.Path == "/metadata/name" && o.Value == f.object.Name:
			score += 3
		case strings.HasPrefix(o.Path, folder) && (o.Value == f.object.Name || (f.repository != "" && path.Base(o.Value) == path.Base(f.repository))):
			score += 2
		}
	}
	return score
}

func holdsYAML(s string) bool {
	t := strings.TrimSpace(s)
	return strings.ContainsAny(t, "\n[{") || strings.Contains(t, ": ")
}

// swap returns a scalar's value with the wanted version in place of the present
// one; ok is false if it does not hold that.
func swap(value string, f field, wanted string) (string, bool) {
	trimmed := strings.TrimRight(value, "\n")
	tail := value[len(trimmed):]
	if trimmed == f.version || sameNumber(trimmed, f.version) {
		return wanted + tail, true
	}
	if strings.ContainsAny(trimmed, " \t\n") {
		return "", false
	}
	if out, ok := swapPart(trimmed, f.version, wanted); ok {
		return out + tail, true
	}
	if f.kind == deploy.FieldChart {
		return "", false
	}
	ref := parseReference(trimmed)
	if ref.repository == "" {
		return "", false
	}
	if ref.version() == f.version {
		return ref.with(wanted) + tail, true
	}
	return swapHalf(trimmed, ref, f, wanted, tail)
}

// swapPart is for a version that stands in a part of a scalar: as a variable's
// default (${TAG:=1.2.3}), or as a generator's literal (TAG=1.2.3).
func swapPart(value, version, wanted string) (string, bool) {
	for _, sign := range []string{":=", ":-"} {
		if before, after, ok := strings.Cut(value, sign+version+"}"); ok && strings.Contains(before, "${") {
			return before + sign + wanted + "}" + after, true
		}
	}
	name, is := strings.CutSuffix(value, "="+version)
	if is && name != "" && !strings.ContainsAny(name, "${}:/") {
		return name + "=" + wanted, true
	}
	return "", false
}

// swapJoined is for a variable whose value is joined with other text (v${TAG}):
// what is wanted must have the same text around it.
func swapJoined(value, version, wanted string) (string, bool) {
	before, after, ok := strings.Cut(version, value)
	if !ok || len(value) < 2 || before+after == "" || !strings.ContainsAny(value, "0123456789") {
		return "", false
	}
	out, okBefore := strings.CutPrefix(wanted, before)
	out, okAfter := strings.CutSuffix(out, after)
	return out, okBefore && okAfter && out != ""
}

// swapHalf is for a tag and a digest that stand in scalars of their own and are
// rendered as one reference: each is a candidate by itself.
func swapHalf(value string, ref reference, f field, wanted, tail string) (string, bool) {
	tag, digest := splitVersion(f.version)
	wantTag, wantDigest := splitVersion(wanted)
	if tag == "" || digest == "" {
		return "", false
	}
	switch {
	case value == tag && wantTag != "" && wantTag != tag:
		return wantTag + tail, true
	case value == digest && wantDigest != "" && wantDigest != digest:
		return wantDigest + tail, true
	case ref.tag == tag && ref.digest == "" && wantTag != "" && wantTag != tag:
		return ref.repository + ":" + wantTag + tail, true
	}
	return "", false
}

// sameNumber reports whether one text is the other as a number, which is how an
// unquoted 1.10 is rendered.
func sameNumber(source, rendered string) bool {
	if !strings.Contains(source, ".") || !strings.HasSuffix(source, "0") {
		return false
	}
	return strings.Count(source, ".") == 1 && strings.Trim(source, "0123456789.") == "" &&
		strings.TrimSuffix(strings.TrimRight(source, "0"), ".") == rendered
}
