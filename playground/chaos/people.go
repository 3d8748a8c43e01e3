package main

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"ferry/playground/github"
)

// people look after pull requests: they merge them, close them, or push something
// in between first.
type people struct {
	repo    *github.Repo
	plans   map[target]kind // of the episode
	twice   map[target]bool // a pair, of which the second is merged
	since   map[int]time.Time
	touched map[int]bool
}

func newPeople(repo *github.Repo, commands []*command) *people {
	p := &people{repo: repo, plans: map[target]kind{}, twice: map[target]bool{}, since: map[int]time.Time{}, touched: map[int]bool{}}
	for _, c := range commands {
		for _, t := range c.targets() {
			p.twice[t] = p.twice[t] || c.mate != nil
			if c.work() {
				p.plans[t] = c.kind
			}
		}
	}
	return p
}

// patience is how long a pull request lies before somebody looks.
const patience = 700 * time.Millisecond

// look does what is due. What fails is tried again at the next look.
func (p *people) look(now time.Time, old int) error {
	pulls := p.repo.Pulls()[old:]
	of := map[target][]github.Pull{}
	for _, pull := range pulls {
		for t := range maps.Keys(p.plans) {
			if t.cluster == proposed && strings.Contains(pull.Branch, t.app) {
				of[t] = append(of[t], pull)
			}
		}
	}
	for t, list := range of {
		pull := list[len(list)-1]
		if p.since[pull.Number].IsZero() {
			p.since[pull.Number] = now
		}
		if pull.State != "open" || now.Sub(p.since[pull.Number]) < patience || p.twice[t] && len(list) < 2 {
			continue
		}
		switch k := p.plans[t]; {
		case k == cancelledKind: // somebody else will
		case k == closedKind || k == retryKind && len(list) == 1:
			if err := p.repo.ClosePull(pull.Number); err != nil {
				return err
			}
		case k == conflictKind && !p.touched[pull.Number]:
			if err := p.touch(t, pull.Number); err != nil {
				return err
			}
		default:
			method := []string{"merge", "squash", "rebase"}[pull.Number%3]
			_, _ = p.repo.MergePull(pull.Number, method, "ada") // while it conflicts it cannot be
		}
	}
	return nil
}

// touch changes the line below the version, so that the pull request conflicts.
func (p *people) touch(t target, number int) error {
	file := "apps/" + t.cluster + "/" + t.app + "/kustomization.yaml"
	text, err := p.repo.ReadFile(branch, file)
	if err != nil {
		return err
	}
	head, _, _ := strings.Cut(text, "# owner")
	p.touched[number] = true
	_, err = p.repo.Commit(branch, "Name an owner", map[string]string{file: fmt.Sprintf("%s# owner: team %d\n", head, number)})
	return err
}
