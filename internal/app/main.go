// Package app puts ferry together: it reads the configuration, makes the rooms,
// hands each the others behind the interfaces that it asks for, starts them in
// order and stops them in reverse. It is the only package that knows several
// rooms, and it decides nothing else.
//
// Start order: configuration, state file, web server, clusters (each synced or
// known to be stale), what is made of events, plugins, jobs, Slack last. A configuration that cannot work ends
// the process with exit code 2 before anything was started.
package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/config"
	"ferry/internal/fault"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // it ran, and ended by itself
	exitUsage  = 2 // it was told something that cannot work
)

// Process is what a process is given.
type Process struct {
	Args            []string
	Getenv          func(string) string
	Out, Err        io.Writer
	Version, Commit string
}

const usage = `ferry carries versions of apps from cluster to cluster, asked for in Slack.

  ferry [-config FILE]         start the bot
  ferry check [-config FILE]   try everything that the configuration names
  ferry inventory --repo DIR   list what a checkout of the Flux repository holds
  ferry plan --repo DIR …      plan a promotion in a checkout, and prove it
  ferry plugin …               list, install, remove and verify plugins
  ferry state …                back up, check, export or rebuild what ferry remembers
  ferry help-markdown          print the commands as the README shows them
  ferry version                say what this is

The configuration is read from FILE, else from where SERVICE_CONFIG_FILE_PATH
says, else from config.yaml. Tokens come from SLACK_BOT_TOKEN, SLACK_APP_TOKEN
and GITHUB_API_TOKEN. config.example.yaml explains every key.
`

// Main runs the command that the arguments name and returns the exit code.
func Main(ctx context.Context, p Process) int {
	command, args := "", p.Args
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	switch command {
	case "inventory":
		return p.inventory(ctx, args)
	case "plan":
		return p.plan(ctx, args)
	case "state":
		return p.state(ctx, args)
	case "plugin":
		return p.plugin(ctx, args)
	}
	flags := flag.NewFlagSet("ferry", flag.ContinueOnError)
	flags.SetOutput(p.Err)
	flags.Usage = func() { fmt.Fprint(p.Err, usage) }
	file := flags.String("config", "", "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitUsage
	case flags.NArg() > 0:
		fmt.Fprintf(p.Err, "ferry: what is %q?\n\n%s", flags.Arg(0), usage)
		return exitUsage
	}
	switch command {
	case "":
		return p.bot(ctx, *file)
	case "check":
		return p.check(ctx, *file)
	case "version":
		fmt.Fprintln(p.Out, p.version())
		return exitOK
	case "help-markdown":
		fmt.Fprint(p.Out, commandTable())
		return exitOK
	case "help":
		fmt.Fprint(p.Out, usage)
		return exitOK
	default:
		fmt.Fprintf(p.Err, "ferry: there is no command %q\n\n%s", command, usage)
		return exitUsage
	}
}

// version says what was built, of what and with what.
func (p Process) version() string {
	version, commit := p.Version, p.Commit
	if info, ok := debug.ReadBuildInfo(); ok {
		if version == "" && info.Main.Version != "" {
			version = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && commit == "" {
				commit = s.Value
			}
		}
	}
	if version == "" {
		version = "(devel)"
	}
	if commit == "" {
		commit = "unknown"
	}
	return fmt.Sprintf("ferry %s, commit %s, %s %s/%s", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// load reads the configuration; what is wrong with it goes to the error stream.
func (p Process) load(file string) (*config.Config, bool) {
	c, err := config.Load(file, p.Getenv, changing(nil)...)
	if err == nil {
		err = errors.Join(checkVerbs(c), checkAlerts(c))
	}
	if err != nil {
		p.complain(err)
		return nil, false
	}
	return c, true
}

// complain writes an error for the person at the terminal.
func (p Process) complain(err error) {
	fmt.Fprintln(p.Err, err)
	if e, ok := errors.AsType[*fault.Error](err); ok && e.Help != "" {
		fmt.Fprintf(p.Err, "  %s\n", strings.ReplaceAll(e.Help, "\n", "\n  "))
	}
}

// changing are the verbs that need a role.
func changing(c *config.Config) []chat.Verb {
	var out []chat.Verb
	for _, s := range syntaxes(c) {
		if s.Changes {
			out = append(out, s.Verb)
		}
	}
	return out
}

// logger writes to the error stream as the configuration says.
func (p Process) logger(c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // the configuration was checked: this cannot be
	}
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(p.Err, o))
	}
	return slog.New(slog.NewTextHandler(p.Err, o))
}

// commandTable is the README's table of commands.
func commandTable() string {
	var b strings.Builder
	b.WriteString("| command | what it does |\n|---|---|\n")
	for _, s := range syntaxes(nil) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.ReplaceAll(strings.Join(s.Usages(), "`<br>`"), "|", "\\|"), s.Summary)
	}
	return b.String()
}
