package sock_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/trace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
	"ringo/stats"
)

// listed gives what Handles says of the connection, listener or socket with these addresses.
func listed(t *testing.T, all []stats.Handle, kind, local, remote string) stats.Handle {
	t.Helper()
	n := slices.IndexFunc(all, func(i stats.Handle) bool {
		return i.Kind == kind && i.Local == local && i.Remote == remote
	})
	if n < 0 {
		t.Errorf("no %s %s %s in %+v", kind, local, remote, all)
		return stats.Handle{}
	}
	return all[n]
}

func listedConn(t *testing.T, all []stats.Handle, c *sock.Conn) stats.Handle {
	t.Helper()
	return listed(t, all, "conn", c.LocalAddr().String(), c.RemoteAddr().String())
}

// Handles lists each kind with its addresses, who is at it and what is unread; to a task of the loop, to goroutines,
// and to tasks of other loops alike.
func TestHandles(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			reading, peer1 := accept(t, ln)
			defer peer1.Close()
			defer reading.Close()
			unread, peer2 := accept(t, ln)
			defer peer2.Close()
			defer unread.Close()
			pc, err := sock.ListenPacket(l, "udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer pc.Close()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			p, err := sock.Poll(l, r)
			r.Close()
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			reader := l.Go(func() { reading.Read(make([]byte, 1)) })
			defer reader.Wait()
			defer reading.Close()
			if _, err := peer2.Write([]byte("abc")); err != nil {
				t.Fatal(err)
			}
			if _, err := unread.Peek(3); err != nil {
				t.Fatal(err)
			}
			check := func(who string, all []stats.Handle) {
				if len(all) != 5 {
					t.Errorf("%s: %d handles, want 5: %+v", who, len(all), all)
				}
				if i := listed(t, all, "listener", ln.Addr().String(), ""); i.Network != "tcp" || i.Age == 0 {
					t.Errorf("%s: %+v", who, i)
				}
				if i := listedConn(t, all, reading); i.Reading != "task" || i.State != "open" || i.FD <= 0 ||
					i.Unread != 0 || i.Writing != "" {
					t.Errorf("%s: a connection that a task reads: %+v", who, i)
				}
				if i := listedConn(t, all, unread); i.Unread != 3 || i.Reading == "task" {
					t.Errorf("%s: a connection with 3 bytes unread: %+v", who, i)
				}
				listed(t, all, "packet", pc.LocalAddr().String(), "")
				listed(t, all, "pollable", "|0", "")
			}
			eventuallyOn(t, l, "a reader", func() bool { return listedConn(t, l.Handles(), reading).Reading == "task" })
			check("a task of the loop", l.Handles())
			offloaded(t, l, func() error { check("a goroutine", handles(t, nil, l)); return nil })
			offloaded(t, l, func() error {
				return socktest.RunLoops(t, t.Context(), &cfg, func(other *ringo.Loop) error {
					check("a task of another loop", handles(t, other, l))
					return nil
				})
			})
		})
	})
}

// What was fetched of datagrams and not read is unread, in the loop's memory as in the socket's own.
func TestHandlesOfPackets(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			c, other := listenPacket(t, l, "udp4", "127.0.0.1:0"), listenPacket(t, l, "udp4", "127.0.0.1:0")
			defer c.Close()
			defer other.Close()
			const size = 5
			post := func(to *sock.PacketConn, n int) {
				for range n {
					if _, err := other.WriteToUDPAddrPort(make([]byte, size), portOf(to)); err != nil {
						t.Fatal(err)
					}
				}
			}
			read := func(from *sock.PacketConn) {
				if _, err := from.Read(make([]byte, size)); err != nil {
					t.Fatal(err)
				}
			}
			unread := func() int { return listed(t, l.Handles(), "packet", c.LocalAddr().String(), "").Unread }
			post(c, 2)
			read(c)
			if got := unread(); got != size {
				t.Errorf("%d bytes are unread of a datagram that was fetched, want %d", got, size)
			}
			post(other, 1)
			read(other)
			if got := unread(); got != size {
				t.Errorf("%d bytes are unread of a datagram that was moved, want %d", got, size)
			}
			read(c)
			if got := unread(); got != 0 {
				t.Errorf("%d bytes are unread of none", got)
			}
		})
	})
}

// handles is what is open on l, for a task of self, or a goroutine where that is nil: a loop that is late with the list
// gives an empty one, and is asked again.
func handles(t *testing.T, self, l *ringo.Loop) (all []stats.Handle) {
	t.Helper()
	eventuallyOn(t, self, "a list of what is open", func() bool { all = l.Handles(); return len(all) > 0 })
	return all
}

