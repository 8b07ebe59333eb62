//go:build linux

package sock_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/internal/posix"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// A batch is a connection whose task has just written a little, and its peer.
type batch struct {
	*testing.T
	here, there *ringo.Loop // here is the connection's
	c           *sock.Conn
	peer        tcpPeer
	fillers     []filler // so that nothing more fits
	at          int      // of the stream, which is what was written beside
	file        string   // with the stream
	content     *os.File // of it
	open        chan struct{}
	opened      bool
	got         chan error // the reader's verdict
	spare       [2]*sock.Conn
}

// filler is zeros that went out between bytes of the stream.
type filler struct{ at, n int }

// withoutFillers is the stream of what came.
func (x *batch) withoutFillers(p []byte) ([]byte, error) {
	for _, f := range x.fillers {
		end := f.at + f.n
		if len(p) < end || bytes.Count(p[f.at:end], []byte{0}) != f.n {
			return nil, fmt.Errorf("of %d bytes those from %d to %d are not what filled the socket", len(p), f.at, end)
		}
		p = slices.Delete(p, f.at, end)
	}
	return p, nil
}

// next is the next n bytes of the stream.
func (x *batch) next(n int) []byte {
	p := make([]byte, n)
	pattern(p, x.at)
	x.at += n
	return p
}

// must fails the test on an error. Any goroutine may call it.
func (x *batch) must(what string, err error) {
	if err != nil {
		x.Errorf("%s: %v", what, err)
	}
}

// write has w take the next n bytes.
func (x *batch) write(w io.Writer, n int) {
	p := x.next(n)
	k, err := w.Write(p)
	if k != n || err != nil {
		x.Errorf("Write(%d bytes) = %d, %v", n, k, err)
	}
}

// read begins to read all that comes to the peer, once the gate is open.
func (x *batch) read() {
	x.open, x.got = make(chan struct{}), make(chan error, 1)
	x.Cleanup(x.gate) // of a peer that never read
	go func() {
		<-x.open
		p, err := io.ReadAll(x.peer)
		if err != nil {
			x.got <- fmt.Errorf("the peer, after %d bytes: %w", len(p), err)
			return
		}
		if p, err = x.withoutFillers(p); err != nil {
			x.got <- err
			return
		}
		if bad := mismatch(p, 0); bad >= 0 {
			x.got <- fmt.Errorf("byte %d of %d is wrong", bad, len(p))
		} else if len(p) != x.at {
			x.got <- fmt.Errorf("%d bytes came, want %d", len(p), x.at)
		} else {
			x.got <- nil
		}
	}()
}

// gate lets the peer read.
func (x *batch) gate() {
	if !x.opened {
		x.opened = true
		close(x.open)
	}
}

// block fills the socket without the connection's knowledge.
func (x *batch) block() {
	x.Helper()
	rc, err := x.c.SyscallConn()
	if err != nil {
		x.Fatal(err)
	}
	filling := new(socktest.Filling)
	for full := false; !full; pause(x.here) {
		x.keepsMemory()
		more := filler{at: x.at}
		rc.Control(func(fd uintptr) {
			for size := 4096; size > 0; {
				n, err := syscall.Write(int(fd), make([]byte, size))
				if more.n += max(0, n); err == syscall.EAGAIN {
					size /= 64
				} else if err != nil {
					x.Error(err)
					break
				}
			}
			full = filling.Full(fd, more.n)
		})
		if more.n > 0 {
			x.fillers = append(x.fillers, more)
		}
	}
}

// keepsMemory has the loop accept something. One that does not for a while gives the memory for it back, and what is
// written then is sent at once, behind a full socket: it waits.
func (x *batch) keepsMemory() {
	x.Helper()
	if x.spare[0] == nil {
		var err error
		if x.spare[0], x.spare[1], err = sock.Pipe(x.here); err != nil {
			x.Fatal(err)
		}
	}
	p := make([]byte, 1)
	_, err := x.spare[0].Write(p)
	x.must("Write to a spare", err)
	_, err = x.spare[1].Read(p)
	x.must("Read of a spare", err)
}

// unsent has what was accepted wait for room. A peer's kernel that is late may make some: then more is written.
func (x *batch) unsent() {
	x.Helper()
	for before := x.waits(); ; x.write(x.c, 33) {
		if others(x.here); x.waits() != before {
			return
		}
		x.block()
	}
}

// turn is a call that takes its turn at the output, and sends nothing.
func (x *batch) turn() {
	if _, err := x.c.SendFile(nil, nil, 0, 0); !errors.Is(err, posix.EINVAL) {
		x.Errorf("SendFile of nothing: %v", err)
	}
}

// waits counts sends that had to wait for room.
func (x *batch) waits() (n uint64) { return opStats(x.here, "send").Submitted }

// goroutine runs f on a goroutine, while the task waits.
func (x *batch) goroutine(f func()) { onGoroutine(x.T, x.here, f) }

// A follower is what comes behind bytes that were accepted.
type follower struct {
	name  string
	quick bool // it returns though the peer reads nothing
	ends  bool // the connection is closed by it
	do    func(x *batch)
}

