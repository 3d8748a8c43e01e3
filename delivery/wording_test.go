package delivery_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"ferry/delivery"
	"ferry/internal/deploy"
)

func words(text string) *template.Template { return template.Must(template.New("message").Parse(text)) }

// TestWording is what is committed and proposed in words of one's own.
func TestWording(t *testing.T) {
	t.Parallel()
	r := newRig(t, archive(t, "fleet.txtar"))
	w := delivery.Wording{
		Subject: words("deploy({{.Cluster}}): {{.App}} {{.From}} → {{.To}}"), Body: words("{{.Requester}} wants it.\n\nFerry-Job: j9"),
		Title: words("[{{.Cluster}}] {{.App}}"), Text: words("Ferry-Job: j9"),
	}
	r.configure(t, func(o *delivery.Options) { o.Wording = w })
	began := time.Now()
	by := deploy.Authorship{Job: "j1", Command: "promote", Requester: "U1", Name: "Ada", Email: "ada@example.com"}
	if _, _, err := r.Apply(t.Context(), want("podinfo/podinfo", "6.5.4", "prod", "apps", false), fleet, by, nil); err != nil {
		t.Fatal(explain(err))
	}
	out, err := exec.Command("git", "-C", r.repo.Dir(), "log", "-1", "--format=%s%n%(trailers:only)%n%(trailers:key=Co-authored-by,valueonly)", "main").Output()
	if err != nil {
		t.Fatal(err)
	}
	wanted := "deploy(prod): podinfo 6.5.3 → 6.5.4\nFerry-Job: j1\nFerry-App: podinfo/podinfo\nFerry-Cluster: prod\nFerry-From: 6.5.3\nFerry-Version: 6.5.4\n" +
		"Ferry-Requester: U1 Ada\nCo-authored-by: Ada <ada@example.com>\n\nAda <ada@example.com>"
	if got := strings.TrimSpace(string(out)); got != wanted {
		t.Errorf("git reads\n%s", got)
	}
	if _, ok, err := r.Find(t.Context(), "j1", began); err != nil || !ok {
		t.Errorf("j1 is not found: %v", err)
	}
	if _, ok, err := r.Find(t.Context(), "j9", began); err != nil || ok {
		t.Errorf("a template gave a job: %v", err)
	}

	by.Job = "j2"
	_, p, err := r.Propose(t.Context(), want("podinfo/podinfo", "6.5.5", "stage", "apps", false), fleet, by, anyPlan)
	if err != nil {
		t.Fatal(explain(err))
	}
	pull := r.repo.Pulls()[0]
	if pull.Title != "[stage] podinfo" || !strings.HasPrefix(pull.Body, "> Ferry-Job: j9\n\nRendered for every cluster") {
		t.Errorf("%q\n%s", pull.Title, pull.Body)
	}
	if found, ok, err := r.FindProposal(t.Context(), "j2", began); err != nil || !ok || found.Number != p.Number {
		t.Errorf("j2 has no pull request: %+v, %v", found, err)
	}
	if _, ok, err := r.FindProposal(t.Context(), "j9", began); err != nil || ok {
		t.Errorf("a template gave a job to a pull request: %v", err)
	}
	log, err := r.repo.Log(p.Branch)
	if err != nil || !slices.Contains(strings.Split(log[0].Message, "\n"), "deploy(stage): podinfo 6.5.3 → 6.5.5") {
		t.Errorf("%+v, %v", log[0], err)
	}
}
