package testbed

import (
	"context"
	"crypto/tls"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

//go:embed stages.yaml
var stages []byte

//go:embed base.yaml
var base string

// Base are the manifests that every cluster holds before anything is deployed to it.
func Base() string { return base }

// Options of a cluster; only the name is needed.
type Options struct {
	Name     string    // of the context, and of the cluster's folder in a Flux repository
	Dir      string    // takes all state and logs and is kept; "" is a temporary folder that Stop removes
	Progress io.Writer // hears of builds and of the start; nil is silence
	NoFlux   bool      // leaves out Flux' controllers; its kinds are served all the same
	Bare     bool      // etcd and the API server alone: what becomes of nodes and pods is for the test to write
}

// Cluster is one real Kubernetes with a real Flux. Its methods may be called from several goroutines, except Down, Up
// and Stop, which want to be called from one.
type Cluster struct {
	Name    string
	Dynamic dynamic.Interface    // as admin
	Typed   kubernetes.Interface // as admin

	dir       string
	temporary bool
	binaries  *Binaries
	noFlux    bool
	bare      bool
	ports     ports
	port      int    // of the API server
	store     string // etcd's address
	http      *http.Client
	mapper    *restmapper.DeferredDiscoveryRESTMapper

	kubeconfig, ferryKubeconfig, limitedKubeconfig string

	mu        sync.Mutex
	processes []*process // in the order in which they were started
	cancel    context.CancelFunc
	bound     chan struct{} // closed when the binder has returned
}

// Start brings a cluster up and returns when Flux runs in it. Whatever it started is gone when it returns an error.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	if opts.Progress == nil {
		opts.Progress = io.Discard
	}
	built, err := Build(ctx, opts.Progress)
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		Name: opts.Name, dir: opts.Dir, binaries: built, noFlux: opts.NoFlux, bare: opts.Bare,
		http: &http.Client{Timeout: time.Second, Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // asks its own child whether it is up
		}},
	}
	begin := time.Now()
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start cluster %s: %w", opts.Name, err), c.Stop())
	}
	fmt.Fprintf(opts.Progress, "cluster %s is up: %.1f s, %d MiB\n", c.Name, time.Since(begin).Seconds(), c.TotalMemory()>>20)
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	if err := c.prepare(); err != nil {
		return err
	}
	defer c.ports.close()
	etcd, err := c.etcd()
	if err != nil {
		return err
	}
	if err := c.launch(ctx, etcd); err != nil {
		return err
	}
	if err := c.launch(ctx, c.apiserver()); err != nil {
		return err
	}
	if c.bare {
		return nil
	}
	if err := c.startNode(ctx); err != nil {
		return err
	}
	if err := c.startFlux(ctx); err != nil {
		return err
	}
	return c.WaitFor(ctx, "the node to be ready", c.nodeReady)
}

// prepare makes the folder, the identities and the clients.
func (c *Cluster) prepare() (err error) {
	if c.dir == "" {
		c.temporary = true
		if c.dir, err = os.MkdirTemp("", "testbed-"+c.Name+"-"); err != nil {
			return fmt.Errorf("make folder of the cluster: %w", err)
		}
	} else if c.dir, err = filepath.Abs(c.dir); err != nil {
		return fmt.Errorf("resolve folder of the cluster: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(c.dir, "artifacts"), 0o750); err != nil {
		return fmt.Errorf("make folder of the cluster: %w", err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "stages.yaml"), stages, 0o600); err != nil {
		return fmt.Errorf("write stages: %w", err)
	}
	if c.port, err = c.ports.take(); err != nil {
		return err
	}
	id, err := newIdentity(c.dir)
	if err != nil {
		return err
	}
	if c.kubeconfig, err = id.writeKubeconfig("kubeconfig", c.Name, "admin", id.adminToken, c.URL()); err != nil {
		return err
	}
	if c.ferryKubeconfig, err = id.writeKubeconfig("ferry.kubeconfig", c.Name, "ferry", id.ferryToken, c.URL()); err != nil {
		return err
	}
	if c.limitedKubeconfig, err = id.writeKubeconfig("limited.kubeconfig", c.Name, "limited", id.limitedToken, c.URL()); err != nil {
		return err
	}
	return c.connect(&rest.Config{
		Host: c.URL(), BearerToken: id.adminToken, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAData: id.authority},
	})
}

// startNode starts what turns a Deployment into running pods.
func (c *Cluster) startNode(ctx context.Context) error {
	manager, err := c.controllerManager()
	if err != nil {
		return err
	}
	if err := c.launch(ctx, manager); err != nil {
		return err
	}
	if err := c.launch(ctx, c.kwok()); err != nil {
		return err
	}
	if err := c.Apply(ctx, base); err != nil {
		return err
	}
	// The binder outlives ctx: it runs until Stop, which waits for it.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.cancel, c.bound = cancel, make(chan struct{})
	go func() {
		defer close(c.bound)
		binder{pods: c.Typed.CoreV1()}.run(running)
	}()
	return nil
}

