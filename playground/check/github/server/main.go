// Command server serves the local GitHub with a seeded repository until its standard input ends, for the Node check:
// it prints one line of JSON with its address, its tokens and its routes.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing/fstest"

	"ferry/playground/github"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func options(app *rsa.PublicKey) github.Options {
	seed := fstest.MapFS{
		"README.md":                    {Data: []byte("# fleet\n"), Mode: 0o644},
		"apps/prod/kustomization.yaml": {Data: []byte("images:\n- name: podinfo\n  newTag: 6.5.3\n"), Mode: 0o644},
		"bin/deploy.sh":                {Data: []byte("#!/bin/sh\n"), Mode: 0o755},
		"logo.bin":                     {Data: []byte{0, 1, 2, 255}, Mode: 0o644},
	}
	return github.Options{
		HourlyLimit: 100_000,
		Tokens: map[string]github.Token{
			"writer": {Login: "ferry-bot", Access: github.WriteAccess, Scopes: []string{"repo"}},
			"reader": {Login: "reader", Access: github.ReadAccess},
			"nobody": {Login: "nobody"},
			"ana":    {Login: "ana", Access: github.WriteAccess},
			"ben":    {Login: "ben", Access: github.WriteAccess},
		},
		Apps: []github.App{{ID: appID, ClientID: "Iv1.check", Slug: "ferry", Key: app, Installations: map[int64]github.Access{installation: github.WriteAccess}}},
		Repositories: []github.Repository{
			{Owner: "acme", Name: "fleet", Seed: seed, Teams: []string{"platform"}, Protected: map[string]github.Protection{
				"ruled":   {Ruleset: true, Name: "reviewed", Reviews: 1, Checks: []string{"ci"}},
				"guarded": {Reviews: 2, Checks: []string{"ci"}, Bypass: []string{"ana"}, Pushers: []string{"ferry-bot", "ana"}},
			}},
			{Owner: "acme", Name: "empty"},
		},
	}
}

// The App of the check, and its installation.
const (
	appID        = 12
	installation = 34
)

// run serves until the input ends or ctx does; whoever started it need not know how to stop it.
func run(ctx context.Context) (err error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	s, err := github.New(options(&key.PublicKey))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	web := &http.Server{Handler: s}
	hello := map[string]any{
		"url": "http://" + listener.Addr().String(), "routes": s.Routes(), "dir": s.Repo("acme/fleet").Dir(),
		"writer": "writer", "reader": "reader", "nobody": "nobody", "ana": "ana", "ben": "ben",
		"app": map[string]any{
			"id": appID, "installation": installation,
			"key": string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
		},
	}
	if err := json.NewEncoder(os.Stdout).Encode(hello); err != nil {
		return fmt.Errorf("say where: %w", err)
	}
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener) }()
	ended := make(chan struct{})
	go func() { // the process ends with it: a read from standard input cannot be called off
		defer close(ended)
		commands(s)
	}()
	select {
	case <-ctx.Done():
	case <-ended:
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	}
	if err := web.Close(); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// commands lets the check be an outsider: a line "branch path content" is a commit of theirs, answered with its ID.
func commands(s *github.Server) {
	in := bufio.NewScanner(io.LimitReader(os.Stdin, 1<<20))
	for in.Scan() {
		f := strings.SplitN(in.Text(), " ", 3)
		if len(f) != 3 {
			continue
		}
		id, err := s.Repo("acme/fleet").Commit(f[0], "outside", map[string]string{f[1]: f[2]})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			continue
		}
		fmt.Println(id)
	}
}
