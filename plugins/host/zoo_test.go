package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"ferry/plugins/api"
	"ferry/plugins/api/wire"
)

// The zoo is this very test binary: with ZOO in its environment it is a plugin of
// that kind of behaviour, so that nothing has to be built.
func TestMain(m *testing.M) {
	if animal := os.Getenv("ZOO"); animal != "" {
		behave(animal)
		return
	}
	_ = os.Setenv("SECRET_OF_FERRY", "x") // which no plugin sees: TestExecutor
	os.Exit(m.Run())
}

func behave(animal string) {
	switch animal {
	case "echo":
		api.ServeExecutor(echo{})
	case "liar":
		api.ServeExecutor(echo{name: "kubectl"})
	case "strict":
		api.ServeExecutor(echo{schema: `{"type":"object","properties":{"size":{"type":"integer"}},"additionalProperties":false}`})
	case "curious":
		api.ServeExecutor(echo{schema: `{"$ref":"file:///etc/passwd"}`})
	case "host":
		hostInProcess(os.Getenv("ZOO_DIR"))
	case "crash":
		panic("no luck today")
	case "mute": // as most programs that somebody takes for a plugin
	case "hang", "sleeper":
		deaf()
	case "garbage":
		fmt.Println(strings.Repeat("<html>", 3000))
		deaf()
	case "knocker":
		fmt.Printf("1|1|unix|/var/run/docker.sock|grpc|%s\n", strings.Repeat("A", 60))
		deaf()
	case "naked":
		fmt.Printf("1|1|unix|%s/x|grpc|\n", os.Getenv("TMPDIR"))
		deaf()
	case "future":
		plugin.Serve(&plugin.ServeConfig{
			HandshakeConfig:  plugin.HandshakeConfig{MagicCookieKey: api.CookieKey, MagicCookieValue: api.CookieValue},
			VersionedPlugins: map[int]plugin.PluginSet{99: {"x": fat{}}}, GRPCServer: plugin.DefaultGRPCServer,
		})
	case "stubborn":
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
		api.ServeExecutor(echo{})
		deaf()
	case "hog":
		go hog()
		api.ServeExecutor(echo{})
	case "loud":
		api.ServeExecutor(&loud{})
	case "parent":
		bear(false)
		api.ServeExecutor(echo{})
	case "runaway":
		bear(true)
		api.ServeExecutor(echo{})
	case "frozen":
		api.ServeExecutor(frozen{})
	case "counter":
		api.ServeSource(counter{})
	case "flood":
		api.ServeSource(counter{endless: true})
	case "guest":
		api.ServeSource(guest{})
	case "witness":
		api.ServeSource(witness{})
	case "fat":
		plugin.Serve(&plugin.ServeConfig{
			HandshakeConfig:  plugin.HandshakeConfig{MagicCookieKey: api.CookieKey, MagicCookieValue: api.CookieValue},
			VersionedPlugins: map[int]plugin.PluginSet{api.Version: {"x": fat{}}}, GRPCServer: plugin.DefaultGRPCServer,
		})
	case "pager":
		api.ServeNotifier(pager{})
	default:
		panic("there is no such animal: " + animal)
	}
}

// deaf does nothing, whoever asks.
func deaf() {
	for {
		time.Sleep(time.Hour)
	}
}

func hog() {
	var held [][]byte
	for len(held) < 1<<20 {
		b := make([]byte, 8<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		held = append(held, b)
		time.Sleep(5 * time.Millisecond)
	}
}

// loud writes to all its outputs, without end, from when hands are shaken.
type loud struct {
	echo
	once sync.Once
}

func (l *loud) Info() api.Info {
	l.once.Do(func() { go l.shout() })
	return l.echo.Info()
}

func (*loud) shout() {
	out := os.NewFile(1, "stdout")
	for i := 0; ; i++ {
		fmt.Fprintf(out, "%d %s\n", i, strings.Repeat("x", 10_000))
		fmt.Fprintf(os.Stderr, "%d and more\n", i)
		fmt.Printf("%d and more\n", i)
	}
}

// bear starts a process that holds the plugin's outputs open, maybe in a session
// of its own.
func bear(away bool) {
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), "ZOO=sleeper")
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: away}
	if err := c.Start(); err != nil {
		panic(err)
	}
}

// frozen stops once it has been asked something.
type frozen struct{ echo }

func (f frozen) Info() api.Info {
	time.AfterFunc(100*time.Millisecond, func() { _ = syscall.Kill(os.Getpid(), syscall.SIGSTOP) })
	return f.echo.Info()
}

type echo struct{ name, schema string }

