package registry

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"ferry/internal/deploy"
	"ferry/internal/near"
)

// signature is what cosign and its like keep beside an image, as a tag.
var signature = regexp.MustCompile(`^sha256-[0-9a-f]{64}`)

// exact reports whether a chart version names one version; everything else is a
// range to Flux, "6.5" too.
func exact(version string) bool {
	_, err := semver.StrictNewVersion(strings.TrimPrefix(version, "v"))
	return err == nil
}

// same reports whether two versions are one to Flux: it reads what it is asked
// for as a constraint, to which "v" and build metadata make no difference.
func same(a, b string) bool {
	if a == b {
		return true
	}
	x, err := semver.NewVersion(a)
	if err != nil {
		return false
	}
	y, err := semver.NewVersion(b)
	return err == nil && x.Equal(y)
}

// nearest returns at most n of the known versions that somebody may have meant
// by one that is not among them. Of versions: the same number written otherwise,
// then those of the same kind (no pre-releases unless one was asked for, as many
// numbers), of these the same series first, and the newest first within it. Of
// other names: those few edits apart, then those with the longest common start.
func nearest(asked string, known []string, n int) []string {
	known = slices.DeleteFunc(slices.Clone(known), func(s string) bool { return s == "latest" || signature.MatchString(s) || !deploy.Word(s) })
	v, err := semver.NewVersion(asked)
	if err != nil {
		return alike(asked, known, n)
	}
	type candidate struct {
		text     string
		version  *semver.Version
		distance int
	}
	var all []candidate
	for _, text := range known {
		if other, err := semver.NewVersion(text); err == nil {
			all = append(all, candidate{text, other, distance(asked, text, v, other)})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), b.version.Compare(a.version), cmp.Compare(a.text, b.text))
	})
	out := make([]string, 0, n)
	for _, c := range all[:min(n, len(all))] {
		out = append(out, c.text)
	}
	return out
}

// distance orders by what two versions have in common, the weightiest first.
func distance(asked, text string, a, b *semver.Version) int {
	d := 0
	if !a.Equal(b) {
		d += 100
	}
	if flavour(a) != flavour(b) {
		d += 20
	}
	if numbers(asked) != numbers(text) {
		d += 10
	}
	switch {
	case a.Major() != b.Major():
		d += 2
	case a.Minor() != b.Minor():
		d++
	}
	return d
}

// flavour is a pre-release without its digits: "-alpine", "debian--r", "rc.".
func flavour(v *semver.Version) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, v.Prerelease())
}

// numbers counts those that a version is written with: of 6, 6.5 and 6.5.4 the
// first two are likely to move.
func numbers(text string) int {
	if i := strings.IndexAny(text, "-+"); i >= 0 {
		text = text[:i]
	}
	return strings.Count(text, ".")
}

func alike(asked string, known []string, n int) []string {
	const start = 3 // letters in common that are no accident
	out := near.Names(asked, known, n)
	rest := slices.DeleteFunc(known, func(s string) bool { return common(asked, s) < start || slices.Contains(out, s) })
	slices.SortFunc(rest, func(a, b string) int {
		return cmp.Or(cmp.Compare(common(asked, b), common(asked, a)), cmp.Compare(b, a))
	})
	return append(out, rest[:min(n-len(out), len(rest))]...)
}

// common is the length of the common start of two texts.
func common(a, b string) int {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	return i
}
