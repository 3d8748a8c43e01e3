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