func (e echo) Info() api.Info {
	i := api.Info{Name: "echo", Version: "1.2.3", Description: "says it again", Schema: []byte(e.schema)}
	if e.name != "" {
		i.Name = e.name
	}
	return i
}

func (echo) Execute(ctx context.Context, r api.ExecuteRequest, out io.Writer) (api.Result, error) {
	switch word, rest, _ := strings.Cut(r.Line, " "); word {
	case "panic":
		panic(rest)
	case "hang":
		<-ctx.Done()
		return api.Result{}, ctx.Err()
	case "ask":
		if !r.Confirmed {
			return api.Result{Confirm: "Really?"}, nil
		}
	case "fail":
		return api.Result{}, errors.New(rest)
	case "env":
		fmt.Fprint(out, strings.Join(os.Environ(), "\n"))
		return api.Result{}, nil
	case "much":
		for {
			if _, err := out.Write(make([]byte, 1<<20)); err != nil {
				return api.Result{}, err
			}
		}
	}
	fmt.Fprintf(out, "%s %s %s %v", r.Binding, r.Line, r.Config, r.User.Groups)
	for _, c := range r.Clusters {
		fmt.Fprintf(out, " %s=%s", c.Name, c.Kubeconfig)
	}
	return api.Result{Title: "said"}, nil
}

// counter counts: its cursor is the number.
type counter struct{ endless bool }

func (counter) Info() api.Info { return api.Info{Name: "counter", Version: "1"} }

func (c counter) Stream(_ context.Context, r api.StreamRequest, emit func(api.Event) error) error {
	var from int
	_, _ = fmt.Sscan(r.Cursor, &from)
	for i := from + 1; c.endless || i <= from+10; i++ {
		if err := emit(api.Event{ID: fmt.Sprint(i), Cursor: fmt.Sprint(i), Title: "counted \xff", Object: []byte(`{"n":1}`)}); err != nil {
			return err
		}
	}
	if r.Cursor == "" {
		if err := emit(api.Event{ID: "big", Object: make([]byte, api.MaxEvent)}); !errors.Is(err, api.ErrTooLarge) {
			return fmt.Errorf("a large event: %w", err)
		}
		return nil
	}
	if from < 20 {
		return nil
	}
	<-time.After(200 * time.Millisecond) // until what was emitted has gone
	panic("counted enough")
}

// fat is a source without manners: its events are larger than they may be.
type fat struct {
	plugin.NetRPCUnsupportedPlugin
	wire.UnimplementedSourceServer
	wire.UnimplementedPluginServer
}

func (f fat) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	wire.RegisterSourceServer(s, f)
	wire.RegisterPluginServer(s, f)
	return nil
}

func (fat) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.ErrUnsupported
}

func (fat) Describe(context.Context, *wire.DescribeRequest) (*wire.DescribeResponse, error) {
	return &wire.DescribeResponse{Kind: api.KindSource, Name: "fat", Version: "1"}, nil
}

func (fat) Stream(_ *wire.StreamRequest, s grpc.ServerStreamingServer[wire.StreamResponse]) error {
	return s.Send(&wire.StreamResponse{Event: &wire.Event{Object: make([]byte, 4<<20)}})
}

// pager fails as it is told.
type pager struct{}

func (pager) Info() api.Info { return api.Info{Name: "pager", Version: "1"} }

func (pager) Deliver(_ context.Context, n api.Notification) (api.Receipt, error) {
	switch n.Title {
	case "die":
		os.Exit(3)
	case "hang":
		deaf()
	case "busy":
		return api.Receipt{}, api.Again(errors.New("too many"), 7*time.Second)
	case "never":
		return api.Receipt{}, errors.New("no such channel")
	}
	return api.Receipt{Ref: n.ID + "/" + string(n.State) + "/" + n.Previous.Ref, URL: "https://example.com"}, nil
}

// Check takes every configuration but one, and no place but one.
func (pager) Check(_ context.Context, r api.CheckRequest) error {
	if strings.Contains(string(r.Config), "nonsense") {
		return errors.New("nonsense is no address")
	}
	if file, found := strings.CutPrefix(string(r.Config), "token_file: "); found {
		if _, err := os.Stat(file); err != nil {
			return api.Again(fmt.Errorf("token_file: %s is not there", file), 100*time.Millisecond)
		}
	}
	if len(r.To) > 0 && r.To[0] != "C1" {
		return fmt.Errorf("to: there is no channel %s", r.To[0])
	}
	return nil
}

func (pager) Find(_ context.Context, n api.Notification) (api.Receipt, bool, error) {
	return api.Receipt{Ref: n.ID}, n.ID == "known", nil
}