var followers = []follower{
	{name: "Close", quick: true, ends: true, do: func(x *batch) { x.must("Close", x.c.Close()) }},
	{name: "Close by a goroutine", quick: true, ends: true, do: func(x *batch) {
		x.goroutine(func() { x.must("Close", x.c.Close()) })
	}},
	{name: "Close that lingers", ends: true, do: func(x *batch) {
		x.must("SetLinger", x.c.SetLinger(2))
		x.must("Close", x.c.Close())
	}},
	{name: "CloseWrite", do: func(x *batch) { x.must("CloseWrite", x.c.CloseWrite()) }},
	{name: "CloseWrite by a goroutine", do: func(x *batch) {
		x.goroutine(func() { x.must("CloseWrite", x.c.CloseWrite()) })
	}},
	{name: "Detach", ends: true, do: func(x *batch) {
		fd, _, err := x.c.Detach()
		if err != nil {
			x.Errorf("Detach: %v", err)
			return
		}
		x.goroutine(func() {
			f := os.NewFile(uintptr(fd), "detached")
			x.write(f, 20_000)
			f.Close()
		})
	}},
	{name: "DetachConn", ends: true, do: func(x *batch) {
		conn, err := x.c.DetachConn()
		if err != nil {
			x.Errorf("DetachConn: %v", err)
			return
		}
		x.goroutine(func() {
			x.write(conn, 20_000)
			conn.Close()
		})
	}},
	{name: "DetachTCP", ends: true, do: func(x *batch) {
		conn, _, err := x.c.DetachTCP()
		if err != nil {
			x.Errorf("DetachTCP: %v", err)
			return
		}
		x.goroutine(func() {
			x.write(conn, 20_000)
			conn.Close()
		})
	}},
	{name: "DetachConn by a goroutine", ends: true, do: func(x *batch) {
		x.goroutine(func() {
			conn, err := x.c.DetachConn()
			if err != nil {
				x.Errorf("DetachConn: %v", err)
				return
			}
			x.write(conn, 20_000)
			conn.Close()
		})
	}},
	{name: "MoveTo", ends: true, do: func(x *batch) {
		moved, err := x.c.MoveTo(x.there)
		if err != nil {
			x.Errorf("MoveTo: %v", err)
			return
		}
		x.there.Go(func() {
			x.write(moved, 1000)
			x.write(moved, 20_000)
			x.write(moved, 10)
			x.must("Close", moved.Close())
		}).Wait()
	}},
	{name: "File", do: func(x *batch) {
		f, err := x.c.File()
		if err != nil {
			x.Errorf("File: %v", err)
			return
		}
		x.goroutine(func() {
			x.write(f, 20_000)
			f.Close()
		})
		x.write(x.c, 10)
	}},
	{name: "RawConn.Control", do: func(x *batch) {
		rc, _ := x.c.SyscallConn()
		x.must("Control", rc.Control(func(fd uintptr) { x.write(rawWriter(fd), 100) }))
		x.write(x.c, 10)
	}},
	{name: "RawConn.Control by a goroutine", do: func(x *batch) {
		rc, _ := x.c.SyscallConn()
		x.goroutine(func() { x.must("Control", rc.Control(func(fd uintptr) { x.write(rawWriter(fd), 100) })) })
		x.write(x.c, 10)
	}},
	{name: "RawConn.Control by a task of another loop", do: func(x *batch) {
		rc, _ := x.c.SyscallConn()
		x.there.Go(func() {
			x.must("Control", rc.Control(func(fd uintptr) { x.write(rawWriter(fd), 100) }))
		}).Wait()
		x.write(x.c, 10)
	}},
	{name: "RawConn.Write", do: func(x *batch) {
		rc, _ := x.c.SyscallConn()
		for range 2 {
			p := x.next(2000)
			x.must("RawConn.Write", rc.Write(func(fd uintptr) bool {
				n, err := syscall.Write(int(fd), p)
				p = p[max(0, n):]
				return len(p) == 0 || err != nil && err != syscall.EAGAIN
			}))
			x.write(x.c, 10)
		}
	}},
	{name: "RawConn.Write by a goroutine", do: func(x *batch) {
		rc, _ := x.c.SyscallConn()
		x.goroutine(func() {
			p := x.next(2000)
			x.must("RawConn.Write", rc.Write(func(fd uintptr) bool {
				n, err := syscall.Write(int(fd), p)
				p = p[max(0, n):]
				return len(p) == 0 || err != nil && err != syscall.EAGAIN
			}))
		})
	}},
	{name: "SendFile", do: func(x *batch) {
		f, err := os.Open(x.file)
		if err != nil {
			x.Error(err)
			return
		}
		defer f.Close()
		const n = 30_000
		head := x.next(100)
		for sent := 0; sent < n; {
			k, err := x.c.SendFile(head, f, int64(x.at), int64(n-sent))
			if err != nil {
				x.Errorf("SendFile: %v", err)
				return
			}
			head = nil
			x.at, sent = x.at+k, sent+k
		}
		x.write(x.c, 10)
	}},
	{name: "ReadFrom a file", do: func(x *batch) {
		f, err := os.Open(x.file)
		if err != nil {
			x.Error(err)
			return
		}
		defer f.Close()
		f.Seek(int64(x.at), io.SeekStart)
		n, err := x.c.ReadFrom(io.LimitReader(f, 50_000))
		x.must("ReadFrom", err)
		x.at += int(n)
		x.write(x.c, 10)
	}},
	{name: "ReadFrom", do: func(x *batch) {
		p := x.next(50_000)
		_, err := x.c.ReadFrom(struct{ io.Reader }{bytes.NewReader(p)})
		x.must("ReadFrom", err)
		x.write(x.c, 10)
	}},
	{name: "a copy of little", do: func(x *batch) { x.relay(3000) }},
	{name: "a copy of much", do: func(x *batch) { x.relay(500_000) }},
	{name: "a copy by a goroutine", do: func(x *batch) { x.goroutine(func() { x.relay(200_000) }) }},
	{name: "zero copy", do: func(x *batch) {
		x.c.SetZeroCopy(8192) // where there is none it is a plain Write
		x.write(x.c, 100_000)
		x.write(x.c, 10)
	}},
	{name: "WriteV of little", do: func(x *batch) {
		p := x.next(300)
		_, err := x.c.WriteV([][]byte{p[:1], nil, p[1:100], p[100:]})
		x.must("WriteV", err)
	}},
	{name: "WriteV of much", do: func(x *batch) {
		p := x.next(100_000)
		_, err := x.c.WriteV([][]byte{p[:1], nil, p[1:100], p[100:]})
		x.must("WriteV", err)
		x.write(x.c, 10)
	}},
	{name: "WriteLease", do: func(x *batch) {
		src, in := connect(x.T, x.here)
		defer src.Close()
		defer in.Close()
		for _, n := range []int{100, 3000} {
			send(x.T, in, string(x.next(n)))
			x.at -= n
			for left := n; left > 0; {
				lease, err := src.Next()
				if err != nil {
					x.Errorf("Next: %v", err)
					return
				}
				k, err := x.c.WriteLease(lease)
				x.must("WriteLease", err)
				left -= k
				x.at += k
			}
			x.write(x.c, 10)
		}
	}},
	{name: "WriteLease of plain memory", do: func(x *batch) {
		_, err := x.c.WriteLease(buf.Of(x.next(100_000)))
		x.must("WriteLease", err)
		x.write(x.c, 10)
	}},
	{name: "Write of little", do: func(x *batch) { x.write(x.c, 5); x.write(x.c, 4096) }},
	{name: "Write of 4097", do: func(x *batch) { x.write(x.c, 4097); x.write(x.c, 0); x.write(x.c, 1) }},
	{name: "Write of much", do: func(x *batch) { x.write(x.c, 300_000); x.write(x.c, 10) }},
	{name: "Write by a goroutine", do: func(x *batch) {
		x.goroutine(func() { x.write(x.c, 10); x.write(x.c, 100_000) })
		x.write(x.c, 10)
		x.goroutine(func() { x.write(x.c, 10) })
	}},
	{name: "Write by a task of another loop", do: func(x *batch) {
		x.there.Go(func() { x.write(x.c, 10); x.write(x.c, 100_000) }).Wait()
		x.write(x.c, 10)
	}},
	{name: "Write by an iterator", do: func(x *batch) {
		inIterator(func() { x.write(x.c, 10); x.write(x.c, 100_000); x.write(x.c, 10) })
	}},
	{name: "Write by another task", do: func(x *batch) {
		x.here.Go(func() { x.write(x.c, 10) }).Wait()
		x.here.Go(func() { x.write(x.c, 100_000) }).Wait()
	}},
	{name: "SetBatching and Write", do: func(x *batch) {
		x.must("SetBatching", x.c.SetBatching(false))
		x.write(x.c, 10)
		x.must("SetBatching", x.c.SetBatching(true))
		x.write(x.c, 10)
	}},
	{name: "Flush", do: func(x *batch) { x.must("Flush", x.c.Flush()); x.write(x.c, 10) }},
	{name: "Flush by a goroutine", do: func(x *batch) {
		x.goroutine(func() { x.must("Flush", x.c.Flush()) })
		x.write(x.c, 10)
	}},
	{name: "nothing", quick: true, do: func(x *batch) {}},
}

