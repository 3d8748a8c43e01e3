package host

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"ferry/plugins/api"
)

// child is one start of a plugin.
type child struct {
	*process
	room   string // its folder
	grace  time.Duration
	client *plugin.Client
	conn   *grpc.ClientConn

	peer Peer
	is   api.Description
}

// begin starts a plugin and asks what it is. It is ready within the time that
// ctx leaves; an error leaves nothing behind.
func (k *keeper) begin(ctx context.Context) (_ *child, err error) {
	f, err := k.Find(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkConfig(f.Schema, k.Config); err != nil {
		return nil, err
	}
	c := &child{grace: k.host.o.Grace}
	defer func() {
		if err != nil {
			c.end()
		}
	}()
	if err := c.prepare(k, f); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, k.host.o.Handshake)
	defer cancel()
	c.said.log = k.log
	err = c.connect(ctx, k.Binding)
	if err == nil {
		err = c.describe(ctx, k.Binding, f)
	}
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() != nil: // then it was ended, which explains nothing
		return nil, fmt.Errorf("it was not ready within %s", k.host.o.Handshake)
	default:
		return nil, c.explain(err)
	}
}

// prepare makes the child's folder with the checked copy of its executable.
func (c *child) prepare(k *keeper, f File) error {
	key := make([]byte, 8)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	mark := hex.EncodeToString(key)
	b := &k.Binding
	c.room = filepath.Join(k.host.o.Dir, "run", mark)
	if err := os.MkdirAll(filepath.Dir(c.room), 0o700); err != nil {
		return err
	}
	tmp, err := socketFolder(c.room, mark)
	if err != nil {
		return err
	}
	home := filepath.Join(c.room, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	binary := filepath.Join(c.room, filepath.Base(f.Path))
	if err := checkedCopy(f, binary); err != nil {
		return err
	}
	_, _, version := b.Dialect.Handshake()
	c.process = &process{spawner: k.spawner, tmp: tmp, mark: mark, version: version, said: &tail{tokens: linesAtOnce, refill: time.Now()}}
	c.cmd = exec.Command(binary)
	c.cmd.Dir = home
	c.cmd.Env = []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + home, "TMPDIR=" + tmp, markKey + "=" + mark,
		// Go's collector works harder before the limit is reached.
		"GOMEMLIMIT=" + strconv.FormatInt(b.Memory*7/10, 10),
		"PLUGIN_DEPENDENCY_DIR=" + f.Path + "_deps",
	}
	for key, value := range b.Env {
		c.cmd.Env = append(c.cmd.Env, key+"="+value)
	}
	return nil
}

// socketFolder makes the folders of a child; the one for its socket is elsewhere
// if its path would be too long for one (108 bytes, unix(7)).
func socketFolder(room, mark string) (string, error) {
	if err := os.Mkdir(room, 0o700); err != nil {
		return "", err
	}
	const name = "/plugin-dir1234567890/plugin1234567890"
	tmp := filepath.Join(room, "t")
	if len(tmp)+len(name) > 100 {
		tmp = elsewhere(mark)
	}
	return tmp, os.Mkdir(tmp, 0o700)
}

func elsewhere(mark string) string { return filepath.Join(os.TempDir(), "ferry-plugin-"+mark) }

// connect runs the process and shakes hands.
func (c *child) connect(ctx context.Context, b Binding) error {
	key, value, version := b.Dialect.Handshake()
	c.client = plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  plugin.HandshakeConfig{MagicCookieKey: key, MagicCookieValue: value},
		VersionedPlugins: map[int]plugin.PluginSet{version: {}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		StartTimeout:     time.Hour, // ctx ends it first
		Logger:           hclog.NewNullLogger(),
		SyncStdout:       c.said,
		SyncStderr:       c.said,
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: c.tmp},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, _ string) (runner.Runner, error) {
			c.cmd.Env = append(c.cmd.Env, cmd.Env...)
			return limited{c.process, b.Memory}, nil
		},
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(b.Dialect.Largest())),
			// Fixed windows: what a plugin sends and nobody has taken yet is bounded.
			grpc.WithInitialWindowSize(1 << 20), grpc.WithInitialConnWindowSize(2 << 20),
			grpc.WithDisableServiceConfig(),
		},
	})
	giveUp := context.AfterFunc(ctx, func() { _ = c.Kill(ctx) })
	defer giveUp()
	if _, err := c.client.Start(); err != nil {
		if c.hands != nil {
			_, _ = io.Copy(io.Discard, c.hands) // until it is closed: then wrong is known
			if c.wrong != nil {
				return c.wrong
			}
		}
		return err
	}
	proto, err := c.client.Client()
	if err != nil {
		return err
	}
	c.conn = proto.(*plugin.GRPCClient).Conn // no other protocol is allowed
	c.peer = b.Dialect.Connect(b.Kind, c.conn)
	return nil
}