// A connection that only goroutines use is listed, with the one that reads; and as another when a task has touched it.
func TestHandlesDetached(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		detachedConns(t, cfg, func(l *ringo.Loop, next func() (*sock.Conn, tcpPeer)) {
			c, peer := next()
			defer peer.Close()
			var reader sync.WaitGroup
			reader.Go(func() { c.Read(make([]byte, 1)) })
			eventually(t, "a foreign reader", func() bool {
				i := listedConn(t, handles(t, nil, l), c)
				return i.State == "detached" && i.Reading == "foreign"
			})
			if i := listedConn(t, handles(t, nil, l), c); i.FD <= 0 || i.Network != "tcp" {
				t.Errorf("%+v", i)
			}
			l.Go(func() { c.SetWriteBuffer(1 << 16) }).Wait()
			l.Go(func() { c.Write([]byte("x")) }).Wait()
			eventually(t, "the loop's connection", func() bool {
				i := listedConn(t, handles(t, nil, l), c)
				return i.State == "open" && i.Reading == "foreign"
			})
			c.Close()
			reader.Wait()
			for _, i := range l.Handles() {
				if i.Kind == "conn" {
					t.Errorf("after Close: %+v", i)
				}
			}
		})
	})
}

// While connections come and go, on the loop's side and on that of goroutines, lists have those that stay, once each.
func TestHandlesInMotion(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const stay, rounds = 150, 100
		needNumbers(t, 4*stay)
		detachedConns(t, cfg, func(l *ringo.Loop, next func() (*sock.Conn, tcpPeer)) {
			var theirs []*sock.Conn
			want := map[string]bool{}
			keep := func() {
				c, peer := next()
				t.Cleanup(func() { peer.Close() })
				theirs, want[c.RemoteAddr().String()] = append(theirs, c), true
			}
			for range stay {
				keep()
			}
			for _, c := range theirs[:stay/2] {
				l.Go(func() { c.Write([]byte("x")) }).Wait() // from now on the loop's
			}
			var churn sync.WaitGroup
			defer churn.Wait()
			churn.Go(func() {
				for n := range rounds {
					c, peer := next()
					if n%2 == 0 {
						l.Go(func() { c.Write([]byte("x")) }).Wait()
					}
					c.Close()
					peer.Close()
				}
			})
			var lists sync.WaitGroup
			for range 3 {
				lists.Go(func() {
					for range 10 {
						seen := map[string]int{}
						for _, i := range handles(t, nil, l) {
							seen[i.Remote]++
						}
						for remote := range want {
							if seen[remote] != 1 {
								t.Errorf("%s is listed %d times", remote, seen[remote])
								return
							}
						}
					}
				})
			}
			lists.Wait()
			for _, c := range theirs {
				c.Close()
			}
		})
	})
}

// Handles of a Unix socket have names.
func TestHandlesUnix(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			name := socketPath(t)
			ln, err := sock.Listen(l, "unix", name)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			c, err := sock.Dial(l, "unix", name)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			all := l.Handles()
			if i := listed(t, all, "listener", name, ""); i.Network != "unix" {
				t.Errorf("%+v", i)
			}
			listed(t, all, "conn", c.LocalAddr().String(), name)
		})
	})
}

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
		addr = socketPath(t)
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
	s := ln.Stats()
	task, err := ln.AcceptConn()
	if err != nil {
		t.Error(err)
		return
	}
	_, info := task.TCPInfo()
	told := network == "tcp" && !errors.Is(info, errors.ErrUnsupported)
	switch {
	case told && (s.Queue != len(peers) || s.QueueMax < len(peers)):
		t.Errorf("queue %d of %d, want %d", s.Queue, s.QueueMax, len(peers))
	case !told && (s.Queue != -1 || s.QueueMax != -1):
		t.Errorf("queue %d of %d of a listener of %s, which nobody tells", s.Queue, s.QueueMax, network)
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

// taskNamed waits until the task of a name is parked, and gives what is told of it. The caller is a task of me, or me
// is nil.
func taskNamed(t *testing.T, me, l *ringo.Loop, name string) (found stats.Task) {
	t.Helper()
	eventuallyOn(t, me, name+" to be parked", func() bool {
		for _, i := range l.Tasks() {
			if i.Name == name && i.State == "parked" {
				found = i
				return true
			}
		}
		return false
	})
	return found
}

// A task that waits at a connection says with whom, by which descriptor, for what and until when; and so do those that
// wait behind it.
func TestTaskWaitsAtConn(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			at := time.Now().Add(time.Hour)
			c.SetReadDeadline(at)
			reader := l.GoNamed("reader", func() { read(c) })
			behind := l.GoNamed("behind", func() { read(c) })
			writer := l.GoNamed("writer", func() {
				for write(c) == nil {
					if _, err := c.Write(make([]byte, 1<<20)); err != nil {
						return
					}
				}
			})
			for name, want := range map[string]string{
				"reader": "read", "behind": "read, behind another caller", "writer": "write",
			} {
				i := taskNamed(t, l, l, name)
				op := strings.Split(want, ",")[0]
				if i.WaitOp != op || i.FD < 0 || i.Peer != peer.LocalAddr().String() || i.HolderLoop != -1 ||
					!strings.HasPrefix(i.Wait, op) || !strings.Contains(i.Wait, strings.TrimPrefix(want, op)) ||
					!strings.Contains(i.Wait, fmt.Sprintf("fd %d, peer %s", i.FD, i.Peer)) {
					t.Errorf("what waits to %s is %+v", want, i)
				}
				d := i.Until.Sub(at)
				if i.Until.IsZero() != (name == "writer") || name != "writer" && d.Abs() > time.Minute {
					t.Errorf("%s waits until %v, want %v", name, i.Until, at)
				}
			}
			c.Close()
			for _, task := range []*ringo.Task{reader, behind, writer} {
				task.Wait()
			}
		})
	})
}

