package cluster

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// parts is a connection that brings one part with each read.
type parts struct {
	net.Conn
	rest  []string
	reads int
}

func (p *parts) Read(b []byte) (int, error) {
	p.reads++
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest[0])
	p.rest = p.rest[1:]
	return n, nil
}

func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		under := &parts{rest: []string{"first", "second", "eightful", "more", "later"}}
		b := &burst{Conn: under, buffer: make([]byte, 8)}
		small := make([]byte, 3)
		for _, want := range []struct {
			text  string
			after time.Duration
			reads int
		}{
			{"fir", 0, 1}, {"st", 0, 1}, // what is there is not waited for
			{"sec", linger, 2}, {"ond", 0, 2}, // what follows is
			{"eig", linger, 3}, {"htf", 0, 3}, {"ul", 0, 3}, {"mor", 0, 4}, {"e", 0, 4}, // a full buffer says that there is more
		} {
			began := time.Now()
			n, err := b.Read(small)
			if got := string(small[:n]); got != want.text || err != nil || time.Since(began) != want.after || under.reads != want.reads {
				t.Fatalf("%q, %v after %s and %d reads, want %+v", got, err, time.Since(began), under.reads, want)
			}
		}
		time.Sleep(time.Second)
		began := time.Now()
		if n, err := b.Read(small); n != 3 || err != nil || time.Since(began) != 0 {
			t.Errorf("%d bytes, %v, %s after silence", n, err, time.Since(began))
		}
		if rest, err := io.ReadAll(b); string(rest) != "er" || err != nil {
			t.Errorf("%q, %v", rest, err)
		}
		if _, err := b.Read(small); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
}

// river is a connection that brings 10 KiB each millisecond, whether it is read or not.
type river struct {
	net.Conn
	began       time.Time
	taken, most int
}

func (r *river) Read(b []byte) (int, error) {
	if r.taken == r.most {
		return 0, io.EOF
	}
	there := func() int { return min(r.most, int(time.Since(r.began)/time.Millisecond)*10<<10) - r.taken }
	for there() == 0 {
		time.Sleep(time.Millisecond)
	}
	n := min(len(b), there())
	r.taken += n
	return n, nil
}

// TestBulk reads much, which pauses hold up for a moment only.
func TestBulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		under := &river{began: time.Now(), most: 10 << 20}
		reads := &counting{Conn: under}
		began := time.Now()
		n, err := io.Copy(io.Discard, &burst{Conn: reads, buffer: make([]byte, 64<<10)})
		if took := time.Since(began); n != 10<<20 || err != nil || took > 1024*time.Millisecond+linger || reads.n < 500 {
			t.Errorf("%d bytes in %s and %d reads, %v", n, took, reads.n, err)
		}
	})
}

// counting counts reads.
type counting struct {
	net.Conn
	n int
}

func (c *counting) Read(b []byte) (int, error) {
	c.n++
	return c.Conn.Read(b)
}
