// Command playground shows ferry at work without a cluster, a token or a
// container: a local Slack with a page for the browser, a local GitHub over a
// real Git repository, a registry with the images and charts, three simulated
// clusters that follow the repository, and the unmodified ferry beside them,
// started as anybody would start it.
//
// Slack, GitHub, the registry and a small control interface share one port:
//
//	GET  /playground/state                        people, channels, clusters, addresses
//	POST /playground/cluster/NAME {"state": "up|down|slow|hang"}
//	POST /playground/ferry {"state": "start|kill|stop"}
//	POST /playground/github/pulls/NUMBER {"state": "merged|closed|approved|checked", "method": "merge|squash|rebase"}
//	POST /playground/github/protection/BRANCH {"state": "none|ruleset|reviews|checks|locked"}
//	POST /playground/github/token {"state": "read|write"}: what ferry's token may do
//
// and what package slack adds: say, messages, click and more.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "playground:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("playground", flag.ContinueOnError)
	o := Options{Addr: os.Getenv("PLAYGROUND_ADDR"), Out: os.Stdout, Err: os.Stderr}
	flags.StringVar(&o.Ferry, "ferry", besides("ferry"), "the ferry `binary` to start; empty starts none")
	flags.StringVar(&o.Dir, "dir", "", "`directory` for the repository, the configuration and ferry's state; empty makes one and removes it at the end")
	flags.StringVar(&o.Fleet, "fleet", "demo", "what the clusters follow: `demo`; refusals: apps that ferry does not change, each for another reason; or armada: many apps, for sets")
	settings := flags.String("settings", "", "`file` with further lines of ferry's configuration, such as plugins and alerts")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *settings != "" {
		text, err := os.ReadFile(*settings)
		if err != nil {
			return err
		}
		o.Settings = string(text)
	}
	p, err := New(o)
	if err != nil {
		return err
	}
	return p.Run(ctx)
}

// besides is a file in the directory of this program.
func besides(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}
