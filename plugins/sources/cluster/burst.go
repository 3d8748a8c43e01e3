package cluster

import (
	"context"
	"net"
	"time"
)

// linger is how long a connection that has just brought something is left alone. What
// comes meanwhile comes at once, so that in a storm nobody is woken for each line: a
// wakeup costs more than the line. What comes after silence does not wait.
const linger = 200 * time.Millisecond

// Whoever brings more than much between two pauses, such as a large list, is not a
// storm of lines: for bulk there are no pauses.
const (
	much = 384 << 10
	bulk = time.Second
)

// burst is a connection that is read in bursts. It is read by one goroutine.
type burst struct {
	net.Conn
	buffer []byte
	rest   []byte // of buffer, not yet read
	full   bool   // the last read filled the buffer: more is there
	last   time.Time
	sum    int       // since the last pause
	busy   time.Time // until then there are none
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
		if now := time.Now(); !b.full && !now.Before(b.busy) {
			time.Sleep(linger - now.Sub(b.last))
			b.sum = 0
		}
		n, err := b.Conn.Read(b.buffer)
		b.rest, b.full, b.last, b.sum = b.buffer[:n], n == len(b.buffer), time.Now(), b.sum+n
		if b.sum >= much {
			b.sum, b.busy = 0, b.last.Add(bulk)
		}
		if n == 0 {
			return 0, err
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}