// rawWriter writes to a descriptor, and waits for the peer where the socket had room for what was accepted and no more.
type rawWriter int

func (fd rawWriter) Write(p []byte) (int, error) {
	for {
		n, err := syscall.Write(int(fd), p)
		if err != syscall.EAGAIN {
			return n, err
		}
		unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1)
	}
}

// relay copies the next n bytes from another connection.
func (x *batch) relay(n int) {
	var src *sock.Conn
	var in tcpPeer
	if x.here.Go(func() { src, in = connect(x.T, x.here) }).Wait() != nil {
		return
	}
	defer in.Close()
	defer src.Close()
	p := x.next(n)
	fed := make(chan error, 1)
	go func() {
		_, err := in.Write(p)
		in.CloseWrite()
		fed <- err
	}()
	if k, err := io.Copy(x.c, src); k != int64(n) || err != nil {
		x.Errorf("io.Copy = %d, %v, want %d", k, err, n)
	}
	x.must("the peer's Write", <-fed)
}

// onBatch runs f as a task, with a connection whose peer reads nothing until the gate is open.
func onBatch(t *testing.T, here, there *ringo.Loop, full bool, f func(x *batch)) {
	t.Helper()
	x := &batch{T: t, here: here, there: there}
	var ln *sock.Listener
	if err := here.Go(func() { ln = listen(t, here) }).Wait(); err != nil {
		t.Fatal(err)
	}
	patience.Within(t.Name(), func() {
		here.Go(func() {
			x.c, x.peer = accept(t, ln)
			ln.Close()
			x.c.SetWriteBuffer(1 << 16)
			x.peer.SetReadBuffer(1 << 16)
			x.read()
			if full {
				x.block()
			} else {
				x.gate()
			}
			f(x)
			x.c.Close()
			x.gate()
			for _, c := range x.spare {
				if c != nil {
					c.Close()
				}
			}
		}).Wait()
		if err := <-x.got; err != nil {
			t.Error(err)
		}
		x.peer.Close()
	})
}

// Whatever comes behind bytes that were accepted finds them sent: the peer gets all, once, in order, and then the end,
// also where the socket had no room for them.
func TestAcceptedGoesFirst(t *testing.T) {
	t.Parallel()
	file := patternFile(t, 1<<20)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Buffers, cfg.BufferSize = 32, 4096
		twoLoops(t, cfg, func(here, there *ringo.Loop) {
			for _, state := range []string{"room", "no room", "unsent"} {
				for _, f := range followers {
					t.Run(state+"/"+f.name, func(t *testing.T) {
						onBatch(t, here, there, state != "room", func(x *batch) {
							x.file = file
							x.write(x.c, 700)
							x.write(x.c, 33)
							if state == "unsent" {
								x.unsent()
							}
							if f.quick {
								f.do(x)
							} else {
								task := here.Go(func() { f.do(x) })
								others(here)
								x.gate()
								task.Wait()
							}
						})
					})
				}
			}
		})
	})
}

// TryWrite stays behind what waits for room, also where there is room by now of which the loop has not heard.
func TestTryWriteBehindUnsent(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		twoLoops(t, cfg, func(here, there *ringo.Loop) {
			onBatch(t, here, there, true, func(x *batch) {
				rc, err := x.c.SyscallConn()
				x.must("SyscallConn", err)
				var sys uintptr
				x.must("Control", rc.Control(func(fd uintptr) { sys = fd }))
				x.write(x.c, 700)
				x.unsent()
				x.gate()
				room := []unix.PollFd{{Fd: int32(sys), Events: unix.POLLOUT}}
				// On the loop's thread, which is deaf.
				patience.UntilBy(x, "the peer makes room", func() {}, func() bool {
					if _, err := unix.Poll(room, 10); err != nil && err != unix.EINTR {
						x.Fatalf("poll: %v", err)
					}
					return room[0].Revents != 0
				})
				p := x.next(8000)
				n, err := x.c.TryWrite(p)
				x.must("TryWrite", err)
				_, err = x.c.Write(p[n:])
				x.must("Write", err)
			})
		})
	})
}