// launch starts a command and returns when it serves.
func (c *Cluster) launch(ctx context.Context, command command) error {
	started, err := c.spawn(command)
	if err != nil {
		return err
	}
	return c.serves(ctx, command, started)
}

func (c *Cluster) spawn(command command) (*process, error) {
	for _, port := range command.ports {
		c.ports.release(port)
	}
	command.path = c.binaries.Path(command.name)
	started, err := command.start(c.dir)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.processes = append(c.processes, started)
	return started, nil
}

func (c *Cluster) serves(ctx context.Context, command command, started *process) error {
	if command.ready == "" {
		return nil
	}
	return c.WaitFor(ctx, command.name+" to serve", func(context.Context) (bool, string, error) {
		if err := started.alive(); err != nil {
			return false, "", err
		}
		if err := answers(c.http, command.ready); err != nil {
			return notYet(err)
		}
		return true, "", nil
	})
}

// Down kills the API server: connections break, new ones are refused. Its data stays in etcd.
func (c *Cluster) Down() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.serverIndex(); i >= 0 {
		c.processes[i].kill()
		c.processes = slices.Delete(c.processes, i, i+1)
	}
}

// Up starts the API server again, on the same port with the same data, and returns when it is ready. The controllers
// find back to it by themselves.
func (c *Cluster) Up(ctx context.Context) error {
	if err := c.launch(ctx, c.apiserver()); err != nil {
		return fmt.Errorf("bring cluster %s back: %w", c.Name, err)
	}
	return nil
}

// Forget compacts etcd up to now, as API servers have it done every five minutes: a watch of something older is refused
// from then on.
func (c *Cluster) Forget(ctx context.Context) error {
	var head struct {
		Header struct{ Revision string }
	}
	if err := c.askStore(ctx, "/v3/kv/range", `{"key":"AA=="}`, &head); err != nil {
		return err
	}
	return c.askStore(ctx, "/v3/kv/compaction", `{"revision":"`+head.Header.Revision+`"}`, &head)
}

func (c *Cluster) askStore(ctx context.Context, path, body string, answer any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.store+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask etcd of %s: %w", c.Name, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask etcd of %s: %s answers %s", c.Name, path, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}

// Freeze stops the API server where it stands: connections stay open, new ones are accepted, and nothing answers.
func (c *Cluster) Freeze() error { return c.signalServer(syscall.SIGSTOP) }

// Thaw lets it go on.
func (c *Cluster) Thaw() error { return c.signalServer(syscall.SIGCONT) }

func (c *Cluster) signalServer(signal syscall.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.serverIndex()
	if i < 0 {
		return fmt.Errorf("send %s to the API server of %s: it is down", signal, c.Name)
	}
	if err := syscall.Kill(-c.processes[i].pid, signal); err != nil {
		return fmt.Errorf("send %s to the API server of %s: %w", signal, c.Name, err)
	}
	return nil
}

// serverIndex is where the API server stands in processes, -1 while it is down.
func (c *Cluster) serverIndex() int {
	return slices.IndexFunc(c.processes, func(p *process) bool { return p.name == "kube-apiserver" })
}

// Stop ends every process of the cluster and returns when they are gone. It may be called again.
func (c *Cluster) Stop() error {
	if c.cancel != nil {
		c.cancel()
		<-c.bound
	}
	c.ports.close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.processes) - 1; i >= 0; i-- {
		c.processes[i].kill()
	}
	c.processes = nil
	if c.temporary {
		if err := os.RemoveAll(c.dir); err != nil {
			return fmt.Errorf("remove folder of cluster %s: %w", c.Name, err)
		}
	}
	return nil
}

// URL of the API server.
func (c *Cluster) URL() string { return "https://" + addr(c.port) }

// Dir holds the logs (<process>.log) and all other state.
func (c *Cluster) Dir() string { return c.dir }

// Kubeconfig is the path of the admin's; its context is named like the cluster.
func (c *Cluster) Kubeconfig() string { return c.kubeconfig }

// FerryKubeconfig is the path of the one for ferry, which may do no more than base.yaml grants it.
func (c *Cluster) FerryKubeconfig() string { return c.ferryKubeconfig }

// LimitedKubeconfig is the path of one whose user may list and watch Deployments, and nothing else.
func (c *Cluster) LimitedKubeconfig() string { return c.limitedKubeconfig }

// Memory is what each process holds resident, in bytes.
func (c *Cluster) Memory() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := map[string]int64{}
	for _, p := range c.processes {
		held[p.name] = p.memory()
	}
	return held
}

// TotalMemory is the sum of Memory, in bytes.
func (c *Cluster) TotalMemory() int64 {
	var sum int64
	for _, bytes := range c.Memory() {
		sum += bytes
	}
	return sum
}

// Serving tells whether the API server has been started and not taken down.
func (c *Cluster) Serving() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.serverIndex() >= 0
}
