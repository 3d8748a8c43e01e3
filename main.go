// Command ferry carries versions of applications from Kubernetes cluster to
// Kubernetes cluster, asked for in Slack and by way of Git. It is flags and
// signals only; what it does is put together in internal/app.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"ferry/internal/app"
)

// Set by the linker for released builds.
var version, commit string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := app.Main(ctx, app.Process{
		Args: os.Args[1:], Getenv: os.Getenv, Out: os.Stdout, Err: os.Stderr, Version: version, Commit: commit,
	})
	stop()
	os.Exit(code)
}
