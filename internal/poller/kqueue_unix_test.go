//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package poller

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"ringo/internal/sys"
)

// These tests are of the bugs of others' pollers. eachQueue runs them on the system's kqueue, and on Linux on what
// stands for those of several systems.

func pipe(t *testing.T) (r, w int32) {
	t.Helper()
	r, w, res := sys.Pipe()
	want(t, "pipe", res, 0)
	t.Cleanup(func() { sys.Close(r); sys.Close(w) })
	return r, w
}

// gone closes what a test has, and keeps the number for the clean-up.
func gone(t *testing.T, fd int32) { devNull(t, fd) }

const everything = sys.PollIn | sys.PollPri | sys.PollOut | sys.PollRdhup

// The end and what is before it are one event (gnet#531, nng#687): both are told, and the end of what comes is no
// hang-up.
func TestKqueueEndWithData(t *testing.T) {
	eachQueue(t, func(t *testing.T, p *kqueue) {
		a, b := pair(t)
		want(t, "add", p.Add(a, everything, 1), 0)
		only(t, p, 1, sys.PollOut)
		send(t, b, "tail")
		want(t, "shutdown", sys.Shutdown(b, 1), 0)
		events := make([]Event, 4)
		if n := wait(t, p, 0, events); n != 1 || events[0].Ready&^sys.PollOut != sys.PollIn|sys.PollRdhup {
			t.Fatalf("%d events, the first %#x; want data and the end", n, events[0].Ready)
		}
		if n := sys.Recv(a, make([]byte, 16), 0); n != 4 {
			t.Errorf("received %d, want 4", n)
		}
	})
}

// One's own shutdown is told by the filter for writing as an end, and is none (mio#1087).
func TestKqueueOwnShutdown(t *testing.T) {
	eachQueue(t, func(t *testing.T, p *kqueue) {
		a, b := pair(t)
		want(t, "add", p.Add(a, everything, 1), 0)
		only(t, p, 1, sys.PollOut)
		want(t, "shutdown", sys.Shutdown(a, 1), 0)
		events := make([]Event, 4)
		for _, e := range events[:wait(t, p, 0, events)] {
			if e.Ready != sys.PollOut {
				t.Errorf("one's own shutdown is told as %#x", e.Ready)
			}
		}
		send(t, b, "still there")
		only(t, p, 1, sys.PollIn)
	})
}

// A connection that is refused is ready to write (bun#32257): the call that follows has the error, which nothing here
// takes away.
func TestKqueueRefusedConnect(t *testing.T) {
	eachQueue(t, func(t *testing.T, p *kqueue) {
		refusing, at := bound(t)
		sys.Close(refusing)
		c := sys.Socket(sys.AFInet, sys.SockStream|sys.SockNonblock, 0)
		want(t, "socket", min(c, 0), 0)
		defer sys.Close(c)
		if res := sys.Connect(c, at); res == -sys.ECONNREFUSED {
			t.Skip("refused at once")
		} else {
			want(t, "connect", res, -sys.EINPROGRESS)
		}
		want(t, "add", p.Add(c, sys.PollOut, 1), 0)
		only(t, p, 1, sys.PollOut)
		if e, res := sys.GetsockoptInt(c, sys.SolSocket, sys.SoError); e == 0 || res < 0 {
			t.Errorf("the error of the connection is %d (%d)", e, res)
		}
	})
}

// bound gives a listener's socket and its address.
func bound(t *testing.T) (fd int32, at *sys.Sockaddr) {
	t.Helper()
	fd = sys.Socket(sys.AFInet, sys.SockStream, 0)
	want(t, "socket", min(fd, 0), 0)
	at = new(sys.Sockaddr)
	at.Set(netip.MustParseAddrPort("127.0.0.1:0"))
	want(t, "bind", sys.Bind(fd, at), 0)
	want(t, "getsockname", min(sys.Getsockname(fd, at), 0), 0)
	return fd, at
}

