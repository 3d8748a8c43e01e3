package delivery

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"ferry/internal/deploy"
)

// Wording are the templates of what commits and pull requests say, over
// deploy.MessageFields. One that is nil, fails or says nothing leaves it at the
// usual words; Title and Text at those of the commit.
type Wording struct{ Subject, Body, Title, Text *template.Template }

// message is what a commit or a pull request says. The trailers are ferry's own,
// and nothing above them can be taken for one: neither by git, nor by ferry when
// it looks for a job, nor by whoever reads co-authors.
type message struct{ subject, text, trailers string }

// body is what stands below the subject. The trailers are its last paragraph, of
// all changes together: git reads no other.
func (m message) body() string {
	if m.text == "" {
		return m.trailers
	}
	return m.text + "\n\n" + m.trailers
}

// How long the parts of a message are. A usual subject is what every tool shows
// whole; what a template made longer stays, up to what GitHub takes as a title.
const (
	usualSubject   = 72
	longestSubject = 250
	longestText    = 20_000
)

// message is what the commit of some changes says.
func (d *Delivery) message(all []*intent) message {
	f := fieldsOfAll(all)
	w := d.o.Wording
	return message{
		subject: cmp.Or(cut(oneLine(d.words(w.Subject, f)), longestSubject), cut(oneLine(subject(f)), usualSubject)),
		text:    cmp.Or(prose(d.words(w.Body, f)), prose(strings.Join(f.Edits, "\n"))), trailers: trailers(all),
	}
}

// pullMessage is what the pull request of some changes says.
func (d *Delivery) pullMessage(all []*intent) message {
	f, m := fieldsOfAll(all), d.message(all)
	m.subject = cmp.Or(cut(oneLine(d.words(d.o.Wording.Title, f)), longestSubject), m.subject)
	m.text = cmp.Or(prose(d.words(d.o.Wording.Text, f)), m.text)
	return m
}

// words executes a template. Templates were tried when the configuration was
// read: what fails here depends on a single value, and costs no promotion.
func (d *Delivery) words(t *template.Template, f deploy.MessageFields) string {
	if t == nil {
		return ""
	}
	var b strings.Builder
	if err := t.Execute(&b, f); err != nil {
		d.log.Warn("a configured message fails, the usual words take its place", "job", f.Job, "error", err)
		return ""
	}
	return b.String()
}

// subject is the usual one.
func subject(f deploy.MessageFields) string {
	if f.Count == 1 && f.Command == "unpin" {
		return fmt.Sprintf("unpin %s on %s", f.App, f.Cluster)
	}
	if f.Count == 1 {
		return fmt.Sprintf("%s %s to %s on %s", cmp.Or(f.Command, "promote"), f.App, f.To, f.Cluster)
	}
	var apps, versions []string
	for _, c := range f.Changes {
		apps, versions = append(apps, c.Namespace+"/"+c.App), append(versions, c.To)
	}
	slices.Sort(apps)
	slices.Sort(versions)
	if apps = slices.Compact(apps); len(apps) == 1 && len(slices.Compact(versions)) == 1 {
		return fmt.Sprintf("promote %s to %s on %s", f.App, f.To, f.Cluster)
	}
	return fmt.Sprintf("promote %d apps on %s", len(apps), f.Cluster)
}

// fieldsOfAll is what there is to say of some changes. What people, clusters and
// files give goes through line: no value is more than one line.
func fieldsOfAll(all []*intent) deploy.MessageFields {
	f := deploy.MessageFields{Count: len(all)}
	for _, in := range all {
		c := fieldsOfOne(in.plan, in.by)
		f.Changes = append(f.Changes, c)
		f.Files, f.Edits = append(f.Files, c.Files...), append(f.Edits, c.Edits...)
	}
	slices.Sort(f.Files)
	f.Files = slices.Compact(f.Files)
	f.Cluster = values(f.Changes, func(c deploy.ChangeFields) string { return c.Cluster })
	f.Command = values(f.Changes, func(c deploy.ChangeFields) string { return c.Command })
	f.App = values(f.Changes, func(c deploy.ChangeFields) string { return c.App })
	f.Namespace = values(f.Changes, func(c deploy.ChangeFields) string { return c.Namespace })
	f.From = values(f.Changes, func(c deploy.ChangeFields) string { return c.From })
	f.To = values(f.Changes, func(c deploy.ChangeFields) string { return c.To })
	f.Field = values(f.Changes, func(c deploy.ChangeFields) string { return c.Field })
	f.Requester = values(f.Changes, func(c deploy.ChangeFields) string { return c.Requester })
	f.Job = values(f.Changes, func(c deploy.ChangeFields) string { return c.Job })
	return f
}

func fieldsOfOne(p deploy.Plan, by deploy.Authorship) deploy.ChangeFields {
	t := p.Change.Target
	c := deploy.ChangeFields{
		Command: line(by.Command), App: line(t.App.Name), Namespace: line(t.App.Namespace), Cluster: line(string(t.Cluster)),
		From: line(string(p.From)), To: line(string(p.Change.Version)), Field: line(string(p.Site.Field)),
		Requester: line(cmp.Or(by.Name, by.Requester)), Job: line(by.Job),
	}
	for _, more := range p.Change.With {
		c.Cluster += ", " + line(fellowText(t, more))
	}
	for _, e := range p.Edits {
		file := line(e.File)
		if !slices.Contains(c.Files, file) {
			c.Files = append(c.Files, file)
		}
		does := fmt.Sprintf("%s becomes %s", line(e.Before), line(e.After))
		switch {
		case e.Suspends != (deploy.Ref{}):
			does = line(e.Suspends.String()) + " is suspended"
		case p.Change.Unpin:
			does = fmt.Sprintf("the pin of %s goes, which holds what the base does", c.Cluster)
		case e.Before == "":
			does = "a pin for " + c.Cluster
		case e.After == "":
			does = line(e.Before) + " goes"
		}
		c.Edits = append(c.Edits, fmt.Sprintf("%s:%d: %s", file, e.Line, does))
	}
	slices.Sort(c.Files)
	return c
}

// values are the different values of a field, sorted.
func values(all []deploy.ChangeFields, of func(deploy.ChangeFields) string) string {
	var out []string
	for _, c := range all {
		if v := of(c); v != "" {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ", ")
}

// trailers are those of all changes: a block each, which begins with its job, and
// below them everybody who asked, once.
func trailers(all []*intent) string {
	var b strings.Builder
	for _, in := range all {
		p, by := in.plan, in.by
		t := p.Change.Target
		var with []string
		for _, more := range p.Change.With {
			with = append(with, more.String())
		}
		for _, trailer := range [][2]string{
			{TrailerJob, by.Job},
			{TrailerApp, t.App.String()},
			{TrailerCluster, string(t.Cluster)},
			{TrailerWith, strings.Join(with, ", ")},
			{TrailerFrom, string(p.From)},
			{TrailerVersion, string(p.Change.Version)},
			{TrailerRequester, strings.TrimSpace(by.Requester + " " + by.Name)},
			{TrailerApprovers, approvers(by.Approvers)},
			{TrailerGlass, by.Glass},
			{TrailerWave, wave(by.Job, by.Wave)},
		} {
			if v := line(trailer[1]); v != "" {
				fmt.Fprintf(&b, "%s: %s\n", trailer[0], v)
			}
		}
	}
	return b.String() + coAuthors(all)
}

// approvers joins them so that no name can be taken for another one's.
func approvers(all []string) string {
	var out []string
	for _, one := range all {
		out = append(out, strings.ReplaceAll(one, ",", " "))
	}
	return strings.Join(out, ", ")
}
