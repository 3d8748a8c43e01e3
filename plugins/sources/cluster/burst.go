package cluster

import (
	"context"
	"net"
	"time"
)

// linger is how long a connection that has just brought something is left alone. What
// comes meanwhile comes at once, so that in a storm nobody is woken for each line: a
// wakeup costs more than the line. What comes after silence does not wait.
const linger = 100 * time.Millisecond

// burst is a connection that is read in bursts. It is read by one goroutine.
type burst struct {
	net.Conn
	buffer []byte
	rest   []byte // of buffer, not yet read
	full   bool   // the last read filled the buffer: more is there
	last   time.Time
}

// dialing is dial with connections that are read in bursts.
func dialing(dial func(ctx context.Context, network, address string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &burst{Conn: c, buffer: make([]byte, 64<<10)}, nil
	}
}

// Read implements net.Conn.
func (b *burst) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		if !b.full {
			time.Sleep(linger - time.Since(b.last))
		}
		n, err := b.Conn.Read(b.buffer)
		b.rest, b.full, b.last = b.buffer[:n], n == len(b.buffer), time.Now()
		if n == 0 {
			return 0, err
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}