// What was accepted and found no room is alone with the kernel: a Write that waits behind it is no second send, of
// which nobody says that it comes second.
func TestOneSendAtATime(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		twoLoops(t, cfg, func(here, there *ringo.Loop) {
			onBatch(t, here, there, true, func(x *batch) {
				x.write(x.c, 700)
				before := x.waits()
				task := here.Go(func() { x.write(x.c, 8000) })
				for x.waits() == before {
					others(here)
				}
				others(here)
				if n := x.waits() - before; n != 1 {
					t.Errorf("%d sends wait for room", n)
				}
				x.gate()
				task.Wait()
			})
		})
	})
}

// An ending is how a Run ends behind bytes that were accepted.
var runEndings = []struct {
	name string
	do   func(x *batch, cancel func())
}{
	{name: "the function returns", do: func(x *batch, _ func()) {}},
	{name: "Close, and the function returns", do: func(x *batch, _ func()) { x.must("Close", x.c.Close()) }},
	{name: "cancelled, and the function returns", do: func(x *batch, cancel func()) { cancel() }},
	{name: "Close, and cancelled", do: func(x *batch, cancel func()) { x.must("Close", x.c.Close()); cancel() }},
	{name: "cancelled, and Close", do: func(x *batch, cancel func()) { cancel(); x.must("Close", x.c.Close()) }},
	{name: "CloseWrite, and cancelled", do: func(x *batch, cancel func()) {
		x.must("CloseWrite", x.c.CloseWrite())
		cancel()
	}},
	{name: "a task's end", do: func(x *batch, _ func()) { x.here.Go(func() { defer x.c.Close(); x.write(x.c, 10) }) }},
}

// oneRun runs f as the function of a Run of one loop, with a connection and bytes that were accepted, and opens
// the gate when begun says so. It gives the time from then on to the end of Run.
func oneRun(t *testing.T, cfg ringo.Config, full bool, f func(x *batch, cancel func())) *batch {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	x := &batch{T: t}
	err := socktest.RunLoops(t, ctx, &cfg, func(l *ringo.Loop) error {
		x.here = l
		x.c, x.peer = connect(t, l)
		x.c.SetWriteBuffer(1 << 14)
		x.read()
		if full {
			x.block()
		} else {
			x.gate()
		}
		x.write(x.c, 700)
		f(x, cancel)
		return nil
	})
	if err != nil {
		t.Errorf("Run: %v", err)
	}
	return x
}

// What was accepted goes out before the loop ends, also if the socket has no room for it at first, if the connection
// was closed and the peer reads within Grace.
func TestAcceptedBeforeTheEnd(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, state := range []string{"room", "no room"} {
			for _, e := range runEndings {
				t.Run(state+"/"+e.name, func(t *testing.T) {
					patience.Within(t.Name(), func() {
						x := oneRun(t, cfg, state != "room", func(x *batch, cancel func()) {
							if state != "room" { // it reads when the function has returned
								x.here.AfterFunc(20*time.Millisecond, x.gate)
							}
							e.do(x, cancel)
						})
						defer x.peer.Close()
						x.gate()
						if err := <-x.got; err != nil {
							t.Error(err)
						}
					})
				})
			}
		}
	})
}

// Who detaches a connection has ten seconds for the peer to take what was written before, in a cancelled task and in a
// WithTimeout that ends, too.
func TestDetachSendsFirst(t *testing.T) {
	t.Parallel()
	detaches := map[string]func(c *sock.Conn) error{
		"Detach": func(c *sock.Conn) error {
			fd, _, err := c.Detach()
			if err == nil {
				err = syscall.Close(fd)
			}
			return err
		},
		"DetachConn": func(c *sock.Conn) error {
			conn, err := c.DetachConn()
			if err == nil {
				err = conn.Close()
			}
			return err
		},
		"DetachTCP": func(c *sock.Conn) error {
			conn, _, err := c.DetachTCP()
			if err == nil {
				err = conn.Close()
			}
			return err
		},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, detach := range detaches {
			for _, when := range []string{"cancelled before", "cancelled meanwhile", "WithTimeout"} {
				t.Run(name+"/"+when, func(t *testing.T) {
					x := oneRun(t, cfg, true, func(x *batch, _ func()) {
						x.unsent()
						var err error
						task := x.here.Go(func() {
							limit := time.Hour
							if when == "WithTimeout" {
								limit = time.Millisecond
							}
							x.here.WithTimeout(limit, func() error { err = detach(x.c); return nil })
						})
						if when == "cancelled meanwhile" {
							others(x.here)
						}
						if when != "WithTimeout" {
							task.Cancel()
						}
						x.here.Sleep(5 * time.Millisecond)
						x.gate()
						task.Wait()
						x.must(name, err)
					})
					defer x.peer.Close()
					if err := <-x.got; err != nil {
						t.Error(err)
					}
				})
			}
		}
	})
}

// stuck are callers that wait for a peer that reads nothing, behind bytes that were accepted.
var stuck = []struct {
	name string
	do   func(x *batch) error
}{
	{"nobody", func(x *batch) error { return nil }},
	{"Close", func(x *batch) error { return x.c.Close() }},
	{"Close that lingers", func(x *batch) error { x.c.SetLinger(1); return x.c.Close() }},
	{"Flush", func(x *batch) error { return x.c.Flush() }},
	{"CloseWrite", func(x *batch) error { return x.c.CloseWrite() }},
	{"Write", func(x *batch) error { _, err := x.c.Write(make([]byte, 10)); return err }},
	{"Write after Write", func(x *batch) (err error) {
		for err == nil {
			_, err = x.c.Write(make([]byte, 10))
		}
		_, again := x.c.Write(make([]byte, 10))
		return errors.Join(err, again)
	}},
	{"Write of much", func(x *batch) error { _, err := x.c.Write(make([]byte, 100_000)); return err }},
	{"RawConn.Write", func(x *batch) error {
		rc, err := x.c.SyscallConn()
		if err == nil {
			err = rc.Write(func(uintptr) bool { return true })
		}
		return err
	}},
	{"RawConn.Control", func(x *batch) error {
		rc, err := x.c.SyscallConn()
		if err == nil {
			err = rc.Control(func(uintptr) {})
		}
		return err
	}},
	{"Detach", func(x *batch) error {
		fd, _, err := x.c.Detach()
		if err == nil {
			syscall.Close(fd)
		}
		return err
	}},
	{"File", func(x *batch) error {
		f, err := x.c.File()
		if err == nil {
			f.Close()
		}
		return err
	}},
}