// That nobody writes into a pipe any longer is a hang-up, whatever was asked for, as poll(2) has it.
func TestKqueuePipeEnd(t *testing.T) {
	eachQueue(t, func(t *testing.T, p *kqueue) {
		r, w := pipe(t)
		want(t, "add", p.Add(r, sys.PollIn, 1), 0)
		gone(t, w)
		events := make([]Event, 4)
		if n := wait(t, p, 0, events); n != 1 || events[0].Ready != sys.PollIn|sys.PollHup {
			t.Errorf("%d events, the first %#x, want one of an end that is a hang-up", n, events[0].Ready)
		}
	})
}

// That a pipe is not read any longer is told to who writes, whichever filter has it (Go's netpoll_kqueue.go).
func TestKqueuePipeUnread(t *testing.T) {
	eachQueue(t, func(t *testing.T, p *kqueue) {
		r, w := pipe(t)
		for b := make([]byte, 1<<16); sys.Write(w, b) > 0; {
		}
		want(t, "add", p.Add(w, everything, 1), 0)
		none(t, p)
		gone(t, r)
		events := make([]Event, 4)
		if n := wait(t, p, 0, events); n != 1 || events[0].Ready&sys.PollOut == 0 {
			t.Errorf("%d events, the first %#x, want one that says to write", n, events[0].Ready)
		}
		want(t, "write", sys.Write(w, []byte("x")), -sys.EPIPE)
	})
}

// A pipe that is not read already is refused by its filter for writing, with EPIPE or on NetBSD EBADF (mio#582): it is
// ready, as the write says so, too.
func TestKqueueDeadPipe(t *testing.T) {
	eachQueue(t, func(t *testing.T, p *kqueue) {
		r, w := pipe(t)
		gone(t, r)
		want(t, "add", p.Add(w, sys.PollOut, 1), 0)
		only(t, p, 1, sys.PollOut)
		want(t, "remove", p.Remove(w), 0)
		want(t, "add", p.Add(w, sys.PollOut, 2), 0)
		want(t, "remove", p.Remove(w), 0) // before it is told
		none(t, p)
	})
}

// Of two changes the second is made though the first is refused (valkey#715): here what is to go is gone already, with
// the descriptor that was closed, and its number stands for another.
func TestKqueueClosedBehind(t *testing.T) {
	eachQueue(t, func(t *testing.T, p *kqueue) {
		a, _ := pair(t)
		c, d := pair(t)
		want(t, "add", p.Add(a, sys.PollIn, 1), 0)
		want(t, "dup3", dup3(c, a), 0)
		want(t, "modify", p.Modify(a, sys.PollOut, 2), 0)
		only(t, p, 2, sys.PollOut)
		want(t, "dup3", dup3(d, a), 0)
		want(t, "remove", p.Remove(a), 0)
		want(t, "add", p.Add(a, sys.PollIn, 3), 0)
		send(t, c, "x")
		only(t, p, 3, sys.PollIn)
	})
}

// What is ready is told once more after Modify: a filter that is put in again is looked at anew.
func TestKqueueModifyTellsAgain(t *testing.T) {
	eachQueue(t, func(t *testing.T, p *kqueue) {
		a, _ := pair(t)
		want(t, "add", p.Add(a, sys.PollOut, 1), 0)
		for key := range uint64(3) {
			want(t, "modify", p.Modify(a, sys.PollOut, key), 0)
			only(t, p, key, sys.PollOut)
			none(t, p)
		}
	})
}

// Events that were fetched, and had no room, are not told of a descriptor that was taken out since, nor of who has its
// number now.
func TestKqueueFetchedAndGone(t *testing.T) {
	eachQueue(t, func(t *testing.T, p *kqueue) {
		const n = 3
		var fds [n]int32
		for i := range fds {
			a, b := pair(t)
			fds[i] = a
			want(t, "add", p.Add(a, sys.PollIn|sys.PollOut, uint64(i)), 0)
			send(t, b, "x")
		}
		events := make([]Event, 1)
		if got := wait(t, p, 0, events); got != 1 || len(p.pending) == 0 {
			t.Fatalf("%d events, and %d pending", got, len(p.pending))
		}
		for _, fd := range fds {
			want(t, "remove", p.Remove(fd), 0)
			want(t, "add", p.Add(fd, sys.PollRdhup, 9), 0)
		}
		none(t, p)
	})
}