// A task that waits at another loop's connection says so.
func TestTaskWaitsAtOtherLoop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		conns := make(chan *sock.Conn)
		s := serve(t, cfg, perConn(func(c *sock.Conn) {
			conns <- c // a goroutine takes it at once
			c.Loop().Draining().Recv()
		}))
		peer := s.dial()
		defer peer.Close()
		c := <-conns
		other := otherLoop(c.Loop())
		reader := other.GoNamed("reader", func() { read(c) })
		i := taskNamed(t, nil, other, "reader")
		if i.WaitOp != "read" || i.Peer != peer.LocalAddr().String() || i.HolderLoop != c.Loop().Index() || i.FD != -1 {
			t.Errorf("what reads from loop %d is %+v", c.Loop().Index(), i)
		}
		c.Close()
		reader.Wait()
		s.stop()
	})
}

// A listener's task says that it accepts, and connections are known by the function that serves them.
func TestTasksOfServers(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		h := &sock.Handler{Request: waitsForMore}
		s := serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error { return sock.Serve(l, ln, h) })
		peer := s.dial()
		defer peer.Close()
		send(t, peer, "x")
		l := s.loops[0]
		want := map[string]string{"ringo/sock_test.waitsForMore": "read", "ringo/sock_test.serve.func1.1": "accept"}
		found := map[string]stats.Task{}
		eventually(t, "both to be parked", func() bool {
			for _, i := range l.Tasks() {
				if i.State == "parked" {
					found[i.WaitOp] = i
				}
			}
			return len(found) == len(want)
		})
		if i := found["read"]; i.Name != "ringo/sock_test.waitsForMore" || i.Peer != peer.LocalAddr().String() ||
			!strings.Contains(i.At, "info_test.go:") {
			t.Errorf("a Request is %+v", i)
		}
		if i := found["accept"]; i.FD < 0 || i.Peer != "" {
			t.Errorf("what accepts is %+v", i)
		}
		peer.Close()
		s.stop()
	})
}

// waitsForMore is a Request that waits for what its peer does not send.
func waitsForMore(c *sock.Conn) error {
	c.Discard(1)
	_, err := c.Read(make([]byte, 1))
	return err
}

// member is a task of a Group, which the trace knows by this name.
func member() error { return nil }

