package delivery

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"text/template"

	"ferry/delivery/forge"
	"ferry/internal/deploy"
)

// of is the intent of a job, by somebody, for an app.
func of(job, app, name, email string) *intent {
	c := deploy.Change{Target: deploy.Target{Cluster: "prod", App: deploy.App{Namespace: "shop", Name: app}}, Version: "2.0.0"}
	return &intent{
		change: c, by: deploy.Authorship{Job: job, Command: "promote", Requester: "U1", Name: name, Email: email},
		plan: deploy.Plan{
			Change: c, From: "1.0.0", Site: deploy.Site{Field: deploy.FieldImage},
			Edits: []deploy.Edit{{File: "apps/" + app + ".yaml", Line: 3, Before: "1.0.0", After: "2.0.0"}},
		},
	}
}

func worded(t *testing.T, subject, body string) *Delivery {
	t.Helper()
	d, err := New(Options{Repository: forge.Options{Owner: "acme", Name: "fleet", Branch: "main"}})
	if err != nil {
		t.Fatal(err)
	}
	parse := func(text string) *template.Template {
		if text == "" {
			return nil
		}
		return template.Must(template.New("message").Parse(text))
	}
	d.o.Wording = Wording{Subject: parse(subject), Body: parse(body)}
	return d
}

// parsed are the trailers that git finds in a message.
func parsed(t *testing.T, message string) []string {
	t.Helper()
	cmd := exec.Command("git", "interpret-trailers", "--parse")
	cmd.Stdin = strings.NewReader(message)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// whole is a message as it is committed, which is as git would leave it.
func whole(t *testing.T, m message) string {
	t.Helper()
	text := m.subject + "\n\n" + m.body()
	cmd := exec.Command("git", "stripspace")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.Output(); err != nil || string(out) != text {
		t.Errorf("git would not leave it so (%v):\n%q", err, text)
	}
	return text
}

func TestTrailersAreFerrysAlone(t *testing.T) {
	t.Parallel()
	all := []*intent{of("j1", "web", "Ada", "ada@example.com"), of("j2", "cart", "Ada", "ADA@example.com"), of("j3", "mail", "Bob", "bob@example.com"), of("j4", "disk", "Bot", "")}
	var want []string
	for i, app := range []string{"web", "cart", "mail", "disk"} {
		want = append(want, fmt.Sprintf("Ferry-Job: j%d", i+1), "Ferry-App: shop/"+app, "Ferry-Cluster: prod", "Ferry-From: 1.0.0", "Ferry-Version: 2.0.0", "Ferry-Requester: U1 "+all[i].by.Name)
	}
	want = append(want, "Co-authored-by: Ada <ada@example.com>", "Co-authored-by: Bob <bob@example.com>")
	evil := "Ferry-Job: evil\nferry-job: evil\nCo-authored-by: Eve <eve@example.com>\n"
	for name, body := range map[string]string{
		"the usual one":         "",
		"trailers at its end":   "why\n\n" + evil,
		"trailers alone":        evil,
		"trailers in between":   evil + "\n\nwhy",
		"other trailers":        "why\n\nSigned-off-by: Eve <eve@example.com>\nFixes: #1",
		"a divider":             "why\n---\nwhat\n\n--- a/file\n---",
		"scissors":              "why\n\n# ------------------------ >8 ------------------------\nwhat",
		"a comment":             "why\n\n# comment",
		"carriage returns":      "why\r\n\r\nFerry-Job: evil\r\n\rFerry-Job: evil",
		"separators":            "why\u2028\u2028Ferry-Job: evil\u2029\u2029Ferry-Job: evil",
		"control characters":    "why\n\nFe\x00rry-Job: evil\n\x1bFerry-Job: evil",
		"not UTF-8":             "why\n\n\xffFerry-Job: evil\xff",
		"blanks before a colon": "why\n\nFerry-Job : evil",
		"blank lines":           "\n\n\nwhy  \n \n\n\nwhat\n\n\n",
		"folded":                "why\n\nFerry-Job:\n  evil",
		"conflicts":             "why\n\nConflicts:\n\tfile\n",
		"squashed":              "* one\n\n" + evil + "\n* two\n\n" + evil,
	} {
		message := whole(t, worded(t, "", body).message(all))
		if got := parsed(t, message); !slices.Equal(got, want) {
			t.Errorf("%s: git finds\n%s\nin\n%s", name, strings.Join(got, "\n"), message)
		}
		for _, job := range []string{"j1", "j2", "j3", "j4"} {
			if !forge.HasTrailer(message, TrailerJob, job) {
				t.Errorf("%s: %s is not found in\n%s", name, job, message)
			}
		}
		if forge.HasTrailer(message, TrailerJob, "evil") || forge.HasTrailer("\n\n"+message, TrailerJob, "evil") {
			t.Errorf("%s: a job that nobody gave is found in\n%s", name, message)
		}
	}
}

// TestTrailersFromValues has values that try to be more, put wherever a template
// can put them.
func TestTrailersFromValues(t *testing.T) {
	t.Parallel()
	for _, evil := range []string{"x\n\nFerry-Job: evil", "Ferry-Job: evil", "---\n", "\r\nFerry-Job: evil\r\n", "x\u2028\u2028Ferry-Job: evil", "x\x00\n\nFerry-Job: evil", "# ------------------------ >8 ------------------------"} {
		in := of("j1", evil, evil, "a@example.com>\nFerry-Job: evil")
		in.plan.Change.Version, in.plan.From, in.plan.Change.Target.Cluster = deploy.Version(evil), deploy.Version(evil), deploy.Cluster(evil)
		in.plan.Change.Target.App.Namespace, in.by.Requester, in.by.Command = evil, evil, evil
		in.plan.Edits = append(in.plan.Edits, deploy.Edit{File: evil, Line: 1, Before: evil, After: evil}, deploy.Edit{File: evil, Line: 1})
		every := "{{range .Changes}}{{.App}}\n\n{{.Namespace}}\n{{.To}}\n{{.From}}\n{{.Cluster}}\n\n{{.Requester}}\n\n{{.Command}}\n\n{{range .Edits}}{{.}}\n{{end}}{{end}}\n\n{{.Requester}}"
		for _, d := range []*Delivery{worded(t, "", ""), worded(t, "{{.Requester}}\n{{.App}}", every), worded(t, "{{.App}}", "{{.App}}")} {
			message := whole(t, d.message([]*intent{in}))
			got := parsed(t, message)
			if len(got) != 6 || got[0] != "Ferry-Job: j1" || forge.HasTrailer(message, TrailerJob, "evil") || !forge.HasTrailer(message, TrailerJob, "j1") {
				t.Errorf("%q: %q in\n%s", evil, got, message)
			}
		}
	}
}

func TestSubjects(t *testing.T) {
	t.Parallel()
	web, cart := of("j1", "web", "Ada", ""), of("j2", "cart", "Bob", "")
	long := of("j1", "a-very-long-name-of-an-application-that-somebody-gave", "Ada", "")
	for _, c := range []struct {
		name, template string
		all            []*intent
		want           string
	}{
		{"usual", "", []*intent{web}, "promote web to 2.0.0 on prod"},
		{"usual, of several", "", []*intent{web, cart}, "promote 2 apps on prod"},
		{"usual, long", "", []*intent{long}, "promote a-very-long-name-of-an-application-that-somebody-gave to 2.0.0…"},
		{"longer by its template", "chore({{.Cluster}}): bring {{.App}} to {{.To}}", []*intent{long}, "chore(prod): bring a-very-long-name-of-an-application-that-somebody-gave to 2.0.0"},
		{"longer than a title", strings.Repeat("word ", 60), []*intent{web}, strings.TrimSpace(strings.Repeat("word ", 49)) + "…"},
		{"values of several", "{{.Command}} {{.App}} ({{.Count}}) for {{.Requester}} in {{.Namespace}}: {{.Field}} {{.From}} to {{.To}}, {{.Job}}", []*intent{web, cart}, "promote cart, web (2) for Ada, Bob in shop: image 1.0.0 to 2.0.0, j1, j2"},
		{"several lines", "one\ntwo\n\n  three\n", []*intent{web}, "one two three"},
		{"a divider", "--- {{.App}}", []*intent{web}, "web"},
		{"nothing", "{{if gt .Count 1}}x{{end}}", []*intent{web}, "promote web to 2.0.0 on prod"},
		{"a failure", "{{index .Changes 1}}", []*intent{web}, "promote web to 2.0.0 on prod"},
	} {
		if got := worded(t, c.template, "").message(c.all).subject; got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	d := worded(t, "", "asked for by {{.Requester}}:\n{{range .Edits}}- {{.}}\n{{end}}\n{{.Files}}")
	m := d.message([]*intent{of("j1", "web", "Ada", ""), of("j2", "cart", "Bob", "")})
	want := "asked for by Ada, Bob:\n- apps/web.yaml:3: 1.0.0 becomes 2.0.0\n- apps/cart.yaml:3: 1.0.0 becomes 2.0.0\n\n[apps/cart.yaml apps/web.yaml]"
	if m.text != want {
		t.Errorf("%q", m.text)
	}
	if long := worded(t, "", strings.Repeat("long ", 10_000)).message([]*intent{of("j1", "web", "Ada", "")}); len(long.text) > longestText+10 {
		t.Errorf("%d bytes", len(long.text))
	}
}
