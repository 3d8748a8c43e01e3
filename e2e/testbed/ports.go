package testbed

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken from below what Linux gives to outgoing connections, so that one that is free now is still free
// when its process binds it.
const (
	lowestPort  = 20000
	highestPort = 32000
)

// ports hands out loopback ports and holds each until it is released, so that two clusters that start side by side
// take none of each other's.
type ports struct {
	held map[int]net.Listener
}

func (p *ports) take() (int, error) {
	for range 200 {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		listener, err := net.Listen("tcp", addr(port))
		if err != nil {
			continue
		}
		if p.held == nil {
			p.held = map[int]net.Listener{}
		}
		p.held[port] = listener
		return port, nil
	}
	return 0, fmt.Errorf("find a free port from %d to %d: none in 200 tries", lowestPort, highestPort)
}

// release frees the port for the process that will bind it now.
func (p *ports) release(port int) {
	if listener, ok := p.held[port]; ok {
		_ = listener.Close()
		delete(p.held, port)
	}
}

// close frees whatever is still held.
func (p *ports) close() {
	for port := range p.held {
		p.release(port)
	}
}

// addr is the loopback address of the port.
func addr(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
