package oracle

import (
	"bytes"
	"regexp"
	"strings"
)

// own are the places in Helm values where a chart puts the image of the app itself.
var own = regexp.MustCompile(`^(/spec/values|/data/[^/]+)(/[^/]*[iI]mage(/tag)?|/controllers/[^/]+/(containers/[^/]+/)?image/tag|/image/[^/]+/tag)$`)

// main are the fields that can be the app's version: the chart's, and the first image if it is the app's own.
func (c *Cluster) main(app App) []Field {
	var out []Field
	for _, f := range c.fields(app) {
		switch {
		case f.Kind == "chart":
			out = append(out, f)
		case app.Kind != "HelmRelease" || own.MatchString(f.Path) || strings.Contains(f.Path, "/"+app.Name+"/"):
			return append(out, f)
		}
	}
	return out
}

// undecided says whether an app has several images and nothing says which is its own: neither is it the only one beside
// init containers, nor does its controller or container, alone, have the app's name.
func (c *Cluster) undecided(app App) bool {
	var all, named int
	for _, f := range c.fields(app) {
		if f.Kind != "image" || strings.Contains(f.Path, "/initContainers/") {
			continue
		}
		all++
		if f.Container == app.Name || strings.Contains(f.Path, "/"+app.Name+"/") {
			named++
		}
	}
	return all > 1 && named != 1
}

// choose is the rule: a tag with an $imagepolicy marker wins; a library chart, or none of a version, means the image;
// else the chart's version. "" where there is neither.
func (repo *Repo) choose(app App) (Field, bool) {
	c := repo.cluster(app.Cluster)
	fields := c.fields(app)
	for _, f := range fields {
		if f.Kind == "image" && repo.marked(app, f) {
			return f, true
		}
	}
	fields = c.main(app)
	if len(fields) == 0 {
		return Field{}, false
	}
	if f := fields[0]; f.Kind == "chart" && f.Library && len(fields) > 1 {
		return fields[1], true
	}
	return fields[0], true
}

// marked says whether image automation owns the place of a field.
func (repo *Repo) marked(app App, f Field) bool {
	for _, o := range repo.occurrences(f.Version) {
		line := lineAt(repo.Tree[o.File], o.offset)
		if bytes.Contains(line, []byte("$imagepolicy")) && repo.probe(o).at(app.Cluster, f.Object, f.Path) {
			return true
		}
	}
	return false
}

func lineAt(content []byte, offset int) []byte {
	start := bytes.LastIndexByte(content[:offset], '\n') + 1
	if end := bytes.IndexByte(content[offset:], '\n'); end >= 0 {
		return content[start : offset+end]
	}
	return content[start:]
}

// judgeChoice says what the rule chooses, "" if that is what was chosen or there is nothing to choose from. Beside a
// range of chart versions an image is as good a choice: what runs is not in the range's text.
func (repo *Repo) judgeChoice(app App, claim Claim) string {
	f, ok := repo.choose(app)
	switch {
	case claim.Field == "image" && app.Kind == "HelmRelease" && strings.Contains(claim.Path, "/initContainers/") && f.Path != claim.Path:
		return "anything but an init container's image"
	case !ok || f.Kind == claim.Field || f.Kind == "chart" && strings.ContainsAny(f.Version, "*xX^~<>=| "):
		return ""
	}
	return f.Kind + " " + f.Version + " at " + f.Path
}
