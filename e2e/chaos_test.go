package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"ferry/internal/deploy"
	"ferry/internal/job"
	"ferry/playground/chaos/point"
	"ferry/playground/chaos/verdict"
	"ferry/playground/slack"
)

// side is how many commands are asked for side by side, each about a target of its own.
const side = 5

// TestKilledOnRealClusters kills ferry at points of docs/effects.md while it promotes on real API servers and Flux
// controllers, as playground/chaos does on emulated ones, and gives the same verdict. FERRY_CHAOS_RUNS says how often, and
// FERRY_CHAOS_SEED decides what is drawn: `make chaos-real RUNS=25 SEED=1`. Without them it is one round.
func TestKilledOnRealClusters(t *testing.T) {
	runs, _ := strconv.Atoi(os.Getenv("FERRY_CHAOS_RUNS"))
	seed, _ := strconv.ParseUint(os.Getenv("FERRY_CHAOS_SEED"), 10, 64)
	if runs == 0 {
		runs, seed = side, 1
	}
	h := newHarm(t, newWorld(t, "prod", "stage"), seed)
	began := time.Now()
	for done := 0; done < runs; done += side {
		if err := h.episode(t.Context(), min(side, runs-done)); err != nil {
			t.Errorf("after %d runs: %v\nkilled: %s\nagain: make chaos-real RUNS=%d SEED=%d\nferry's log ends:\n%s", done, err, strings.Join(h.struck, ", "), runs, seed, h.tail())
			break
		}
	}
	h.tally.Report(t.Output())
	t.Logf("%d commands with seed %d in %s, none lost, none twice: %v", h.asked, seed, time.Since(began).Round(time.Second), !t.Failed())
	if err := h.tally.Unknown(); err != nil {
		t.Error(err)
	}
}

// request is what somebody asks for.
type request struct {
	target  deploy.Target
	text    string
	want    deploy.Version // "" for what is only answered
	channel string
	copies  int // deliveries beside the first
	root    string
	image   string // of the app, without a tag
}

// prey are the targets, with the image of each. What stage holds is committed, what prod holds goes through pull requests.
func prey() map[string]string {
	return map[string]string{
		"podinfo/podinfo": "ghcr.io/stefanprodan/podinfo", "podinfo/checkout": "ghcr.io/team/checkout", "team/worker": "ghcr.io/team/worker",
	}
}

// draw makes the commands of an episode: promotions, some of what stands there already elsewhere, and a question.
func (h *harm) draw(n int) (out []*request) {
	var targets []deploy.Target
	for app := range prey() {
		namespace, name, _ := strings.Cut(app, "/")
		for _, c := range []deploy.Cluster{"prod", "stage"} {
			targets = append(targets, deploy.Target{Cluster: c, App: deploy.App{Namespace: namespace, Name: name}})
		}
	}
	slices.SortFunc(targets, func(a, b deploy.Target) int { return strings.Compare(a.String(), b.String()) })
	h.rand.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
	for i := range n {
		h.asked++
		r := &request{channel: place(i), copies: h.rand.IntN(4), text: "list"}
		if i < len(targets) && (i+1 < side || h.asked%2 == 0) {
			r.target, r.want = targets[i], deploy.Version(fmt.Sprintf("9.%d.0", h.asked))
			r.image = prey()[r.target.App.String()]
			if h.rand.IntN(5) == 0 {
				r.want += "-slow"
			}
			r.text = fmt.Sprintf("promote %s@%s to %s", r.target.App, r.want, r.target.Cluster)
		}
		out = append(out, r)
	}
	return out
}

// episode has n things asked for, kills ferry as often, and compares.
func (h *harm) episode(ctx context.Context, n int) error {
	requests := h.draw(n)
	h.struck = nil
	for _, r := range requests {
		fmt.Fprintf(h.out, "asks: %s (delivered %d times)\n", r.text, r.copies+1)
	}
	if err := h.ferry.Start(); err != nil {
		return err
	}
	asking, stop := context.WithCancel(ctx)
	defer stop()
	group, gctx := errgroup.WithContext(asking)
	for _, r := range requests {
		group.Go(func() error { return h.ask(gctx, r) })
	}
	group.Go(func() error { return h.merge(gctx) })
	group.Go(func() error {
		defer stop()
		for range n {
			kill := h.killer.Strike(gctx)
			h.struck = append(h.struck, kill.Where)
			fmt.Fprintf(h.out, "killed %s; drawn for it: %v\n", kill.Where, kill.Drawn)
			if err := h.ferry.Start(); err != nil {
				return err
			}
		}
		return h.settle(gctx, requests)
	})
	if err := group.Wait(); err != nil {
		return err
	}
	s, err := h.rest(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range requests {
		if err := h.judge(ctx, r, s); err != nil {
			errs = append(errs, fmt.Errorf("%q in %s (delivered %d times): %w\n%s", r.text, r.channel, r.copies+1, err, h.transcript(r)))
		}
	}
	return errors.Join(errs...)
}

// ask says it and has Slack deliver it again now and then.
func (h *harm) ask(ctx context.Context, r *request) (err error) {
	if r.root, err = h.room.server.Say("alice", r.channel, "<@U0FERRY> "+r.text, ""); err != nil {
		return err
	}
	id := ""
	for _, e := range h.room.server.Envelopes() {
		if strings.Contains(string(e.Payload), `"ts":"`+r.root+`"`) {
			id = e.ID
		}
	}
	for left := r.copies; left > 0 && rests(ctx, 400*time.Millisecond); {
		if h.room.server.Redeliver(id, 1) == nil { // there may be no socket
			left--
		}
	}
	return nil
}

// merge is somebody who merges every pull request a moment after it is opened.
func (h *harm) merge(ctx context.Context) error {
	since := map[int]time.Time{}
	for rests(ctx, 50*time.Millisecond) {
		for _, p := range h.repo.Pulls() {
			if since[p.Number].IsZero() {
				since[p.Number] = time.Now()
			}
			if p.State == "open" && time.Since(since[p.Number]) > time.Second {
				_, _ = h.repo.MergePull(p.Number, []string{"merge", "squash", "rebase"}[p.Number%3], "ana") // while it is behind it cannot be
			}
		}
	}
	return nil
}

// settle waits until each has its last word.
func (h *harm) settle(ctx context.Context, requests []*request) error {
	for end := time.Now().Add(3 * time.Minute); rests(ctx, 100*time.Millisecond); {
		var open []string
		for _, r := range requests {
			said, err := h.said(r)
			if err != nil {
				return err
			}
			last := "closing"
			if r.want == "" {
				last = "answer"
			}
			if verdict.Count(said)[last] == 0 {
				open = append(open, r.text)
			}
		}
		if len(open) == 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("without an answer: %s", strings.Join(open, ", "))
		}
	}
	return nil
}

