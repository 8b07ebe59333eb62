//go:build linux

package sock_test

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/race"
	"ringo/sock"
	"ringo/uring"
)

// What a connection may hold of what a peer has sent that does not read: the limit of one receive, 256 KiB,
// and what its handler has of its own, 60 KB here at most. A peer that was read so far may have sent 1 MiB
// before it is known that it no longer is; and all that the kernel has room for where a receive can't be
// limited (before Linux 6.17).
const (
	heldMax   = 360 << 10
	heldKnown = 1100 << 10
	heldOnce  = 1200 << 10
)

// A peer that sends without end and never reads makes the server hold little; the rest is
// the socket's affair, also if there was much in it when the loop came to look. What is
// counted is memory that is live, and the loop's buffers.
func TestGreedyPeersHoldLittle(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector's memory is in the way")
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.StallLimit = -1 // the test holds the loop
		for name, fn := range echoes {
			if name == "reader and writer" {
				continue // it keeps what it can't send by itself
			}
			t.Run(name, func(t *testing.T) {
				s := serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
					roomy(t, ln)
					return fn(l, ln)
				})
				greedy(t, s, "new", 1, heldMax)
				greedy(t, s, "known", 600, heldKnown)
			})
		}
	})
}

// greedy has a few peers be read for a while, kilobytes, and then send without reading.
func greedy(t *testing.T, s *server, name string, kilobytes, most int) {
	const peers = 4
	before := heldBy(s)
	for range peers { // one after the other: a crowd would share the loop's buffers
		c := dial(t, s.addr)
		defer c.Close()
		c.SetReadBuffer(4 << 10)
		for range kilobytes {
			if _, err := io.ReadFull(c, sendBytes(t, c, 1024)); err != nil {
				t.Fatal(err)
			}
		}
		release := make(chan bool)
		s.loops[0].Post(func() { <-release })
		sendUntilStuck(t, c)
		close(release)
		sendUntilStuck(t, c)
	}
	held := (heldBy(s) - before) / peers
	t.Logf("%s: %d KiB a connection", name, held>>10)
	if d := s.loops[0].Info(); d.Lends && !slices.Contains(d.Features, uring.CheckRecvLimit) {
		most = heldOnce
	}
	if held > most {
		t.Errorf("a peer that does not read costs %d KiB, want %d at most", held>>10, most>>10)
	}
}

// sendBytes sends so many bytes, and gives room for as many.
func sendBytes(t *testing.T, c net.Conn, n int) []byte {
	p := make([]byte, n)
	if _, err := c.Write(p); err != nil {
		t.Fatal(err)
	}
	return p
}

// roomy lets much arrive at the connections of a listener before anybody reads, and little
// go out.
func roomy(t *testing.T, ln *sock.Listener) {
	rc, err := ln.SyscallConn()
	if err == nil {
		err = errors.Join(rc.Control(func(fd uintptr) {
			err = errors.Join(syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 2<<20),
				syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 16<<10))
		}), err)
	}
	if err != nil {
		t.Error(err)
	}
}

// sendUntilStuck writes until nothing has gone out for a while.
func sendUntilStuck(t *testing.T, c *net.TCPConn) {
	for {
		c.SetWriteDeadline(time.Now().Add(40 * time.Millisecond))
		n, err := c.Write(greed[:])
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
			return
		}
		if n == 0 {
			return
		}
	}
}

var greed [1 << 20]byte

// heldBy is the live memory of the process, and the buffers in use.
func heldBy(s *server) int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc) + s.stats().Buffers*16<<10
}
