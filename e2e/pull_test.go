package e2e

import (
	"fmt"
	"regexp"
	"strings"

	"ferry/playground/github"
)

// pullCmd is the script's command "pull", about pull requests:
//
//	pull open|merged|closed REGEXP   one is so, now or soon, and its title, labels, base (current or behind), text or comments match
//	pull merge METHOD                somebody called ana presses the button of the latest: merge, squash or rebase
//	pull close                       somebody closes the latest
func (s *scene) pullCmd(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "merge":
		p, err := s.latestPull()
		if err != nil {
			return err
		}
		_, err = s.repo.MergePull(p.Number, args[1], "ana")
		return err
	case len(args) == 1 && args[0] == "close":
		p, err := s.latestPull()
		if err != nil {
			return err
		}
		return s.repo.ClosePull(p.Number)
	case len(args) == 2:
		re, err := regexp.Compile("(?m)" + args[1])
		if err != nil {
			return err
		}
		return s.until(patience, func() error {
			head, err := s.repo.Head(branch)
			if err != nil {
				return err
			}
			text := ""
			for _, p := range s.repo.Pulls() {
				base := "current"
				if p.Start != head {
					base = "behind"
				}
				text = fmt.Sprintf("#%d %s: %s\nlabels: %s\nbase: %s\n%s\n%s", p.Number, p.State, p.Title, strings.Join(p.Labels, " "), base, p.Body, strings.Join(p.Comments, "\n"))
				if p.State == args[0] && re.MatchString(text) {
					return nil
				}
			}
			return fmt.Errorf("no such pull request; the latest is %s", text)
		})
	}
	return errUsage
}

func (s *scene) latestPull() (github.Pull, error) {
	all := s.repo.Pulls()
	if len(all) == 0 {
		return github.Pull{}, fmt.Errorf("there is no pull request")
	}
	return all[len(all)-1], nil
}
