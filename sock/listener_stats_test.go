package sock_test

import (
	"errors"
	"net"
	"slices"
	"testing"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// A listener counts what it accepts, whoever asks for it, and what of that is open, wherever it goes; the kernel's
// queue is told while it listens.
func TestListenerStats(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		var done ringo.WaitGroup
		done.Add(1)
		err := socktest.RunLoops(t, t.Context(), &cfg, func(l *ringo.Loop) error {
			if l.Index() == 1 {
				done.Wait()
				return nil
			}
			defer done.Done()
			listenerCounts(t, l, "tcp", "127.0.0.1:0")
			listenerCounts(t, l, "unix", "")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func listenerCounts(t *testing.T, l *ringo.Loop, network, addr string) {
	if network == "unix" {
		addr = t.TempDir() + "/s"
	}
	ln, err := sock.Listen(l, network, addr)
	if err != nil {
		t.Error(err)
		return
	}
	if ln.Loop() != l || !slices.Contains(sock.Listeners(), ln) {
		t.Errorf("Listeners lacks a listener")
	}
	want := func(when string, accepted uint64, open int) {
		t.Helper()
		if s := ln.Stats(); s.Accepted != accepted || s.Open != open || s.Errors+s.Backoffs != 0 {
			t.Errorf("%s, %s: %+v, want %d accepted, %d open", network, when, s, accepted, open)
		}
	}
	want("new", 0, 0)
	dial := func() net.Conn {
		c, err := net.Dial(network, ln.Addr().String())
		if err != nil {
			t.Error(err)
		}
		return c
	}
	peers := []net.Conn{dial(), dial(), dial(), dial()}
	// Nobody has accepted: they are in the kernel's queue, all at once where Dial has returned.
	switch s := ln.Stats(); {
	case network == "tcp" && (s.Queue != len(peers) || s.QueueMax < len(peers)):
		t.Errorf("queue %d of %d, want %d", s.Queue, s.QueueMax, len(peers))
	case network == "unix" && (s.Queue != -1 || s.QueueMax != -1):
		t.Errorf("queue %d of %d of a Unix listener", s.Queue, s.QueueMax)
	}
	task, err := ln.AcceptConn()
	if err != nil {
		t.Error(err)
		return
	}
	want("accepted by a task", 1, 1)
	var foreign *sock.Conn
	onGoroutine(t, l, func() {
		if foreign, err = ln.AcceptConn(); err != nil {
			t.Error(err)
		}
	})
	want("accepted by a goroutine", 2, 2)
	task.Close()
	want("one closed", 2, 1)
	moved, err := foreign.MoveTo(l.Loops()[1])
	if err != nil {
		t.Error(err)
		return
	}
	want("one moved", 2, 1)
	moved.Close()
	want("all closed", 2, 0)
	third, err := ln.AcceptConn()
	if err != nil {
		t.Error(err)
		return
	}
	if s := ln.Stats(); s.Ahead > 1 {
		t.Errorf("%d accepted ahead, one was left", s.Ahead)
	}
	ln.Close()
	want("closed", 3, 1)
	if s := ln.Stats(); s.Queue != -1 || s.QueueMax != -1 {
		t.Errorf("queue %d of %d of a closed listener", s.Queue, s.QueueMax)
	}
	if slices.Contains(sock.Listeners(), ln) {
		t.Error("Listeners has a listener that is closed")
	}
	third.Close()
	want("and its last connection", 3, 0)
	for _, p := range peers {
		p.Close()
	}
}

// What a loop has open is counted by kind, and leases while they are held.
func TestHandleStats(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			open := func(kind string) int {
				for _, h := range l.Stats().Handles {
					if h.Kind == kind {
						return h.Open
					}
				}
				return 0
			}
			conns, listeners := open("conn"), open("listener")
			ln := listen(t, l)
			packet, err := sock.ListenPacket(l, "udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			if n, p := open("listener"), open("packet"); n != listeners+1 || p != 1 || conns != 1 {
				t.Errorf("%d connections, %d listeners, %d sockets of datagrams", conns, n, p)
			}
			send(t, peer, "hello")
			lease, err := c.Next()
			if err != nil {
				t.Fatal(err)
			}
			if s := l.Stats(); s.Leases != 1 || s.Buffers < 1 {
				t.Errorf("%d leases, %d buffers", s.Leases, s.Buffers)
			}
			onGoroutine(t, l, lease.Release)
			if s := l.Stats(); s.Leases != 0 {
				t.Errorf("%d leases after the release", s.Leases)
			}
			ln.Close()
			packet.Close()
			c.Close()
			if a, b, p := open("conn"), open("listener"), open("packet"); a != 0 || b != listeners || p != 0 {
				t.Errorf("%d connections, %d listeners, %d sockets of datagrams are still open", a, b, p)
			}
			if err := c.Close(); !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
			if a := open("conn"); a != 0 {
				t.Errorf("%d connections after a second Close", a)
			}
		})
	})
}

// A backlog that is full shows as a queue at its bound.
func TestFullQueue(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			lc := sock.ListenConfig{Backlog: 2}
			ln, err := lc.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			for range 3 {
				c, err := net.DialTimeout("tcp", ln.Addr().String(), patience.Max)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
			}
			if s := ln.Stats(); s.QueueMax != 2 || s.Queue != 3 { // the kernel takes one more than it says
				t.Errorf("queue %d of %d, want 3 of 2", s.Queue, s.QueueMax)
			}
		})
	})
}
