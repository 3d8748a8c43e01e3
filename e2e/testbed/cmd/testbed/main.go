// Command testbed builds the binaries of the testbed, or runs one cluster until it is interrupted.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"ferry/e2e/testbed"
)

const usage = `usage: testbed build       compile what the cache lacks
       testbed up [NAME]   run the cluster NAME (default: testbed) until Ctrl-C`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "testbed:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 1 && args[0] == "build":
		_, err := testbed.Build(ctx, os.Stderr)
		return err
	case len(args) >= 1 && len(args) <= 2 && args[0] == "up":
		return up(ctx, append(args, "testbed")[1])
	default:
		return errors.New(usage)
	}
}

func up(ctx context.Context, name string) error {
	cluster, err := testbed.Start(ctx, testbed.Options{Name: name, Progress: os.Stderr})
	if err != nil {
		return err
	}
	fmt.Printf("export KUBECONFIG=%s\nlogs: %s\nCtrl-C ends it\n", cluster.Kubeconfig(), cluster.Dir())
	<-ctx.Done()
	return cluster.Stop()
}
