package delivery

import (
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"

	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// reference is an image reference in parts. Tag and digest may be empty.
type reference struct{ repository, tag, digest string }

// parseReference splits "host:port/name:tag@digest".
func parseReference(s string) reference {
	r := reference{repository: s}
	if before, digest, ok := strings.Cut(s, "@"); ok {
		r.repository, r.digest = before, digest
	}
	slash := strings.LastIndexByte(r.repository, '/')
	if colon := strings.LastIndexByte(r.repository, ':'); colon > slash {
		r.repository, r.tag = r.repository[:colon], r.repository[colon+1:]
	}
	return r
}

// version is the part of a reference that people promote.
func (r reference) version() string {
	switch {
	case r.tag != "" && r.digest != "":
		return r.tag + "@" + r.digest
	case r.digest != "":
		return r.digest
	}
	return r.tag
}

// with returns the reference with another version, as it is written.
func (r reference) with(version string) string {
	if isDigest(version) {
		return r.repository + "@" + version
	}
	return r.repository + ":" + version
}

func isDigest(v string) bool { return strings.HasPrefix(v, "sha256:") }

// splitVersion splits "tag@digest", "tag" or "digest".
func splitVersion(v string) (tag, digest string) {
	if isDigest(v) {
		return "", v
	}
	tag, digest, _ = strings.Cut(v, "@")
	return tag, digest
}

var imageVersion = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[0-9a-f]{64})?|sha256:[0-9a-f]{64})$`)

// exactChart reports whether a chart version names one version; everything else
// is a range to Flux, "6.5" too.
func exactChart(v string) bool {
	_, err := semver.StrictNewVersion(strings.TrimPrefix(v, "v"))
	return err == nil
}

// checkWanted refuses a version that cannot stand in a field of a kind.
func checkWanted(kind deploy.FieldKind, v deploy.Version) error {
	w := string(v)
	switch {
	case kind == deploy.FieldChart && !exactChart(w):
		return fault.Newf(fault.Invalid, "`%s` is not the exact version of a chart", w).
			WithHelp("write all three numbers, as the chart is published, such as 6.5.4")
	case kind == deploy.FieldImage && !imageVersion.MatchString(w):
		return fault.Newf(fault.Invalid, "`%s` is not an image tag or digest", w).
			WithHelp("write a tag (6.5.4), a digest (sha256:…) or both (6.5.4@sha256:…)")
	case w == "latest":
		return fault.New(fault.Refused, "`latest` names no version: what it is changes without a commit", "name a tag or a digest")
	}
	return nil
}

// checkSwap refuses what would leave a tag and a digest that do not belong
// together, and what has no exact version now; where told to, a range is
// replaced by an exact version.
func checkSwap(f field, wanted string, c deploy.Change) error {
	tag, digest := splitVersion(wanted)
	haveTag, haveDigest := splitVersion(f.version)
	where := "`" + f.version + "` in " + f.object.String()
	switch {
	case f.ranged && !c.Pin:
		return fault.Newf(fault.Refused, "%s %s follows a range: Flux picks its version, not Git", f.object.Kind, f.object.Name).
			WithHelp("Git holds `%s`; `pin` at the end puts exactly `%s` there", f.version, wanted).WithCode(Range)
	case f.ranged:
		return nil
	case haveTag == "latest" && haveDigest == "":
		return fault.Newf(fault.Refused, "%s %s runs `latest`, which names no version", f.object.Kind, f.object.Name).
			WithHelp("write a tag or a digest into Git first; then ferry can promote it").WithCode(Range)
	case f.kind != deploy.FieldImage && f.pairedDigest == "" && haveDigest == "":
		return nil
	case haveTag == "" && digest == "":
		return fault.Newf(fault.Refused, "Git holds a digest there (%s), not a tag", where).
			WithHelp("give a digest, or write the tag in its place by hand once").WithCode(Digested)
	case c.TagOnly && haveTag != "" && tag != "" && digest == "":
		return nil
	case f.pairedDigest != "" || (haveDigest != "" && digest == ""):
		err := fault.Newf(fault.Refused, "%s %s is at a digest: a new tag alone would change nothing", f.object.Kind, f.object.Name).
			WithHelp("give both, such as `%s@sha256:…`, where they stand in one field", orTag(tag)).WithCode(Digested)
		if tag == "" || c.TagOnly {
			return err
		}
		c.TagOnly = true
		err.Help += "\n`tag-only` takes the digest away"
		return err.WithChoices(promoteText(c, string(c.Version)))
	case haveDigest == "" && tag == "":
		return fault.Newf(fault.Refused, "Git holds a tag there (%s), not a digest", where).WithHelp("give a tag, or tag and digest: 6.5.4@sha256:…")
	case haveTag != "" && tag == "":
		return fault.Newf(fault.Refused, "Git holds a tag and a digest there (%s): a digest alone would leave the old tag beside it", where).
			WithHelp("give both: tag@sha256:…")
	}
	return nil
}

func orTag(tag string) string {
	if tag == "" {
		return "tag"
	}
	return tag
}
