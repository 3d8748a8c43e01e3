package oracle

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Occurrence is a place where a version's text stands in a file.
type Occurrence struct {
	File   string
	Line   int // from 1
	Column int // in bytes, from 1
	offset int
	text   string // as it stands there
}

// String returns "file:line:column".
func (o Occurrence) String() string { return fmt.Sprintf("%s:%d:%d", o.File, o.Line, o.Column) }

// occurrences finds a version's text in what any cluster reads: whole words alone, and for a number also other ways to
// write it (1.10 is 1.1 to YAML).
func (repo *Repo) occurrences(version string) []Occurrence {
	var out []Occurrence
	for _, file := range repo.files() {
		if found := find(file, repo.Tree[file], version); len(found) > 0 && !sealed.Match(repo.Tree[file]) {
			out = append(out, found...)
		}
	}
	return out
}

var number = regexp.MustCompile(`[0-9][0-9a-zA-Z_.+-]*`)

func find(file string, content []byte, version string) []Occurrence {
	if version == "" {
		return nil
	}
	wide := bytes.HasPrefix(content, []byte{0xff, 0xfe})
	needle := []byte(version)
	if wide {
		needle = utf16le(version)
	}
	var out []Occurrence
	for from := 0; ; {
		i := bytes.Index(content[from:], needle)
		if i < 0 {
			break
		}
		i += from
		from = i + 1
		if wide || whole(content, i, i+len(needle)) {
			out = append(out, occurrence(file, content, i, version, wide))
		}
	}
	value, err := strconv.ParseFloat(version, 64)
	if err != nil || wide {
		return out
	}
	for _, span := range number.FindAllIndex(content, -1) {
		word := string(content[span[0]:span[1]])
		if word == version {
			continue
		}
		if other, err := strconv.ParseFloat(strings.ReplaceAll(word, "_", ""), 64); err == nil && other == value {
			out = append(out, occurrence(file, content, span[0], word, false))
		}
	}
	slices.SortFunc(out, func(a, b Occurrence) int { return cmp.Compare(a.offset, b.offset) })
	return out
}

// whole says whether a text stands alone, and is not part of a longer version.
func whole(content []byte, from, to int) bool {
	letter := func(i int) bool {
		if i < 0 || i >= len(content) {
			return false
		}
		c := content[i]
		return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
	}
	if letter(from-1) || letter(to) {
		return false
	}
	if from > 1 && content[from-1] == '.' && letter(from-2) {
		return false
	}
	return to >= len(content) || !strings.ContainsRune(".-+", rune(content[to])) || !letter(to+1)
}

func occurrence(file string, content []byte, offset int, text string, wide bool) Occurrence {
	before := content[:offset]
	eol := []byte("\n")
	if wide {
		eol = utf16le("\n")
	}
	start := bytes.LastIndexByte(before, '\n') + 1
	return Occurrence{File: file, Line: bytes.Count(before, eol) + 1, Column: offset - start + 1, offset: offset, text: text}
}

func utf16le(s string) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return out
}

// other is a version of the same type that is not that one: the last digit is another.
func other(version string) string {
	if version == "*" {
		return "9.9.9"
	}
	name, digest, found := strings.Cut(version, "@")
	if found {
		return other(name) + "@" + digest
	}
	i := strings.LastIndexAny(version, "0123456789")
	if i < 0 {
		return version + "9"
	}
	d := version[i] + 1
	if version[i] == '9' {
		d = '8'
	}
	return version[:i] + string(d) + version[i+1:]
}

// probe changes one occurrence and says what moves. It is remembered.
func (repo *Repo) probe(o Occurrence) *Moved {
	key := fmt.Sprintf("%s:%d:%s", o.File, o.offset, o.text)
	if m, ok := repo.probes[key]; ok {
		return m
	}
	repo.made++
	m := repo.moves(Change{o.File: repo.changed(o)})
	repo.probes[key] = m
	return m
}

func (repo *Repo) changed(o Occurrence) []byte {
	content, old, value := repo.Tree[o.File], []byte(o.text), []byte(other(o.text))
	if bytes.HasPrefix(content, []byte{0xff, 0xfe}) {
		old, value = utf16le(o.text), utf16le(other(o.text))
	}
	return slices.Concat(content[:o.offset], value, content[o.offset+len(old):])
}

// at says whether the change moves a field.
func (m *Moved) at(cluster, key, path string) bool {
	for _, p := range m.objects[cluster][key] {
		if p == path || strings.HasPrefix(path, p+"/") || strings.HasPrefix(p, path+"/") {
			return true
		}
	}
	return false
}

// others are the apps that the change moves besides one.
func (m *Moved) others(p Pair) []Pair {
	var out []Pair
	for q := range m.apps {
		if q != p {
			out = append(out, q)
		}
	}
	slices.SortFunc(out, func(a, b Pair) int { return strings.Compare(a.String(), b.String()) })
	return out
}

// Site is an occurrence that moves a field of an app.
type Site struct {
	Occurrence
	Others []Pair // apps that it moves too
}

// most is how many occurrences of a version are tried for one pair.
const most = 100

// sites tries each occurrence of a field's version, the likely ones first, and gives up after most; cut says how many
// were not tried. If one is enough, it ends at the first that moves nothing else.
func (repo *Repo) sites(app App, f Field, one bool) (out []Site, cut int) {
	c := repo.cluster(app.Cluster)
	near := c.nodes[c.from[app.key]].unit.read
	for _, text := range spellings(f.Version) {
		found := repo.occurrences(text)
		slices.SortStableFunc(found, func(a, b Occurrence) int {
			return cmp.Compare(repo.unlikely(near, a), repo.unlikely(near, b))
		})
		if len(found) > most {
			cut += len(found) - most
			found = found[:most]
		}
		for _, o := range found {
			m := repo.probe(o)
			if m.broken != "" || !m.at(app.Cluster, f.Object, f.Path) {
				continue
			}
			out = append(out, Site{o, m.others(app.Pair)})
			if one && len(out[len(out)-1].Others) == 0 {
				return out, cut
			}
		}
		if len(out) > 0 {
			return out, cut
		}
	}
	return out, cut
}

var versionKey = regexp.MustCompile(`(?i)tag|version|image|semver|digest|value`)

// unlikely is higher for places that are rarely the one: files that the app's Kustomization does not read, comments, keys
// that say nothing of versions. It decides the order alone.
func (repo *Repo) unlikely(near map[string]bool, o Occurrence) int {
	n := 0
	if !near[o.File] {
		n += 4
	}
	line := bytes.TrimSpace(lineAt(repo.Tree[o.File], o.offset))
	if bytes.HasPrefix(line, []byte("#")) {
		n += 2
	}
	if !versionKey.Match(line) {
		n++
	}
	return n
}

// spellings are the texts to look for: the version, and if that is nowhere its parts, for a template may join them.
func spellings(version string) []string {
	out := []string{version}
	add := func(s string) {
		if len(s) > 1 && strings.ContainsAny(s, "0123456789") && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	add(strings.TrimPrefix(version, "v"))
	name, _, _ := strings.Cut(version, "@")
	add(name)
	for _, part := range strings.Split(name, "-") {
		add(part)
	}
	return out
}
