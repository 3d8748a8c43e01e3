package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// process runs a plugin in a process group of its own. It is go-plugin's runner
// too, of which it does not trust the process: what is written is read for ever,
// but kept only in part; the process counts as ended when it has, even if a child
// of its own holds its outputs open; and an address is one in its own folder.
type process struct {
	cmd     *exec.Cmd
	tmp     string // where its socket has to be
	mark    string // in its environment, and in that of what it starts
	version int    // of the protocol, that it has to shake hands with
	spawner *spawner
	said    *tail

	stdin, stdout, stderr *os.File
	theirs                []*os.File // the other ends
	hands                 *io.PipeReader
	reading               sync.WaitGroup
	reaping               sync.WaitGroup
	mu                    sync.Mutex // for killed, and for ended while it starts
	killed                bool
	wrong                 error // with the handshake, once hands is closed
	ended                 chan struct{}
	err                   error // once ended
}

// Start implements runner.Runner.
func (p *process) Start(context.Context) error {
	if err := p.pipes(); err != nil {
		return err
	}
	err := p.spawner.start(p.cmd)
	for _, f := range p.theirs {
		_ = f.Close()
	}
	if err != nil {
		p.close()
		return err
	}
	hands, in := io.Pipe()
	p.mu.Lock()
	p.ended, p.hands = make(chan struct{}), hands
	if p.killed { // before it was there
		endGroup(p.cmd.Process.Pid)
	}
	p.mu.Unlock()
	p.reading.Go(func() { p.shake(in) })
	p.reading.Go(func() { _, _ = io.Copy(p.said, p.stderr) })
	p.reaping.Go(p.reap)
	return nil
}

func (p *process) pipes() error {
	for _, one := range []struct {
		ours  **os.File
		give  func(*os.File)
		write bool // we write
	}{
		{&p.stdin, func(f *os.File) { p.cmd.Stdin = f }, true},
		{&p.stdout, func(f *os.File) { p.cmd.Stdout = f }, false},
		{&p.stderr, func(f *os.File) { p.cmd.Stderr = f }, false},
	} {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		if one.write {
			r, w = w, r
		}
		*one.ours = r
		one.give(w)
		p.theirs = append(p.theirs, w)
	}
	return nil
}

func (p *process) close() {
	for _, f := range []*os.File{p.stdin, p.stdout, p.stderr} {
		_ = f.Close()
	}
}

// errHands is for a first line that is no handshake.
var errHands = errors.New("it does not shake hands")

// shake hands on the first line of the output if it is a handshake that ferry
// understands, and reads the rest for ever.
func (p *process) shake(in *io.PipeWriter) {
	line, rest := firstLine(p.stdout)
	if p.wrong = p.hand(line); p.wrong != nil {
		_ = in.CloseWithError(p.wrong)
		_, _ = p.said.Write([]byte(line))
	} else {
		_, _ = io.WriteString(in, line+"\n")
		_ = in.Close()
	}
	_, _ = p.said.Write(rest)
	_, _ = io.Copy(p.said, p.stdout)
}

// firstLine reads up to the first end of a line, and what came with it.
func firstLine(r io.Reader) (line string, rest []byte) {
	var got []byte
	part := make([]byte, 512)
	for len(got) < handshakeMax {
		n, err := r.Read(part)
		got = append(got, part[:n]...)
		if first, after, ok := bytes.Cut(got, []byte("\n")); ok {
			return strings.TrimSpace(string(first)), after
		}
		if err != nil {
			break
		}
	}
	return strings.TrimSpace(string(got)), nil
}

// hand says what is wrong with a handshake, which go-plugin would say in words for
// programmers.
func (p *process) hand(line string) error {
	parts := strings.Split(line, "|")
	if len(parts) < 5 || parts[0] != "1" {
		if line == "" {
			return errHands
		}
		return refusal{fmt.Errorf("it wrote %q where its handshake belongs", clip(strings.ToValidUTF8(line, "?")))}
	}
	if version, err := strconv.Atoi(parts[1]); err != nil || version != p.version {
		return refusal{fmt.Errorf("it speaks version %s of the protocol, ferry speaks %d", clip(parts[1]), p.version)}
	}
	if parts[4] != "grpc" {
		return refusal{fmt.Errorf("it speaks %s, ferry speaks grpc", clip(parts[4]))}
	}
	if len(parts) < 6 || len(parts[5]) <= 50 {
		return refusal{errors.New("it does not use the certificates that it was given")}
	}
	_, _, err := p.PluginToHost(parts[2], parts[3])
	return err
}

// PluginToHost implements runner.Runner. A plugin that names another place than a
// socket of its own would have ferry knock at doors that it may not know.
func (p *process) PluginToHost(network, address string) (string, string, error) {
	if network != "unix" || !strings.HasPrefix(filepath.Clean(address), p.tmp+string(filepath.Separator)) {
		return "", "", refusal{fmt.Errorf("it wants to be called at %s %s, which is not its own", clip(network), clip(address))}
	}
	if i, err := os.Lstat(address); err != nil || i.Mode()&os.ModeSocket == 0 {
		return "", "", refusal{fmt.Errorf("it wants to be called at %s, which is no socket", clip(address))}
	}
	return network, address, nil
}

// HostToPlugin implements runner.Runner.
func (p *process) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// reap waits for the process, ends what it has left behind, and closes its
// outputs even if somebody still holds them.
func (p *process) reap() {
	state, err := p.cmd.Process.Wait()
	if err == nil && !state.Success() {
		err = errors.New(state.String())
	}
	endGroup(p.cmd.Process.Pid)
	sweep(p.mark)
	soon := time.Now().Add(100 * time.Millisecond)
	_, _ = p.stdout.SetReadDeadline(soon), p.stderr.SetReadDeadline(soon)
	p.reading.Wait()
	p.close()
	p.err = err
	close(p.ended)
}

// Wait implements runner.Runner.
func (p *process) Wait(context.Context) error {
	<-p.ended
	return p.err
}

// Kill implements runner.Runner: it ends the whole group, and what is not started
// yet as soon as it is.
func (p *process) Kill(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killed = true
	if p.ended == nil {
		return nil
	}
	select {
	case <-p.ended:
	default:
		endGroup(p.cmd.Process.Pid)
	}
	return nil
}

// Stdout implements runner.Runner: the handshake alone.
func (p *process) Stdout() io.ReadCloser { return p.hands }

// Stderr implements runner.Runner: it is read here already.
func (p *process) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name implements runner.Runner.
func (p *process) Name() string { return p.cmd.Path }

// ID implements runner.Runner.
func (p *process) ID() string { return strconv.Itoa(p.pid()) }

// Diagnose implements runner.Runner.
func (p *process) Diagnose(context.Context) string { return "" }

func (p *process) pid() int {
	if p.cmd.Process == nil {
		return 0
	}
	return p.cmd.Process.Pid
}