// Nobody who waits for a peer that never reads keeps a loop for longer than Grace, or is told anything but that this
// was the end.
func TestUnsentEndsWithGrace(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Grace = 50 * time.Millisecond
		for _, by := range []string{"task", "goroutine"} {
			for _, s := range stuck {
				t.Run(by+"/"+s.name, func(t *testing.T) {
					t.Parallel()
					patience.Within(t.Name(), func() {
						var returned chan struct{}
						began := time.Now()
						do := func(x *batch) {
							if err := s.do(x); errors.Is(err, syscall.ECANCELED) || err != nil &&
								!errors.Is(err, context.Canceled) && !errors.Is(err, net.ErrClosed) &&
								!errors.Is(err, sock.ErrUnsent) {
								t.Errorf("the error is %v", err)
							}
						}
						x := oneRun(t, cfg, true, func(x *batch, cancel func()) {
							x.unsent()
							if by == "task" {
								x.here.Go(func() { do(x) })
							} else {
								returned = make(chan struct{})
								go func() { defer close(returned); do(x) }()
							}
							x.here.Sleep(5 * time.Millisecond)
							began = time.Now()
							cancel()
						})
						if took := time.Since(began); took > 9*time.Second {
							t.Errorf("the end took %v", took)
						}
						if returned != nil {
							<-returned
						}
						x.peer.Close()
					})
				})
			}
		}
	})
}

// A peer that has not got all that was accepted, because the time for that is over, sees a reset and no orderly end.
func TestLostBytesAreNoEnd(t *testing.T) {
	t.Parallel()
	endings := []struct {
		name string
		do   func(x *batch, cancel func())
	}{
		{"left open", func(x *batch, cancel func()) { cancel() }},
		{"Close", func(x *batch, cancel func()) { x.c.Close(); cancel() }},
		{"Close that lingers", func(x *batch, cancel func()) {
			x.c.SetLinger(1)
			x.here.Go(func() { x.c.Close() })
			cancel()
		}},
		{"Close, and a deadline", func(x *batch, _ func()) {
			x.c.SetWriteDeadline(time.Now().Add(time.Millisecond))
			x.c.Close()
		}},
		{"Close behind a deadline", func(x *batch, _ func()) {
			x.c.SetWriteDeadline(time.Unix(1, 0))
			x.c.Flush()
			x.c.Close()
		}},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Grace = 20 * time.Millisecond
		for _, e := range endings {
			t.Run(e.name, func(t *testing.T) {
				patience.Within(t.Name(), func() {
					// A kernel that is late may have made room for all before the end: then nothing was lost.
					patience.Until(t, "bytes that are lost", func() bool {
						x := oneRun(t, cfg, true, func(x *batch, cancel func()) {
							x.unsent()
							e.do(x, cancel)
						})
						defer x.peer.Close()
						x.gate()
						err := <-x.got
						if err != nil && !errors.Is(err, posix.ECONNRESET) {
							t.Errorf("the peer sees %v, want ECONNRESET", err)
						}
						return err != nil
					})
				})
			})
		}
	})
}

// sends counts what has gone out: plain calls, and sends at a turn's end.
func sends(l *ringo.Loop) (plain, batched uint64) {
	return opStats(l, "send").Tried, l.Stats().Driver.Sends
}

// anySends is a count that nothing is compared with.
const anySends = math.MaxUint64

// What a turn writes to a connection is one send.
func TestOneSendATurn(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		twoLoops(t, cfg, func(here, there *ringo.Loop) {
			onBatch(t, here, there, false, func(x *batch) {
				d, out := connect(t, here)
				defer out.Close()
				defer d.Close()
				for round := 0; round < 20; {
					others(here)
					plain, batched := sends(here)
					turns := here.Stats().Turns
					for range 5 {
						x.write(x.c, 100)
						d.Write([]byte("0123456789"))
						x.write(x.c, 1)
					}
					p := x.next(20)
					x.c.WriteV([][]byte{p[:7], p[7:]})
					if here.Stats().Turns == turns { // else a paused thread has made it end
						round++
					} else {
						plain = anySends
					}
					others(here)
					if p, b := sends(here); plain != anySends && (p != plain || b != batched+2) {
						t.Errorf("round %d: %d plain sends and %d batched, want 0 and 2", round, p-plain, b-batched)
					}
					wantPeer(t, here, out, "01234567890123456789012345678901234567890123456789")
				}
			})
		})
	})
}