// An execution trace has tasks by name, what they wait for, and turns. What began before it or ends after it is no
// trouble: of a task that the first trace has seen begin, the second has the end.
func TestExecutionTrace(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			early := l.GoNamed("early", func() { l.Sleep(time.Millisecond); l.Sleep(0) })
			others(l)
			var mu ringo.Mutex
			var server *ringo.Task
			raw := traced(t, l, func() {
				server = l.GoNamed("server", func() {
					p := make([]byte, 1)
					for {
						trace.WithRegion(l.Context(), "request", func() {})
						if _, err := c.Read(p); err != nil {
							return
						}
					}
				})
				mu.Lock()
				locker := l.GoNamed("locker", func() { mu.Lock(); mu.Unlock() })
				others(l) // the server reads, the locker waits
				l.Yield()
				mu.Unlock()
				g := ringo.NewGroup(l)
				g.Go(member)
				g.Wait()
				locker.Wait()
				early.Wait()
			})
			wantEventsOn(t, l, raw,
				`RegionBegin .*Type="turn"`, `RegionEnd .*Type="turn"`,
				`TaskBegin .*Type="server"`, `RegionBegin .*Task=[1-9]\d* Type="read"`,
				`RegionBegin .*Task=[1-9]\d* Type="request"`,
				`TaskBegin .*Type="locker"`, `RegionBegin .*Task=[1-9]\d* Type="Mutex.Lock"`,
				`RegionEnd .*Task=[1-9]\d* Type="Mutex.Lock"`, `TaskEnd .*Type="locker"`,
				`TaskBegin .*Type="ringo/sock_test.member"`, `TaskEnd .*Type="ringo/sock_test.member"`,
				`RegionBegin .*Task=0 Type="Task.Wait"`, `RegionBegin .*Type="yield"`,
			)
			raw = traced(t, l, func() {
				peer.Close()
				server.Wait()
			})
			wantEventsOn(t, l, raw, `RegionEnd .*Task=[1-9]\d* Type="read"`, `TaskEnd `)
		})
	})
}

// traced is a trace of what a task does.
func traced(t *testing.T, l *ringo.Loop, f func()) []byte {
	t.Helper()
	var raw bytes.Buffer
	if err := trace.Start(&raw); err != nil {
		t.Skip(err) // there is one of the whole test
	}
	l.Sleep(0) // the loop looks once a turn
	f()
	trace.Stop()
	return raw.Bytes()
}

// wantEventsOn is wantEvents for a task.
func wantEventsOn(t *testing.T, l *ringo.Loop, raw []byte, want ...string) {
	t.Helper()
	offloaded(t, l, func() error { wantEvents(t, raw, want...); return nil })
}

// traceTool returns where Go's tool for traces is. Each "go tool trace" would look whether it has to be built anew.
var traceTool = sync.OnceValues(func() (string, error) {
	path, err := exec.Command("go", "tool", "-n", "trace").Output()
	return strings.TrimSpace(string(path)), err
})

// wantEvents wants a trace that Go's own tool can read, with these events.
func wantEvents(t *testing.T, raw []byte, want ...string) {
	t.Helper()
	tool, err := traceTool()
	if err != nil { // the names are in any trace of them
		for _, w := range want {
			if name := regexp.MustCompile(`Type="(.*)"`).FindStringSubmatch(w); name != nil &&
				!bytes.Contains(raw, []byte(name[1])) {
				t.Errorf("the trace does not name %s", name[1])
			}
		}
		return
	}
	file := filepath.Join(t.TempDir(), "trace")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	events, err := exec.Command(tool, "-d=parsed", file).CombinedOutput()
	if err != nil {
		t.Fatalf("go tool trace: %v\n%s", err, events[max(0, len(events)-1000):])
	}
	for _, w := range want {
		if !regexp.MustCompile(w).Match(events) {
			t.Errorf("the trace has no event %s; it has\n%s", w,
				bytes.Join(regexp.MustCompile(`.*(Region|Task)(Begin|End) .*\n`).FindAll(events, 200), nil))
		}
	}
}

// Traces begin and end while tasks do, in the middle of turns and waits, and each can be read.
func TestTracesComeAndGo(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			var over atomic.Bool
			var mu ringo.Mutex
			g := ringo.NewGroup(l)
			for range 8 {
				g.Go(func() error {
					for !over.Load() {
						l.Go(func() {
							mu.Lock()
							trace.StartRegion(l.Context(), "held").End()
							l.Sleep(0)
							mu.Unlock()
						}).Wait()
					}
					return nil
				})
			}
			offloaded(t, l, func() error { // from another thread
				defer over.Store(true)
				for round := range 10 {
					var raw bytes.Buffer
					if err := trace.Start(&raw); err != nil {
						t.Log(err)
						return nil
					}
					turns := l.Stats().Turns
					eventually(t, "a few turns", func() bool { return l.Stats().Turns > turns+5 })
					trace.Stop()
					if round == 9 {
						wantEvents(t, raw.Bytes(), `RegionBegin .*Type="turn"`)
					}
				}
				return nil
			})
			if err := g.Wait(); err != nil {
				t.Error(err)
			}
		})
	})
}
