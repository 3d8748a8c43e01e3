package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ferry/e2e/local"
	"ferry/e2e/testbed"
)

// buildFerry compiles the bot as its users do and returns the binary's path.
func buildFerry(t *testing.T) string {
	t.Helper()
	binary, err := local.Ferry(t.Context(), t.TempDir())
	must(t, err)
	return binary
}

// bot is the unmodified ferry of one script: a process, its configuration and its state. It may be started again.
type bot struct {
	binary, dir string
	address     string // of /readyz
	env         []string
	process     *exec.Cmd
	ended       chan struct{}
	failure     error // why the process ended; read only after ended is closed
	log         string
}

func newBot(binary, dir string) (*bot, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a port for ferry: %w", err)
	}
	defer l.Close()
	return &bot{binary: binary, dir: dir, address: l.Addr().String(), log: filepath.Join(dir, "ferry.log")}, nil
}

// environment gives ferry, and the script if there is one, what a user would have in the environment.
func (s *scene) environment(env *testscript.Env) error {
	s.bot.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "SERVICE_CONFIG_FILE_PATH=" + filepath.Join(s.dir, "config.yaml"),
		"SLACK_BOT_TOKEN=" + local.BotToken, "SLACK_APP_TOKEN=" + local.AppToken, "GITHUB_API_TOKEN=" + githubToken,
	}
	for _, pair := range s.bot.env[2:] {
		if key, value, _ := strings.Cut(pair, "="); env != nil {
			env.Setenv(key, value)
		}
	}
	return nil
}

// configure writes config.yaml as an ordinary user would. What a script brings in more.yaml is added to its end, with
// the next full minute for $SOON and an hour after it for $LATER,
// automated is the word of repo.automated, timeouts.yaml takes the place of the usual ones, and proposing names clusters that go through pull requests.
func (s *scene) configure() error {
	var text strings.Builder
	text.WriteString("clusters:\n")
	for _, name := range s.clusters {
		way := "direct"
		if slices.Contains(strings.Fields(s.brought("proposing", "")), name) {
			way = "pull_request"
		}
		fmt.Fprintf(&text, "  %s: {file: %s, delivery: %s}\n", name, s.running()[name].FerryKubeconfig(), way)
	}
	text.WriteString(os.Expand(ordinary, s.value))
	text.WriteString(os.Expand(s.brought("more.yaml", ""), s.value))
	return os.WriteFile(filepath.Join(s.dir, "config.yaml"), []byte(text.String()), 0o600)
}

// brought is a file that the script may have in its archive.
func (s *scene) brought(name, otherwise string) string {
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		return otherwise
	}
	return string(text)
}

// ordinary is the rest of a user's configuration. The grace is short because nobody here waits for a registry, and versions are not
// looked up because the fleet's images are published nowhere.
const ordinary = `bot: {admins: [alice]}
namespaces: [podinfo, team, batch]
repo: {owner: acme, name: fleet, branch: main, automated: $AUTOMATED, pull_requests: {labels: [promotion]}}
slack: {base_url: $SLACK/api/}
github: {base_url: $GITHUB/api/v3/}
registries: {lookup: off}
state: {file: $WORK/ferry.db}
http: {address: $ADDRESS}
timeouts: $TIMEOUTS
log: {level: debug}
`

func (s *scene) value(name string) string {
	switch name {
	case "SLACK":
		return s.room.url
	case "GITHUB":
		return s.url
	case "WORK":
		return s.dir
	case "ADDRESS":
		return s.bot.address
	case "AUTOMATED":
		return strings.TrimSpace(s.brought("automated", "refuse"))
	case "SOON": // the first minute for which there is time enough
		return soon().Format(minute)
	case "LATER":
		return soon().Add(time.Hour).Format(minute)
	case "TIMEOUTS":
		return strings.TrimSpace(s.brought("timeouts.yaml", "{rollout: 2m, grace: 2s}"))
	}
	return "$" + name
}

// minute is how a freeze is written that comes once.
const minute = "2006-01-02 15:04"

// soon is the begin of a minute, in UTC, before which something can still be asked.
func soon() time.Time {
	return time.Now().UTC().Add(time.Minute + 15*time.Second).Truncate(time.Minute)
}

// ferryCmd is the script's command "ferry":
//
//	ferry start [-without CLUSTER]   and wait until it is ready and has seen every cluster (but that one)
//	ferry stop                       asks it to end and waits; it must end well
//	ferry kill                       kill -9
//	ferry configure                  writes the configuration without starting anything
//	ferry sees CLUSTER fresh|stale   wait until /readyz tells so
//	ferry refuses REGEXP             a second ferry with the same configuration ends at once, with that on stderr
//	ferry logged REGEXP              its log has such a line, now or soon
//	ferry fellback MOST VERSION [N]  for the Nth time it went back by itself, committing the version that soon
func (s *scene) ferryCmd(args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	what, args := args[0], args[1:]
	switch {
	case what == "start":
		skip, rest := takeFlag(args, "without")
		if len(rest) > 0 {
			return errUsage
		}
		return s.startFerry(skip)
	case what == "stop" && len(args) == 0:
		return s.bot.stop()
	case what == "kill" && len(args) == 0:
		return s.bot.kill()
	case what == "configure" && len(args) == 0:
		return s.configure()
	case what == "sees" && len(args) == 2:
		return s.until(2*patience, func() error { return s.bot.sees(s.t.Context(), args[0], args[1]) })
	case what == "refuses" && len(args) == 1:
		return s.refuses(args[0])
	case what == "fellback" && len(args) >= 2:
		most, err := time.ParseDuration(args[0])
		times, nerr := number(args[2:], 1)
		if err := errors.Join(err, nerr); err != nil {
			return err
		}
		return s.fellBack(most, args[1], times)
	case what == "logged" && len(args) == 1:
		return s.until(patience, func() error { return s.bot.logged(args[0]) })
	}
	return errUsage
}