// largeOnes are what comes behind a small write of the same task, and is too much to be accepted; in how many segments
// both go, if that is for the call to say.
var largeOnes = []struct {
	name     string
	calls    uint64
	segments uint32
	stays    bool // on the loop, if the file can be read without a wait
	do       func(x *batch)
}{
	{name: "Write", calls: 1, do: func(x *batch) { x.write(x.c, 8000) }},
	{name: "Writes of 4096", calls: 1, do: func(x *batch) {
		for range 4 {
			x.write(x.c, 4096)
		}
	}},
	{name: "TryWrite", calls: 1, do: func(x *batch) {
		p := x.next(8000)
		n, err := x.c.TryWrite(p)
		x.must("TryWrite", err)
		if n < len(p) { // as a world's faults have it
			_, err = x.c.Write(p[n:])
			x.must("Write", err)
		}
	}},
	{name: "WriteV", calls: 1, do: func(x *batch) {
		p := x.next(16_000)
		_, err := x.c.WriteV([][]byte{p[:1], nil, p[1:100], p[100:]})
		x.must("WriteV", err)
	}},
	{name: "WriteV of many", calls: 1, do: func(x *batch) {
		parts := make([][]byte, 20)
		for i := range parts {
			parts[i] = x.next(300)
		}
		_, err := x.c.WriteV(parts)
		x.must("WriteV", err)
	}},
	{name: "WriteLease", calls: 1, do: func(x *batch) {
		n, err := x.c.WriteLease(buf.Of(x.next(8000)))
		if n != 8000 || err != nil {
			x.Errorf("WriteLease = %d, %v", n, err)
		}
	}},
	{name: "SendFile", calls: 2, segments: 1, do: func(x *batch) { x.sendFile(nil, 8000) }},
	{name: "SendFile with a head", calls: 2, segments: 1, do: func(x *batch) { x.sendFile(x.next(5000), 8000) }},
	{name: "ReadFrom a file", calls: 1, segments: 1, stays: true, do: func(x *batch) {
		x.content.Seek(int64(x.at), io.SeekStart)
		n, err := x.c.ReadFrom(io.LimitReader(x.content, 4000)) // more goes by other goroutines, whose turns they are
		x.must("ReadFrom", err)
		x.at += int(n)
	}},
}

// sendFile sends the next n bytes, which the file has at the same place.
func (x *batch) sendFile(head []byte, n int) {
	k, err := x.c.SendFile(head, x.content, int64(x.at), int64(n))
	if x.at += k; k != n || err != nil {
		x.Errorf("SendFile = %d, %v", k, err)
	}
}

// An answer that begins with a small write is one call to the kernel, however it goes on: what was accepted travels
// with what is too large for that. Of a file's bytes, which have a call of their own, it travels in one segment.
func TestLargeTakesSmallAlong(t *testing.T) {
	const rounds = 50
	file := patternFile(t, 1<<20)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, large := range largeOnes {
			t.Run(large.name, func(t *testing.T) {
				if large.stays {
					needNoWait(t, file)
				}
				pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
					if large.segments != 0 && socktest.InWorld() {
						return // it has no files of the system's, and no segments
					}
					x := &batch{T: t, here: l, c: c, peer: peer}
					var err error
					if x.content, err = os.Open(file); err != nil {
						t.Fatal(err)
					}
					defer x.content.Close()
					fewest := ^uint32(0) // a process that is not run for 200 ms makes more
					first := x.next(100)
					c.Write(first) // for which the loop has no memory yet
					wantPeer(t, l, peer, string(first))
					for round := 0; round < rounds; {
						others(l)
						from := x.at
						segments := uint32(0)
						if large.segments != 0 {
							segments = segmentsOut(t, c)
						}
						began, turns := calls(l), l.Stats().Turns
						x.write(c, 100)
						large.do(x)
						undisturbed := l.Stats().Turns == turns // else a paused thread has made the turn end
						others(l)
						n := calls(l) - began
						offloaded(t, l, func() error {
							p := make([]byte, x.at-from)
							_, err := io.ReadFull(peer, p)
							if bad := mismatch(p, from); err == nil && bad >= 0 {
								t.Errorf("round %d: byte %d of %d is wrong", round, bad, len(p))
							}
							return err
						})
						if !undisturbed {
							continue
						}
						if round++; socktest.InWorld() { // where sends are short now and then
							continue
						}
						if n != large.calls {
							t.Fatalf("round %d: %d calls, want %d", round, n, large.calls)
						}
						if large.segments != 0 {
							fewest = min(fewest, segmentsOut(t, c)-segments)
						}
					}
					if large.segments != 0 && fewest != large.segments {
						t.Errorf("%d segments at least, want %d", fewest, large.segments)
					}
				})
			})
		}
	})
}

// needNoWait skips a test where a file can't be read without a wait, as on tmpfs.
func needNoWait(t *testing.T, name string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = unix.Preadv2(int(f.Fd()), [][]byte{make([]byte, 1)}, 0, unix.RWF_NOWAIT)
	if errors.Is(err, unix.EOPNOTSUPP) {
		t.Skipf("preadv2 with RWF_NOWAIT: %v", err)
	}
}

// calls counts the calls by which bytes have gone out.
func calls(l *ringo.Loop) (n uint64) {
	for _, name := range []string{"send", "sendmsg", "sendfile"} {
		s := opStats(l, name)
		n += s.Tried + s.Submitted
	}
	return n + l.Stats().Driver.Sends
}

// segmentsOut is how many segments with bytes a connection has sent.
func segmentsOut(t *testing.T, c *sock.Conn) uint32 {
	info, err := unix.GetsockoptTCPInfo(number(c), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		t.Fatal(err)
	}
	return info.Data_segs_out
}

// What a copy moves between two waits is sent at the turn's end, also if it is too much to be copied for that.
func TestCopiesTravelTogether(t *testing.T) {
	const messages, size = 40, 2 * 4096
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			plain, batched := sends(l)
			l.Go(func() { io.Copy(c, c) })
			offloaded(t, l, func() error {
				message := make([]byte, size)
				for range messages {
					if _, err := peer.Write(message); err != nil {
						return err
					}
					if _, err := io.ReadFull(peer, message); err != nil {
						return err
					}
				}
				return peer.CloseWrite()
			})
			p, b := sends(l)
			if p, b = p-plain, b-batched; p > messages/4 || b < messages*3/4 { // some come in pieces
				t.Errorf("%d messages went by %d calls, and %d sends at a turn's end", messages, p, b)
			}
		})
	})
}

