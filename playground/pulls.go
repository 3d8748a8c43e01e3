package main

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"ferry/playground/github"
)

// PullState is a pull request, as GET /playground/state shows it.
type PullState struct {
	Number int    `json:"number"`
	Title  string `json:"title"`
	Branch string `json:"branch"`
	State  string `json:"state"` // open, merged or closed
	URL    string `json:"url"`   // a page with buttons
}

func (p *Playground) pulls() []PullState {
	out := []PullState{}
	for _, x := range p.repo().Pulls() {
		out = append(out, PullState{x.Number, x.Title, x.Branch, x.State, fmt.Sprintf("%s/%s/%s/pull/%d", p.url, repoOwner, repoName, x.Number)})
	}
	return out
}

// reviewer is who presses the buttons. A login for GitHub, not one of Slack's people.
const reviewer = "you"

// servePull is what people do with a pull request.
func (p *Playground) servePull(w http.ResponseWriter, r *http.Request) {
	in, ok := pressed(w, r)
	if !ok {
		return
	}
	number, err := strconv.Atoi(r.PathValue("number"))
	if err != nil || number < 1 || number > len(p.repo().Pulls()) {
		refuse(w, http.StatusNotFound, "no pull request "+r.PathValue("number"))
		return
	}
	switch in.State {
	case "merged":
		_, err = p.repo().MergePull(number, in.Method, reviewer)
	case "closed":
		err = p.repo().ClosePull(number)
	case "approved":
		err = p.repo().ApprovePull(number, reviewer)
	case "checked":
		p.checksPass(number)
	default:
		err = fmt.Errorf("unknown state %q: merged, closed, approved or checked", in.State)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	if r.Form != nil { // the page's own button
		http.Redirect(w, r, p.pulls()[number-1].URL, http.StatusSeeOther)
		return
	}
	answer(w, http.StatusOK, map[string]any{"ok": true, "pull": p.pulls()[number-1]})
}

// checksPass says yes for every check that the branch demands.
func (p *Playground) checksPass(number int) {
	pull := p.repo().Pulls()[number-1]
	for _, name := range p.repo().Protection(pull.Base).Checks {
		p.repo().SetStatus(pull.Head, name, github.CommitStatus{State: "success", Description: "passed in the playground"})
	}
}

// press is a button: {"state": ..., "method": ...}, as JSON or as a form.
type press struct {
	State  string `json:"state"`
	Method string `json:"method"`
}

func pressed(w http.ResponseWriter, r *http.Request) (press, bool) {
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || !strings.EqualFold(u.Host, r.Host) {
			refuse(w, http.StatusForbidden, "a page of "+origin+" has no business here")
			return press{}, false
		}
	}
	if r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		return press{r.FormValue("state"), r.FormValue("method")}, true
	}
	var in press
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, `the body is to be {"state": ...}: `+err.Error())
		return press{}, false
	}
	return in, true
}

// protections are the ways in which a branch can be protected by a word.
func protections() map[string]github.Protection {
	return map[string]github.Protection{
		"ruleset": {Ruleset: true, Name: "changes are reviewed", Reviews: 1}, "reviews": {Reviews: 1},
		"checks": {Checks: []string{"ci"}}, "locked": {Locked: true},
	}
}

// serveProtection protects a branch, or takes that back.
func (p *Playground) serveProtection(w http.ResponseWriter, r *http.Request) {
	state, ok := wanted(w, r)
	if !ok {
		return
	}
	how, known := protections()[state]
	switch {
	case known:
		p.repo().Protect(r.PathValue("branch"), how)
	case state == "none":
		p.repo().Unprotect(r.PathValue("branch"))
	default:
		refuse(w, http.StatusBadRequest, fmt.Sprintf("unknown state %q: none, ruleset, reviews, checks or locked", state))
		return
	}
	answer(w, http.StatusOK, map[string]any{"ok": true, "branch": r.PathValue("branch"), "state": state})
}

// pullPage is what a link to a pull request leads to.
var pullPage = template.Must(template.New("pull").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Title}} · #{{.Number}}</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color:#1f2328}
pre{background:#f6f8fa;padding:1rem;overflow-x:auto;font-size:14px}
button{font:inherit;padding:.4rem .9rem;margin:0 .4rem .4rem 0}
.state{font-weight:600}
</style>
<h1>{{.Title}} <small>#{{.Number}}</small></h1>
<p><span class="state">{{.State}}</span> · {{.Branch}} into {{.Base}}{{with .AutoMerge}} · is merged ({{.}}) as soon as it may be{{end}}</p>
{{range .Labels}}<p>label {{.}}</p>{{end}}{{range .Reviewers}}<p>review asked of {{.}}</p>{{end}}
<pre>{{.Body}}</pre>
{{if eq .State "open"}}<form method="post" action="/playground/github/pulls/{{.Number}}">
<input type="hidden" name="method" value="squash">
<button name="state" value="approved">Approve</button><button name="state" value="checked">Let the checks pass</button>
<button name="state" value="merged">Squash and merge</button><button name="state" value="closed">Close</button>
</form>{{end}}
{{range .Comments}}<blockquote>{{.}}</blockquote>{{end}}
<pre>{{.Diff}}</pre>
</html>
`))

func (p *Playground) servePullPage(w http.ResponseWriter, r *http.Request) {
	all := p.repo().Pulls()
	i := slices.IndexFunc(all, func(x github.Pull) bool { return strconv.Itoa(x.Number) == r.PathValue("number") })
	if i < 0 {
		http.NotFound(w, r)
		return
	}
	git := exec.CommandContext(r.Context(), "git", "diff", string(all[i].Start)+"..."+string(all[i].Head))
	git.Dir = p.repo().Dir()
	diff, err := git.Output()
	if err != nil {
		diff = []byte("the difference cannot be shown: " + err.Error())
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = pullPage.Execute(w, struct { // the client may be gone
		github.Pull
		Diff string
	}{all[i], string(diff)})
}
