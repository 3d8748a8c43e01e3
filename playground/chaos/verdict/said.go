package verdict

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"ferry/playground/chaos/point"
	"ferry/playground/slack"
)

// Took is what stands above the output of the executor of the tests once a line has ended.
const Took = "It took"

// Count counts what stands in a thread, by what it is. What is told while something
// does not answer is no last word, unless it became one.
func Count(said []slack.Message) map[string]int {
	counts := map[string]int{}
	for _, m := range said {
		what := point.KindOf(string(m.Metadata))
		text := m.Text + string(m.Blocks)
		if what == "output" && strings.Contains(text, Took) {
			what = "answer"
		}
		if what == "waiting" {
			if strings.Contains(text, "goes on trying") || strings.Contains(text, "It went on") {
				continue
			}
			what = "answer"
		}
		counts[what]++
	}
	return counts
}

// Thread is what is to stand in one, in the end.
type Thread struct {
	// Jobs have a status message and a closing reply each, Fallen are watches, which
	// have a closing reply alone.
	Jobs, Fallen int
	// Answers are those of commands without a job; Spare may be there too.
	Answers, Spare int
	// Outputs is at most how many messages there are in which output grows.
	Outputs int
	// Asked is at most how many questions for approval there are.
	Asked int
	// Root: it began with a slash command.
	Root bool
}

// Check compares it with what was counted.
func (t Thread) Check(counts map[string]int) error {
	root, known := 0, map[string]bool{"root": true, "answer": true, "approval": true, "status": true, "closing": true, "output": true}
	if t.Root {
		root = 1
	}
	for what := range counts {
		if !known[what] {
			return fmt.Errorf("said %v: nothing is called %q", counts, what)
		}
	}
	switch n := counts["answer"]; {
	case counts["root"] != root:
		return fmt.Errorf("%d root messages, want %d", counts["root"], root)
	case n < t.Answers || n > t.Answers+t.Spare:
		return fmt.Errorf("said %v, want %d answers", counts, t.Answers)
	case counts["status"] != t.Jobs || counts["closing"] != t.Jobs+t.Fallen:
		return fmt.Errorf("said %v, want %d status and %d closing", counts, t.Jobs, t.Jobs+t.Fallen)
	case counts["output"] > t.Outputs:
		return fmt.Errorf("said %v, want at most %d of output", counts, t.Outputs)
	case counts["approval"] > t.Asked:
		return fmt.Errorf("said %v, want at most %d questions for approval", counts, t.Asked)
	}
	return nil
}

// Trailer is the line by which a job is found in Git.
func Trailer(id string) string { return "Ferry-Job: " + id }

// Carries reports whether a text has a line.
func Carries(text, line string) bool { return slices.Contains(strings.Split(text, "\n"), line) }

// Commits are what the messages of the commits on a branch that a job is in say of
// it: others may share them.
func Commits(repository, branch, id string) (out []string, err error) {
	log, err := exec.Command("git", "--git-dir", repository, "log", "--format=%B%x00", branch).Output()
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	for message := range strings.SplitSeq(string(log), "\x00") {
		if Carries(message, Trailer(id)) {
			_, own, _ := strings.Cut(message, Trailer(id)+"\n")
			own, _, _ = strings.Cut(own, "Ferry-Job: ")
			out = append(out, own)
		}
	}
	return out, nil
}
