package kubectl

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const module = "../../plugins/kubectl"

// request and answer are what the executor's trial reads and writes.
type request struct {
	Line      string
	Config    []byte
	Clusters  []target
	User      user
	Confirmed bool
}

type target struct {
	Name       string
	Kubeconfig []byte
}

type user struct{ ID string }

type answer struct {
	Output []byte
	Result struct {
		Confirm, Title string
		Failed         bool
	}
	Error string
	Took  time.Duration
	Peak  int64
}

// bench is the executor and kubectl itself beside one cluster.
type bench struct {
	reference  string // the path of kubectl
	kubeconfig string
	clusters   []target
	in         io.Writer
	out        *json.Decoder
}

// build builds both programs and starts the executor's trial.
func build(t *testing.T, kubeconfig string, names ...string) *bench {
	t.Helper()
	dir := t.TempDir()
	for name, pkg := range map[string]string{"trial": "./trial", "kubectl": "./trial/kubectl"} {
		cmd := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, name), pkg)
		cmd.Dir = module
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, out)
		}
	}
	b := &bench{reference: filepath.Join(dir, "kubectl"), kubeconfig: kubeconfig}
	config, err := os.ReadFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b.clusters = append(b.clusters, target{Name: name, Kubeconfig: config})
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "trial"))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	b.in, b.out = stdin, json.NewDecoder(stdout)
	return b
}

// say sends a line as somebody.
func (b *bench) say(t *testing.T, who, line string, confirmed bool) answer {
	t.Helper()
	r := request{Line: line, Config: []byte(config), Clusters: b.clusters, User: user{ID: who}, Confirmed: confirmed}
	if err := json.NewEncoder(b.in).Encode(r); err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := b.out.Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a
}

// kubectl runs kubectl itself, with what it writes to both outputs, as somebody;
// "" is the administrator.
func (b *bench) kubectl(t *testing.T, who string, words ...string) (out string, failed bool) {
	t.Helper()
	args := append([]string{"--kubeconfig", b.kubeconfig}, words...)
	if who != "" {
		args = append([]string{"--as", "ferry:" + who, "--as-group", "people"}, args...)
	}
	cmd := exec.CommandContext(t.Context(), b.reference, args...)
	cmd.Env = []string{"HOME=" + t.TempDir(), "KUBERC=off"}
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	err := cmd.Run()
	if _, exit := errors.AsType[*exec.ExitError](err); err != nil && !exit {
		t.Fatal(err)
	}
	return both.String(), err != nil
}

// attacks reads the executor's list of attempts.
func attacks(t *testing.T, sort string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(module, "testdata", "attacks.txt"))
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for row := range strings.Lines(string(text)) {
		kind, line, ok := strings.Cut(strings.TrimSuffix(row, "\n"), "\t")
		if !ok || kind != sort {
			continue
		}
		if strings.HasPrefix(line, `"`) {
			if line, err = strconv.Unquote(line); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, line)
	}
	return out
}