// What is more than is accepted for a connection, and for all of a loop, goes out in order.
func TestMoreThanIsAccepted(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		twoLoops(t, cfg, func(here, there *ringo.Loop) {
			for _, size := range []int{1, 100, 1000, 4096, 4097} {
				for _, total := range []int{20 << 10, 300 << 10} {
					t.Run(fmt.Sprint(size, " to ", total), func(t *testing.T) {
						onBatch(t, here, there, false, func(x *batch) {
							for x.at < total {
								x.write(x.c, size)
							}
						})
					})
				}
			}
			t.Run("300 connections", func(t *testing.T) {
				needNumbers(t, 700)
				here.Go(func() {
					var ours []*sock.Conn
					var peers []tcpPeer
					for range 300 {
						c, peer := connect(t, here)
						ours, peers = append(ours, c), append(peers, peer)
					}
					const size, rounds = 1000, 3
					for at := range rounds {
						p := make([]byte, size)
						pattern(p, at*size)
						for _, c := range ours {
							if _, err := c.Write(p); err != nil {
								t.Error(err)
							}
						}
					}
					for i, peer := range peers {
						offloaded(t, here, func() error {
							p := make([]byte, size*rounds)
							_, err := io.ReadFull(peer, p)
							if bad := mismatch(p, 0); bad >= 0 {
								t.Errorf("connection %d: byte %d is wrong", i, bad)
							}
							return err
						})
						ours[i].Close()
						peer.Close()
					}
				}).Wait()
			})
		})
	})
}

// Bytes that are flushed at once leave the room for the next.
func TestFlushLeavesRoom(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		twoLoops(t, cfg, func(here, there *ringo.Loop) {
			onBatch(t, here, there, false, func(x *batch) {
				for range 100 {
					x.write(x.c, 4096)
					x.must("Flush", x.c.Flush())
					others(here)
				}
				// By plain calls while the peer is slow, or if the loop has given its memory back or was stopped in the
				// middle; without the room each time.
				for round := 0; ; round++ {
					plain, batched := sends(here)
					x.write(x.c, 10)
					x.write(x.c, 10)
					others(here)
					if p, b := sends(here); p == plain && b == batched+1 {
						break
					} else if round == 100 {
						t.Fatalf("after 100 flushes: %d plain sends and %d batched, want 0 and 1", p-plain, b-batched)
					}
				}
			})
		})
	})
}

// Without batching each Write is a call at once.
func TestNoBatching(t *testing.T) {
	count := func(x *batch, want uint64) {
		x.Helper()
		others(x.here)
		plain, batched := sends(x.here)
		for range 3 {
			x.write(x.c, 10)
		}
		if p, _ := sends(x.here); p != plain+want {
			x.Errorf("%d plain sends of 3 writes, want %d", p-plain, want)
		}
		others(x.here)
		if _, b := sends(x.here); b-batched != (3-want)/3 {
			x.Errorf("%d batched sends", b-batched)
		}
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, none := range []bool{false, true} {
			cfg.NoBatching = none
			twoLoops(t, cfg, func(here, there *ringo.Loop) {
				onBatch(t, here, there, false, func(x *batch) {
					if none {
						count(x, 3)
					}
					x.c.SetBatching(true)
					count(x, 0)
					x.c.SetBatching(false)
					count(x, 3)
					x.write(x.c, 10)
					x.c.SetBatching(true)
					count(x, 0)
				})
			})
		}
	})
}

// A write deadline is one for bytes that were accepted, too, and to move it has the stream go on.
func TestDeadlineOfUnsent(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		twoLoops(t, cfg, func(here, there *ringo.Loop) {
			for _, by := range []string{"task", "goroutine", "task there"} {
				t.Run(by, func(t *testing.T) {
					onBatch(t, here, there, true, func(x *batch) {
						run := func(f func()) {
							switch by {
							case "task":
								f()
							case "goroutine":
								x.goroutine(f)
							default:
								there.Go(f).Wait()
							}
						}
						x.write(x.c, 700)
						x.unsent()
						x.c.SetWriteDeadline(time.Now().Add(5 * time.Millisecond))
						run(func() {
							for range 2 {
								n, err := x.c.Write([]byte("never"))
								if n != 0 {
									t.Errorf("Write = %d", n)
								}
								wantTimeout(t, "Write", err)
								wantTimeout(t, "Flush", x.c.Flush())
								rc, _ := x.c.SyscallConn()
								wantTimeout(t, "Control", rc.Control(func(uintptr) { t.Error("Control goes first") }))
							}
						})
						before := x.waits()
						x.c.SetWriteDeadline(time.Now().Add(time.Hour))
						if x.waits() == before {
							t.Error("what is unsent waits for a call, though its deadline was moved")
						}
						x.gate()
						run(func() { x.write(x.c, 100) })
						x.c.SetWriteDeadline(time.Time{})
						run(func() { x.write(x.c, 10_000) })
					})
				})
			}
			t.Run("cancel", func(t *testing.T) {
				onBatch(t, here, there, true, func(x *batch) {
					x.write(x.c, 700)
					var err error
					task := here.Go(func() { err = x.c.Flush() })
					others(here)
					task.Cancel()
					task.Wait()
					wantCanceled(t, "Flush", err)
					x.gate()
					x.must("Flush", x.c.Flush())
					x.write(x.c, 700)
				})
			})
		})
	})
}

