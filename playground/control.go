package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"ferry/playground/cluster"
	"ferry/playground/registry"
)

// handler is everything on the one port. Slack and the registry have a few paths
// of their own; GitHub, whose repositories may be called anything, has the rest.
func (p *Playground) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", p.github)
	for _, path := range []string{"/{$}", "/api/{method}", "/link/", "/upload/", "/files/", "/actions/", "/assets/", "/playground/"} {
		mux.Handle(path, p.slack)
	}
	mux.Handle("/api/graphql", p.github)
	mux.Handle("/v2/", p.registry)
	mux.Handle(registry.Charts, p.registry)
	mux.HandleFunc("GET /playground/state", p.serveState)
	mux.HandleFunc("POST /playground/cluster/{name}", p.serveCluster)
	mux.HandleFunc("POST /playground/ferry", p.serveFerry)
	mux.HandleFunc("POST /playground/github/pulls/{number}", p.servePull)
	mux.HandleFunc("POST /playground/github/protection/{branch...}", p.serveProtection)
	mux.HandleFunc("POST /playground/github/token", p.serveToken)
	mux.HandleFunc("GET /"+repoOwner+"/"+repoName+"/pull/{number}", p.servePullPage)
	return mux
}

// State is what scripts need to know, as GET /playground/state answers it.
type State struct {
	Channels []Named        `json:"channels"`
	Users    []Person       `json:"users"`
	Clusters []ClusterState `json:"clusters"`
	Slack    string         `json:"slack"`  // base URL of the Web API
	GitHub   string         `json:"github"` // base URL of the REST API
	Repo     Repo           `json:"repo"`
	Pulls    []PullState    `json:"pulls"`
	Ferry    string         `json:"ferry"` // running, stopped or none
}

// Named is something with an ID and a name.
type Named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Person is somebody in the local Slack; Admin says what ferry's configuration says.
type Person struct {
	Named
	Admin bool `json:"admin"`
}

// ClusterState is how a cluster can be reached.
type ClusterState struct {
	Name       string        `json:"name"`
	State      cluster.State `json:"state"`
	Kubeconfig string        `json:"kubeconfig"`
}

// Repo is the repository that ferry commits to.
type Repo struct {
	Owner    string `json:"owner"`
	Name     string `json:"name"`
	Branch   string `json:"branch"`
	CloneURL string `json:"clone_url"`
}

func (p *Playground) serveState(w http.ResponseWriter, _ *http.Request) {
	state := State{
		Slack: p.slackURL(), GitHub: p.githubURL(), Ferry: "none",
		Repo:  Repo{Owner: repoOwner, Name: repoName, Branch: branch, CloneURL: p.repo().CloneURL(p.url)},
		Pulls: p.pulls(),
	}
	for _, c := range p.slack.Channels() {
		state.Channels = append(state.Channels, Named{c.ID, c.Name})
	}
	for _, u := range p.slack.Users() {
		if !u.Bot {
			state.Users = append(state.Users, Person{Named{u.ID, u.Name}, u.ID == adminID})
		}
	}
	for _, c := range p.clusters {
		state.Clusters = append(state.Clusters, ClusterState{c.Name(), c.State(), p.kubeconfig(c.Name())})
	}
	if p.ferry != nil {
		state.Ferry = p.ferry.state()
	}
	answer(w, http.StatusOK, state)
}

func (p *Playground) serveCluster(w http.ResponseWriter, r *http.Request) {
	state, ok := wanted(w, r)
	if !ok {
		return
	}
	for _, c := range p.clusters {
		if c.Name() != r.PathValue("name") {
			continue
		}
		if err := c.SetState(cluster.State(state)); err != nil {
			refuse(w, http.StatusBadRequest, err.Error())
			return
		}
		answer(w, http.StatusOK, map[string]any{"ok": true, "name": c.Name(), "state": c.State()})
		return
	}
	refuse(w, http.StatusNotFound, "no cluster "+r.PathValue("name"))
}

func (p *Playground) serveFerry(w http.ResponseWriter, r *http.Request) {
	state, ok := wanted(w, r)
	if !ok {
		return
	}
	if p.ferry == nil {
		refuse(w, http.StatusConflict, "the playground was told to start no ferry")
		return
	}
	if err := p.ferry.control(r.Context(), state); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	answer(w, http.StatusOK, map[string]any{"ok": true, "state": p.ferry.state()})
}

// wanted reads {"state": ...}. Pages of other origins are refused: the browser
// that shows the playground also shows strangers.
func wanted(w http.ResponseWriter, r *http.Request) (string, bool) {
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || !strings.EqualFold(u.Host, r.Host) {
			refuse(w, http.StatusForbidden, "a page of "+origin+" has no business here")
			return "", false
		}
	}
	var in struct {
		State string `json:"state"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, `the body is to be {"state": ...}: `+err.Error())
		return "", false
	}
	return in.State, true
}

func refuse(w http.ResponseWriter, code int, why string) {
	answer(w, code, map[string]any{"ok": false, "error": why})
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}