// said is what ferry wrote below a request.
func (h *harm) said(r *request) ([]slack.Message, error) {
	all, err := h.room.server.Messages(r.channel, r.root)
	return slices.DeleteFunc(all, func(m slack.Message) bool { return m.AppID == "" || m.Ephemeral || m.Deleted }), err
}

// transcript is what ferry wrote below a request, for people.
func (h *harm) transcript(r *request) string {
	said, err := h.said(r)
	if err != nil {
		return err.Error()
	}
	var out strings.Builder
	for _, m := range said {
		fmt.Fprintf(&out, "— %s (%s): %s\n", m.TS, point.KindOf(string(m.Metadata)), words(m))
	}
	return out.String()
}

// rest stops ferry once it has nothing left to send.
func (h *harm) rest(ctx context.Context) (*verdict.State, error) {
	for range 20 {
		if !rests(ctx, 500*time.Millisecond) {
			return nil, ctx.Err()
		}
		if err := h.ferry.End(syscall.SIGTERM); err != nil {
			return nil, err
		}
		s, err := verdict.Read(filepath.Join(h.dir, "ferry.db"))
		if err != nil || s.Calm() {
			return s, err
		}
		if err := h.ferry.Start(); err != nil {
			return nil, err
		}
		if !rests(ctx, 2*time.Second) {
			return nil, ctx.Err()
		}
	}
	return nil, errors.New("ferry does not come to rest: envelopes, jobs or messages are left")
}

// judge compares a request with what came of it in Slack, in ferry's store, in Git and on the cluster.
func (h *harm) judge(ctx context.Context, r *request, s *verdict.State) error {
	said, err := h.said(r)
	if err != nil {
		return err
	}
	if r.want == "" {
		return verdict.Thread{Answers: 1}.Check(verdict.Count(said))
	}
	if err := (verdict.Thread{Jobs: 1}).Check(verdict.Count(said)); err != nil {
		return err
	}
	jobs, err := s.Of(h.channel(r.channel), r.root)
	if err != nil || len(jobs) != 1 {
		return errors.Join(err, fmt.Errorf("%d jobs, want 1", len(jobs)))
	}
	j := jobs[0]
	if j.Outcome != job.Done {
		return fmt.Errorf("job %s ended as %s (%s)", j.ID, j.Outcome, j.Note)
	}
	commits, err := verdict.Commits(h.repo.Dir(), branch, string(j.ID))
	if err != nil || len(commits) != 1 {
		return errors.Join(err, fmt.Errorf("job %s is in %d commits, want 1", j.ID, len(commits)))
	}
	pulls, want := 0, 0
	for _, p := range h.repo.Pulls() {
		if verdict.Carries(p.Body, verdict.Trailer(string(j.ID))) {
			pulls++
		}
	}
	if r.target.Cluster == "prod" {
		want = 1
	}
	if pulls != want {
		return fmt.Errorf("job %s has %d pull requests, want %d", j.ID, pulls, want)
	}
	if err := s.Recorded(j, r.target, r.want, func(int) int { return 1 }); err != nil {
		return err
	}
	image, err := h.running()[string(r.target.Cluster)].DeploymentImage(ctx, r.target.App.Namespace, r.target.App.Name)
	if want := r.image + ":" + string(r.want); err == nil && image != want {
		err = fmt.Errorf("%s runs %s, want %s", r.target, image, want)
	}
	return err
}

// rests waits, or reports false if ctx ends first.
func rests(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// place is the channel of one of the commands that are asked for side by side: Slack takes one message a second in each.
func place(i int) string { return fmt.Sprintf("#deploys-%d", i) }

// channel is the ID of a channel by its name.
func (h *harm) channel(name string) string {
	for _, c := range h.room.server.Channels() {
		if "#"+c.Name == name {
			return c.ID
		}
	}
	return name
}