// What a send of accepted bytes has met is told once, by the next call.
func TestErrorOfAccepted(t *testing.T) {
	calls := []struct {
		name string
		do   func(x *batch) error
	}{
		{"Write", func(x *batch) error { _, err := x.c.Write([]byte("x")); return err }},
		{"Write of much", func(x *batch) error { _, err := x.c.Write(make([]byte, 5000)); return err }},
		{"Flush", func(x *batch) error { return x.c.Flush() }},
		{"Close", func(x *batch) error { return x.c.Close() }},
		{"Write by a goroutine", func(x *batch) (err error) {
			x.goroutine(func() { _, err = x.c.Write([]byte("x")) })
			return err
		}},
		{"Flush by a goroutine", func(x *batch) (err error) { x.goroutine(func() { err = x.c.Flush() }); return err }},
		{"Close by a goroutine", func(x *batch) (err error) { x.goroutine(func() { err = x.c.Close() }); return err }},
		{"Close while goroutines have the output", func(x *batch) error {
			x.goroutine(x.turn)
			return x.c.Close()
		}},
		{"Close by a goroutine while goroutines have the output", func(x *batch) (err error) {
			x.goroutine(func() { x.turn(); err = x.c.Close() })
			return err
		}},
		{"Write behind a goroutine's turn", func(x *batch) error {
			x.goroutine(x.turn)
			_, err := x.c.Write([]byte("x"))
			return err
		}},
		{"Write behind Control", func(x *batch) error {
			rc, _ := x.c.SyscallConn()
			ran := false
			x.must("Control", rc.Control(func(uintptr) { ran = true }))
			x.goroutine(func() { x.must("Control by a goroutine", rc.Control(func(uintptr) {})) })
			if !ran {
				x.Error("Control has called nothing")
			}
			_, err := x.c.Write([]byte("x"))
			return err
		}},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, call := range calls {
			t.Run(call.name, func(t *testing.T) {
				pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
					x := &batch{T: t, here: l, c: c, peer: peer}
					reset(peer)
					socktest.EventuallyOn(t, l, "the reset has come", func() bool {
						info, err := c.TCPInfo()
						return err == nil && info.State == sock.TCPClose
					})
					x.write(c, 10) // accepted, and refused
					others(l)
					err := call.do(x)
					var op *net.OpError
					if !errors.As(err, &op) || op.Op != "write" && op.Op != "close" ||
						!errors.Is(err, posix.EPIPE) && !errors.Is(err, posix.ECONNRESET) {
						t.Errorf("%v, want a *net.OpError with EPIPE or ECONNRESET", err)
					}
					if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
						t.Errorf("Close, which is not the first to tell: %v", err)
					}
				})
			})
		}
	})
}

// A handler whose last answer is lost is told by Closed.
func TestHandlerLearnsOfLostAnswer(t *testing.T) {
	mine := errors.New("the handler's own")
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, result := range []error{nil, mine} {
			closed := make(chan error, 1)
			var peer tcpPeer
			dialled := make(chan struct{})
			s := serve(t, cfg, perRequest(&sock.Handler{
				Request: func(c *sock.Conn) error {
					if len(dialled) > 0 || c.Buffered() == 0 {
						return nil
					}
					if _, err := c.Discard(c.Buffered()); err != nil {
						return err
					}
					awaitIn(c.Loop(), dialled)
					reset(peer)
					if _, err := c.Write([]byte("an answer")); err != nil { // where the reset has been seen
						t.Logf("Write: %v", err)
						c.Close()
						return errSeen
					}
					return result
				},
				Closed: func(_ *sock.Conn, err error) { closed <- err },
			}))
			peer = s.dial()
			close(dialled)
			send(t, peer, "a question")
			patience.Within(t.Name(), func() {
				err := <-closed
				switch {
				case errors.Is(err, errSeen):
				case !errors.Is(err, posix.EPIPE) && !errors.Is(err, posix.ECONNRESET):
					t.Errorf("Closed(%v), want EPIPE or ECONNRESET in it", err)
				case result != nil && !errors.Is(err, result):
					t.Errorf("Closed(%v), want %v in it as well", err, result)
				}
			})
		}
	})
}

var errSeen = errors.New("the reset was seen before")

// WriteV to a slow peer copies nothing: what it is given goes to the kernel from where it is.
func TestWriteVOfSlowPeerCopiesNothing(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		twoLoops(t, cfg, func(here, there *ringo.Loop) {
			onBatch(t, here, there, true, func(x *batch) {
				x.write(x.c, 10)
				others(here) // finds no room
				p := x.next(2000)
				task := here.Go(func() {
					_, err := x.c.WriteV([][]byte{p[:1000], p[1000:]})
					x.must("WriteV", err)
				})
				others(here)
				if sock.Gathered(x.c) {
					t.Error("WriteV has copied what waits for a slow peer")
				}
				x.gate()
				task.Wait()
			})
		})
	})
}

// Peers that read nothing cost the loop a bounded memory, and others their batches not at all.
func TestSlowPeersCostOthersNothing(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const slow = 400
		needNumbers(t, 2*slow)
		onLoop(t, cfg, func(l *ringo.Loop) {
			var conns []*sock.Conn
			var peers []tcpPeer
			var tasks []*ringo.Task
			written := make([]int, slow)
			for range slow {
				c, peer := connect(t, l)
				c.SetWriteBuffer(1 << 14)
				peer.SetReadBuffer(1 << 14)
				conns, peers = append(conns, c), append(peers, peer)
			}
			for i, c := range conns {
				tasks = append(tasks, l.Go(func() {
					for p := make([]byte, 3000+5*i); ; l.Sleep(0) {
						for range 4 { // as much as is accepted in a turn
							n, err := c.Write(p)
							if written[i] += n; err != nil {
								return
							}
						}
					}
				}))
				for before := -1; before != written[i]; others(l) { // until it waits
					before = written[i]
				}
			}
			held := func() (n int) {
				for _, h := range l.Handles() {
					n += h.Unsent
				}
				return n
			}
			eventuallyOn(t, l, "a crowd of slow peers", func() bool { return held() >= 1<<20 })
			if n := held(); n > 3<<19 {
				t.Errorf("%d bytes are kept for peers that read nothing", n)
			}
			quick, out := connect(t, l)
			defer out.Close()
			defer quick.Close()
			moved := func() (n int) { // changes when the kernel has made room for a slow peer
				for _, w := range written {
					n += w
				}
				return n - held()
			}
			said := "there is always room for slow peers"
			for round, counted := 0, 0; counted < 20; round++ {
				if round == 400 {
					t.Fatal(said)
				}
				others(l)
				before := moved()
				plain, batched := sends(l)
				for range 5 {
					quick.Write([]byte("0123456789"))
				}
				others(l)
				if p, b := sends(l); moved() != before {
					wantPeer(t, l, out, "01234567890123456789012345678901234567890123456789")
					continue
				} else if p == plain && b == batched+1 {
					counted++
				} else { // the loop has given its memory back, or was stopped in the middle
					said = fmt.Sprintf("%d plain sends and %d batched, want 0 and 1", p-plain, b-batched)
				}
				wantPeer(t, l, out, "01234567890123456789012345678901234567890123456789")
			}
			for i, c := range conns {
				reset(peers[i])
				tasks[i].Wait()
				c.Close()
			}
		})
	})
}