// limited is a process that is held to its memory as soon as it runs.
type limited struct {
	*process
	memory int64
}

func (l limited) Start(ctx context.Context) error {
	switch err := l.process.Start(ctx); {
	case errors.Is(err, syscall.ENOEXEC):
		return refusal{fmt.Errorf("it is no program for this machine (%s/%s)", runtime.GOOS, runtime.GOARCH)}
	case err != nil:
		return err
	}
	bound(l.pid(), l.memory)
	return nil
}

// describe asks a plugin what it is, and holds that against what was configured.
func (c *child) describe(ctx context.Context, b Binding, f File) error {
	is, err := c.peer.Describe(ctx)
	if err != nil {
		return fmt.Errorf("it does not say what it is: %w", plain(err))
	}
	switch {
	case b.Kind != "" && is.Kind != b.Kind:
		return refusal{fmt.Errorf("it is not of the kind %s but %s", b.Kind, clip(is.Kind))}
	case f.Name != "" && is.Name != f.Name:
		return refusal{fmt.Errorf("it calls itself %q, not %q", clip(is.Name), f.Name)}
	case f.Version != "" && is.Version != f.Version:
		return refusal{fmt.Errorf("it calls itself version %q, not %q", clip(is.Version), f.Version)}
	}
	if err := checkConfig(is.Schema, b.Config); err != nil {
		return err
	}
	c.is = is
	return c.check(ctx, b)
}

// check asks a plugin that can tell whether its configuration is right.
func (c *child) check(ctx context.Context, b Binding) error {
	if !c.is.Checks || b.Config == nil {
		return nil
	}
	err := c.peer.Check(ctx, api.CheckRequest{Binding: b.Name, Config: b.Config, To: b.To})
	if f, own := errors.AsType[api.Failure](err); own {
		if after, again := api.Retry(err); again {
			return unready{fmt.Errorf("it cannot be used yet: %s", clip(f.Error())), after}
		}
		return refusal{errors.New("its configuration does not fit: " + clip(f.Error()))}
	}
	if err != nil {
		return fmt.Errorf("it does not check its configuration: %w", plain(err))
	}
	return nil
}

// ping fails if the plugin does not answer.
func (c *child) ping(ctx context.Context) error {
	_, err := grpc_health_v1.NewHealthClient(c.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: plugin.GRPCServiceName})
	return err
}

// obituary is how long after a broken connection the end of its process is waited
// for: a busy machine takes a while to look for what it has left behind.
const obituary = 3 * time.Second

// explain says why the process ended if that is why something failed.
func (c *child) explain(err error) error {
	_, yet := errors.AsType[unready](err)
	if yet || isRefusal(err) || c.process == nil || c.ended == nil {
		return err
	}
	select {
	case <-c.ended:
	case <-time.After(obituary):
		return err
	}
	said, how := c.said.reason(), "it ended by itself"
	if c.err != nil {
		how = "it ended: " + c.err.Error()
	}
	switch {
	case said != "":
		how += ", " + said
	case errors.Is(err, errHands):
		how += ", without a handshake: is it a plugin?"
	}
	return errors.New(how)
}

// end asks the process to end, ends it and all it has started if it does not
// within its grace, and removes what was its own.
func (c *child) end() {
	if c.client != nil {
		force := time.AfterFunc(c.grace, func() { _ = c.Kill(context.Background()) })
		c.client.Kill()
		force.Stop()
	}
	if c.process != nil && c.ended != nil {
		_ = c.Kill(context.Background())
		<-c.ended
		c.reaping.Wait()
	}
	if c.room != "" {
		forget(c.room)
	}
}

// forget removes a child's folder, and the one for its socket where that is
// elsewhere.
func forget(room string) {
	_ = os.RemoveAll(elsewhere(filepath.Base(room)))
	_ = os.RemoveAll(room)
}

// sweepRuns ends and removes what a ferry that was killed has left behind.
func sweepRuns(runs string) {
	entries, _ := os.ReadDir(runs)
	for _, e := range entries {
		sweep(e.Name())
		forget(filepath.Join(runs, e.Name()))
	}
}

// plain takes from a gRPC error what is for programs.
func plain(err error) error {
	if s, ok := status.FromError(err); ok {
		return errors.New(clip(s.Message()))
	}
	return err
}
