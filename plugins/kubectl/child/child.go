// Package child is what one process does that the executor starts for one line on
// one cluster: it runs kubectl's own command, as its library builds it, behind the
// wall. The library keeps what it is told in process globals, reads kubeconfigs,
// preferences and caches from the home folder and ends the process when something
// goes wrong; a process of its own with nothing in its environment, an empty home
// and everything else in memory is what makes all of that harmless.
package child

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"

	"ferry/plugins/kubectl/rules"
	"ferry/plugins/kubectl/wall"
)

// Arg is the one argument with which a process is such a child.
const Arg = "one-line-on-one-cluster"

// JobFD is where a child reads its Job: a pipe that is open as long as its parent
// wants it to live.
const JobFD = 3

// Memory is what a child tries to get by with, in bytes. Twice as much ends it.
const Memory = 384 << 20

// Job is what a child is to do. Nothing of it is on a disk, in the environment or
// in the arguments, where others could read it.
type Job struct {
	Argv       []string    `json:"argv"`
	Kubeconfig []byte      `json:"kubeconfig"`
	Grant      rules.Grant `json:"grant"`
}

// mark is the variable by which ferry finds whatever a plugin has started.
const mark = "FERRY_PLUGIN_RUN"

// Environment is all that a child finds in its environment. dir is its own and empty.
func Environment(dir string) []string {
	return []string{"HOME=" + dir, "TMPDIR=" + dir, "KUBECTL_KUBERC=false", "KUBERC=off", mark + "=" + os.Getenv(mark)}
}

// Main runs the job and returns the exit code, unless kubectl's library ends the
// process before.
func Main() int {
	if err := run(os.NewFile(JobFD, "job")); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return 1
	}
	return 0
}

func run(pipe io.Reader) error {
	limit()
	d := json.NewDecoder(pipe)
	var job Job
	if err := d.Decode(&job); err != nil {
		return fmt.Errorf("read what is to be done: %w", err)
	}
	// The parent never writes again: when this ends, it is gone.
	go func() {
		_, _ = io.Copy(io.Discard, pipe)
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	}()
	command, err := job.command(genericiooptions.IOStreams{In: nothing{}, Out: os.Stdout, ErrOut: os.Stderr})
	if err != nil {
		return err
	}
	if err := cli.RunNoErrOutput(command); err != nil {
		cmdutil.CheckErr(err) // ends the process, in kubectl's words
	}
	return nil
}

// command is kubectl's, made without what looks for plugins and preferences.
func (j Job) command(streams genericiooptions.IOStreams) (*cobra.Command, error) {
	config, err := wall.Config(j.Kubeconfig, j.Grant)
	if err != nil {
		return nil, err
	}
	flags := genericclioptions.NewConfigFlags(true).WithDeprecatedPasswordFlag().
		WithDiscoveryBurst(300).WithDiscoveryQPS(50).WithWarningPrinter(streams)
	flags.WithWrapConfigFn(func(asked *rest.Config) *rest.Config {
		c := rest.CopyConfig(config)
		c.Timeout = asked.Timeout
		return c
	})
	command := cmd.NewKubectlCommand(cmd.KubectlOptions{Arguments: []string{"kubectl"}, ConfigFlags: flags, IOStreams: streams})
	command.SetArgs(j.Argv)
	return command, nil
}

// limit keeps a child from taking the machine: what it cannot get it does without,
// and ends.
func limit() {
	debug.SetMemoryLimit(Memory)
	for resource, most := range map[int]uint64{
		syscall.RLIMIT_DATA: 2 * Memory, syscall.RLIMIT_CORE: 0, syscall.RLIMIT_FSIZE: 64 << 20,
	} {
		_ = syscall.Setrlimit(resource, &syscall.Rlimit{Cur: most, Max: most})
	}
}

// nothing is a standard input at its end.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, io.EOF }