func (s *scene) startFerry(skip string) error {
	if err := s.configure(); err != nil {
		return err
	}
	if err := s.bot.start(); err != nil {
		return err
	}
	return s.until(2*patience, func() error {
		if err := s.bot.alive(); err != nil {
			return err
		}
		for _, name := range without(s.clusters, skip) {
			if err := s.bot.sees(s.t.Context(), name, "fresh"); err != nil {
				return err
			}
		}
		if s.room.server.Sockets("ferry") == 0 {
			return errors.New("ferry has no socket to Slack")
		}
		return nil
	})
}

func (b *bot) start() error {
	if b.process != nil {
		return errors.New("ferry runs already")
	}
	log, err := os.OpenFile(b.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(b.binary)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = b.dir, b.env, log, log
	cmd.SysProcAttr = testbed.OwnGroup()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start ferry: %w", err)
	}
	b.process, b.ended = cmd, make(chan struct{})
	go func(ended chan struct{}) {
		b.failure = cmd.Wait()
		close(ended)
	}(b.ended)
	return nil
}

// alive returns an error if ferry ended by itself.
func (b *bot) alive() error {
	if b.process == nil {
		return nil
	}
	select {
	case <-b.ended:
		return fmt.Errorf("ferry ended by itself: %w; its log ends:\n%s", orEnded(b.failure), b.tail(20))
	default:
		return nil
	}
}

// orEnded is for a process that ended well though it should not have ended, or not well.
func orEnded(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

func (b *bot) stop() error {
	if b.process == nil {
		return errors.New("ferry does not run")
	}
	if err := b.process.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("ask ferry to end: %w", err)
	}
	select {
	case <-b.ended:
		b.process = nil
		return b.failure
	case <-time.After(patience):
		return errors.Join(fmt.Errorf("ferry runs on, %s after SIGTERM", patience), b.kill())
	}
}

func (b *bot) kill() error {
	if b.process == nil {
		return nil
	}
	err := syscall.Kill(-b.process.Process.Pid, syscall.SIGKILL)
	<-b.ended
	b.process = nil
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill ferry: %w", err)
	}
	return nil
}

// sees asks /readyz how ferry sees a cluster.
func (b *bot) sees(ctx context.Context, cluster, want string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.address+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var report struct {
		OK       bool
		Failing  map[string]string
		Clusters map[string]string
	}
	if err := json.NewDecoder(resp.Body).Decode(&report); err != nil {
		return fmt.Errorf("read /readyz: %w", err)
	}
	if !report.OK || !strings.HasPrefix(report.Clusters[cluster], want) {
		return fmt.Errorf("/readyz says %+v, want %s %s", report, cluster, want)
	}
	return nil
}

// refuses starts one more ferry on another port but with the same state, which must end by itself and say why.
func (s *scene) refuses(pattern string) error {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	second, err := newBot(s.bot.binary, s.dir)
	if err != nil {
		return err
	}
	config, err := os.ReadFile(filepath.Join(s.dir, "config.yaml"))
	if err != nil {
		return err
	}
	file := filepath.Join(s.dir, "second.yaml")
	if err := os.WriteFile(file, bytes.ReplaceAll(config, []byte(s.bot.address), []byte(second.address)), 0o600); err != nil {
		return err
	}
	second.env = append(append([]string(nil), s.bot.env...), "SERVICE_CONFIG_FILE_PATH="+file)
	second.log = filepath.Join(s.dir, "second.log")
	if err := second.start(); err != nil {
		return err
	}
	defer second.kill() //nolint:errcheck // it is over, or that is the error
	select {
	case <-second.ended:
	case <-time.After(patience):
		return fmt.Errorf("a second ferry runs on the same state; its log ends:\n%s", second.tail(20))
	}
	if said := second.tail(20); second.failure == nil || !re.MatchString(said) {
		return fmt.Errorf("it ended (%w) and said:\n%s", orEnded(second.failure), said)
	}
	return nil
}

func (b *bot) logged(pattern string) error {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(b.log)
	if err == nil && !re.Match(text) {
		err = errors.New("the log has no such line")
	}
	return err
}

// tail is the end of ferry's log.
func (b *bot) tail(lines int) string {
	text, err := os.ReadFile(b.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// keepLog puts the log where $FERRY_E2E_LOGS says, if it does, under the test's name.
func (b *bot) keepLog(test string) error {
	keep := os.Getenv("FERRY_E2E_LOGS")
	text, err := os.ReadFile(b.log)
	if keep == "" || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(keep, strings.ReplaceAll(test, "/", "-")+".ferry.log"), text, 0o600)
}
