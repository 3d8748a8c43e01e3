package e2e

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"ferry/e2e/testbed"
)

// updater stands in for Flux's image-automation-controller, which is not to be had: cycle for cycle it looks whether
// its ImageUpdateAutomation is suspended on the API server and, if not, writes the newest tag into the lines with the
// marker of its policy, and pushes that if anything changed.
type updater struct {
	repo                       *repo
	cluster                    *testbed.Cluster
	namespace, name, file, tag string
	stop                       func()

	mu                      sync.Mutex
	cycles, pushes, resting int
	err                     error
}

// cycleEvery is short: the real one has minutes.
const cycleEvery = 300 * time.Millisecond

// markedTag is a line that image automation owns, with its tag.
var markedTag = regexp.MustCompile(`(?m)^(\s*newTag: )(\S+)(\s+# \{"\$imagepolicy": "[^"]+:tag"\})$`)

func (u *updater) run(ctx context.Context) {
	tick := time.NewTicker(cycleEvery)
	defer tick.Stop()
	for {
		suspended, pushed, err := u.cycle(ctx)
		if ctx.Err() != nil {
			return
		}
		u.mu.Lock()
		u.cycles++
		switch {
		case err != nil:
			u.err = errors.Join(u.err, err)
		case suspended:
			u.resting++
		case pushed:
			u.pushes++
		}
		u.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// cycle reads the branch before it looks whether it is suspended: the real one looks first, so that one which is at it
// while somebody suspends it may push once more.
func (u *updater) cycle(ctx context.Context) (suspended, pushed bool, err error) {
	head, err := u.repo.Head(branch)
	if err != nil {
		return false, false, err
	}
	o, err := u.cluster.Get(ctx, imageAutomations, u.namespace, u.name)
	if err != nil {
		return false, false, err
	}
	if suspended, _, err = unstructured.NestedBool(o.Object, "spec", "suspend"); err != nil || suspended {
		return suspended, false, err
	}
	text, err := u.repo.ReadFile(string(head), u.file)
	if err != nil {
		return false, false, err
	}
	next := markedTag.ReplaceAllString(text, "${1}"+u.tag+"${3}")
	if next == text {
		return false, false, nil
	}
	if now, err := u.repo.Head(branch); err != nil || now != head {
		return false, false, err // its push is refused, and it tries again
	}
	_, err = u.repo.Commit(branch, "Update from image update automation", map[string]string{u.file: next})
	return false, err == nil, err
}

// end stops it; it may be called twice, and for nil.
func (u *updater) end() error {
	if u == nil || u.stop == nil {
		return nil
	}
	u.stop()
	u.stop = nil
	return u.err
}

func (u *updater) counts() (cycles, pushes, resting int, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.cycles, u.pushes, u.resting, u.err
}

// updaterCmd is the script's command "updater", of what stands in for image automation:
//
//	updater serve CLUSTER                      the cluster knows the kind ImageUpdateAutomation from now on
//	updater start CLUSTER NS/NAME FILE TAG     that automation writes the tag, as the newest, into the file's marked lines
//	updater cycles N                           N more cycles pass
//	updater pushed N                           so far it pushed N times
//	updater rests                              it is suspended on the API server, now or soon
//	updater stop
func (s *scene) updaterCmd(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "serve":
		cluster := s.running()[args[1]]
		if cluster == nil {
			return fmt.Errorf("cluster %q does not run", args[1])
		}
		ctx, cancel := context.WithTimeout(s.t.Context(), patience)
		defer cancel()
		return serveImageAutomation(ctx, cluster)
	case len(args) == 5 && args[0] == "start":
		return s.startUpdater(args[1], args[2], args[3], args[4])
	case s.updater == nil:
		return errors.New("nothing updates")
	case len(args) == 2 && args[0] == "cycles":
		n, err := number(args[1:], 1)
		if err != nil {
			return err
		}
		before, _, _, _ := s.updater.counts()
		return s.until(patience, func() error {
			cycles, _, _, err := s.updater.counts()
			if err == nil && cycles < before+n {
				err = fmt.Errorf("%d cycles passed", cycles-before)
			}
			return err
		})
	case len(args) == 2 && args[0] == "pushed":
		want, err := number(args[1:], 0)
		if err != nil {
			return err
		}
		cycles, pushes, resting, err := s.updater.counts()
		if err == nil && pushes != want {
			err = fmt.Errorf("it pushed %d times in %d cycles, %d of them suspended; want %d", pushes, cycles, resting, want)
		}
		return err
	case len(args) == 1 && args[0] == "rests":
		return s.until(patience, func() error {
			if _, _, resting, err := s.updater.counts(); err != nil || resting == 0 {
				return errors.Join(err, errors.New("it is at work"))
			}
			return nil
		})
	case len(args) == 1 && args[0] == "stop":
		return s.updater.end()
	}
	return errUsage
}

func (s *scene) startUpdater(cluster, automation, file, tag string) error {
	if err := s.updater.end(); err != nil {
		return err
	}
	namespace, name, ok := strings.Cut(automation, "/")
	if !ok || s.running()[cluster] == nil {
		return errUsage
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	u := &updater{repo: s.repo, cluster: s.running()[cluster], namespace: namespace, name: name, file: file, tag: tag}
	u.stop = func() { cancel(); <-done }
	go func() {
		defer close(done)
		u.run(ctx)
	}()
	s.updater = u
	return nil
}

// followed matches what ferry's log says when it decides to go back by itself.
var followed = regexp.MustCompile(`time=(\S+) .*msg="job follows" .*after=(\S+)`)

// fellBack waits for the commit of a rollback that ferry makes by itself, and measures from when it saw the failure:
//
//	ferry fellback MOST VERSION [TIMES]     TIMES is how many rollbacks there have been by then
func (s *scene) fellBack(most time.Duration, version string, times int) error {
	var seen time.Time
	err := s.until(3*patience, func() error {
		found := followed.FindAllStringSubmatch(s.bot.tail(10000), -1)
		if len(found) < times {
			return errors.New("ferry does not go back by itself")
		}
		var err error
		seen, err = time.Parse(time.RFC3339Nano, found[times-1][1])
		return err
	})
	if err != nil {
		return err
	}
	var oid string
	err = s.until(most+patience, func() error {
		made, err := s.ferrys()
		if len(made) > 0 {
			oid = string(made[0].OID)
		}
		if err == nil && (len(made) == 0 || !strings.Contains(made[0].Message, "Ferry-Version: "+version)) {
			err = errors.New("there is no commit of a rollback")
		}
		return err
	})
	if err != nil {
		return err
	}
	// The script may look late: then the commit says when it was, to the second.
	text, err := s.repo.git("show", "-s", "--format=%ct", oid)
	if err != nil {
		return err
	}
	at, err := number([]string{strings.TrimSpace(text)}, 0)
	if err != nil {
		return err
	}
	took := min(time.Since(seen), time.Unix(int64(at)+1, 0).Sub(seen))
	s.t.Logf("from the failure seen to the rollback's commit: %.2f s", took.Seconds())
	if took > most {
		return fmt.Errorf("it took %s, at most %s are allowed", took, most)
	}
	return nil
}