// A list that is not full has all that has come (cpython#109757): the two events of a descriptor are one here, and what
// there is no room for comes with the next Wait.
func TestKqueueAllThatHasCome(t *testing.T) {
	eachQueue(t, func(t *testing.T, p *kqueue) {
		const most = 9
		var near, far [most]int32
		for n := 1; n <= most; n++ {
			near[n-1], far[n-1] = pair(t)
			for room := 1; room <= most; room++ {
				seen := make(map[uint64]uint32)
				for i := range n { // the last first: kernels tell in any order
					key := (i + n - 1) % n
					want(t, "add", p.Add(near[key], everything, uint64(key)), 0)
				}
				for i := range n {
					send(t, far[i], "x")
				}
				for {
					events := make([]Event, room)
					got := wait(t, p, 0, events)
					for _, e := range events[:got] {
						seen[e.Key] |= e.Ready
					}
					if got < room {
						break
					}
				}
				for key := range uint64(n) {
					if seen[key] != sys.PollIn|sys.PollOut {
						t.Errorf("of %d, with room for %d: when all was told, key %d was told %#x",
							n, room, key, seen[key])
					}
					want(t, "remove", p.Remove(near[key]), 0)
					drain(near[key])
				}
			}
		}
	})
}

// The longest times are waited for in parts, since some kernels refuse them (go#14127).
func TestKqueueLongTimeout(t *testing.T) {
	eachQueue(t, func(t *testing.T, p *kqueue) {
		a, b := pair(t)
		want(t, "add", p.Add(a, sys.PollIn, 1), 0)
		send(t, b, "x")
		n := int32(-sys.EINTR)
		for n == -sys.EINTR {
			n = p.Wait(1<<63-1, make([]Event, 4))
		}
		want(t, "wait", n, 1)
	})
}

// What has no readiness is refused as such: files, which some kernels fall over (go#19093), and devices that Darwin
// refuses with EINVAL.
func TestKqueueNoReadiness(t *testing.T) {
	eachQueue(t, func(t *testing.T, p *kqueue) {
		dir := t.TempDir()
		for _, name := range []string{filepath.Join(dir, "file"), dir, os.DevNull} {
			f, err := os.Open(name)
			if errors.Is(err, os.ErrNotExist) {
				f, err = os.Create(name)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			want(t, "add of "+name, p.Add(int32(f.Fd()), everything, 1), -sys.EPERM)
			want(t, "remove of it", p.Remove(int32(f.Fd())), -sys.ENOENT)
		}
	})
}

// An urgent byte is told by a filter of its own where there is one, and else asked for: reads end early at it, so that
// who thinks a short one has emptied the queue would wait for ever.
func TestKqueueUrgent(t *testing.T) {
	eachQueue(t, func(t *testing.T, p *kqueue) {
		a, b := tcpPair(t)
		want(t, "add", p.Add(a, sys.PollIn|sys.PollPri, 1), 0)
		none(t, p)
		if err := syscall.Sendto(int(b), []byte("ab!"), syscall.MSG_OOB, nil); err != nil {
			t.Fatal(err)
		}
		ready := uint32(0)
		for events := make([]Event, 4); ready != sys.PollIn|sys.PollPri; {
			for _, e := range events[:wait(t, p, -1, events)] {
				ready |= e.Ready
			}
		}
	})
}

// tcpPair gives both ends of a connection.
func tcpPair(t *testing.T) (a, b int32) {
	t.Helper()
	ln, at := bound(t)
	defer sys.Close(ln)
	want(t, "listen", sys.Listen(ln, 1), 0)
	b = sys.Socket(sys.AFInet, sys.SockStream, 0)
	want(t, "socket", min(b, 0), 0)
	t.Cleanup(func() { sys.Close(b) })
	want(t, "connect", sys.Connect(b, at), 0)
	a = sys.Accept(ln)
	want(t, "accept", min(a, 0), 0)
	t.Cleanup(func() { sys.Close(a) })
	return a, b
}
