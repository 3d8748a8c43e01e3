package config

import (
	"reflect"
	"strings"
	"testing"

	"ferry/internal/deploy"
)

// withRepo loads a configuration whose repo has some lines more, which start on
// line 6.
func withRepo(t *testing.T, lines string) (*Config, error) {
	t.Helper()
	return Load(write(t, "clusters: {prod: {file: KUBECONFIG}}\nnamespaces: [a]\nrepo:\n  owner: o\n  name: n\n"+lines), tokens, changing...)
}

func TestTemplates(t *testing.T) {
	c, err := withRepo(t, `  commit:
    subject: "{{.Command}}({{.Cluster}}): {{.App}} {{with .From}}{{.}} → {{end}}{{.To}}{{if gt .Count 3}} and {{(index .Changes 3).App}}{{end}}"
    body: |
      {{range $i, $c := .Changes}}{{if eq $c.Field "chart"}}chart of {{end}}{{$c.Namespace}}/{{$.App}}{{else}}nothing{{end}}
      {{join .Files ", "}}{{range .Edits}}
      - {{.}}{{end}}
  pull_requests: {title: "[{{.Cluster | upper}}] {{.App}}"}
`)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := c.Repo.Commit.Subject.Parse()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := parsed.Execute(&out, deploy.MessageFields{Command: "promote", Cluster: "prod", App: "web", To: "2", Count: 1}); err != nil || out.String() != "promote(prod): web 2" {
		t.Errorf("%q, %v", out.String(), err)
	}
	if none, err := c.Repo.PullRequests.Body.Parse(); none != nil || err != nil {
		t.Errorf("what was not written is %v, %v", none, err)
	}
}

// TestTemplateProblems has one thing wrong each, often where only some commits
// would get to.
func TestTemplateProblems(t *testing.T) {
	for text, want := range map[string]string{
		`{{.App`:           `:7: repo.commit.subject: this is no template: unclosed action; docs/configuration.md shows how one is written`,
		`{{.App | title}}`: `repo.commit.subject: this is no template: function "title" not defined`,
		`{{.Nope}}`:        `repo.commit.subject: there is no field .Nope; the fields are .Command, .App, `,
		`{{.Cluser}}`:      `repo.commit.subject: there is no field .Cluser; did you mean .Cluster?`,
		`{{if eq .Cluster "dev"}}{{.Vesion}}{{end}}`:  `there is no field .Vesion`,
		`{{or .App $.Ap}}`:                            `there is no field .Ap; did you mean .App?`,
		`{{(index .Changes 0).Apps}}`:                 `there is no field .Apps`,
		`{{range .Changes}}{{.Count}}{{end}}`:         `this template fails: <.Count>: can't evaluate field Count in type deploy.ChangeFields`,
		`{{if eq .App "x"}}{{.App.Job}}{{end}}`:       `this template fails: <.App.Job>: can't evaluate field Job in type string`,
		`{{with .App}}x{{else}}{{.App.Job}}{{end}}`:   `this template fails`,
		`{{range .Files}}{{else}}{{.To.Job}}{{end}}`:  `this template fails`,
		`{{range .Files}}{{break}}{{.App}}{{end}}`:    `this template fails`,
		`{{index .Changes 1}}`:                        `this template fails: <index .Changes 1>: error calling index: reflect: slice index out of range`,
		`{{slice .To 0 5}}`:                           `this template fails: <slice .To 0 5>: error calling slice: index out of range: 5`,
		`{{slice .From 0 1}}`:                         `this template fails: <slice .From 0 1>`,
		`{{range .Changes}}{{index .Files 0}}{{end}}`: `this template fails`,
		`{{if gt .Count 99}}x{{else}}{{end}}`:         `this template says nothing`,
		`{{if gt .App 3}}x{{end}}`:                    `this template fails`,
		`{{define "x"}}{{end}}a`:                      `define, block and template are not read here`,
		`{{template "message" .}}`:                    `define, block and template are not read here`,
		`{{/* nothing */}} `:                          `repo.commit.subject: this template says nothing; write a text, or take it out`,
	} {
		_, err := withRepo(t, "  commit:\n    subject: '"+strings.ReplaceAll(text, "'", "''")+"'\n")
		if !strings.Contains(message(err), want) || !strings.Contains(message(err), ":7: ") {
			t.Errorf("%s: %s", text, message(err))
		}
	}
	for key, lines := range map[string]string{
		"repo.commit.body":         "  commit: {body: '{{.No}}'}\n",
		"repo.pull_requests.title": "  pull_requests: {title: '{{.No}}'}\n",
		"repo.pull_requests.body":  "  pull_requests: {body: '{{.No}}'}\n",
	} {
		if _, err := withRepo(t, lines); !strings.Contains(message(err), key+": there is no field .No") {
			t.Errorf("%s: %s", key, message(err))
		}
	}
}

// TestSampleIsFull demands a value of every field in what templates are tried on.
func TestSampleIsFull(t *testing.T) {
	data := reflect.ValueOf(sample(1, "1"))
	for _, v := range []reflect.Value{data, data.FieldByName("Changes").Index(0)} {
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s.%s is empty", v.Type(), v.Type().Field(i).Name)
			}
		}
	}
	one := reflect.TypeFor[deploy.ChangeFields]()
	for i := range one.NumField() {
		all, ok := reflect.TypeFor[deploy.MessageFields]().FieldByName(one.Field(i).Name)
		if !ok || all.Type != one.Field(i).Type {
			t.Errorf("%s of one change is not there, or something else, of all", one.Field(i).Name)
		}
	}
}
