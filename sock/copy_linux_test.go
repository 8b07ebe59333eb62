//go:build linux

package sock_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/sim"
	"ringo/sock"
)

// A halt is a copy that ends while its sink has no room: what did not go out must still be there to be read.
type halt struct {
	*testing.T
	here, there *ringo.Loop
	src         *sock.Conn
	to          io.Writer
	stop        func() // has writes to the sink fail
	end         func() // closes the sink
	came        func() []byte
	size        int // of what is to be copied
	filler      int
	some        bool // the sink has room for a while: long enough for splices to begin
}

// sinks are where a copy goes.
var sinks = []struct {
	name string
	make func(x *halt)
}{
	{"conn of the loop", func(x *halt) { x.sinkConn(x.here) }},
	{"conn of another loop", func(x *halt) { x.sinkConn(x.there) }},
	{"conn of net", func(x *halt) {
		ours, peer := netPair[*net.TCPConn](x.T, "tcp")
		ours.SetWriteBuffer(x.buffers())
		x.sinkOf(ours, peer, ours.SyscallConn)
		x.to, x.stop = ours, func() { ours.SetWriteDeadline(time.Unix(1, 0)) }
		x.end = func() { ours.Close() }
	}},
	{"writer that fails", func(x *halt) {
		var got bytes.Buffer
		x.to = writerFunc(func(p []byte) (int, error) {
			if got.Len() > 0 {
				return 0, errSink
			}
			n := (len(p) + 1) / 2
			got.Write(p[:n])
			return n, errSink
		})
		x.stop, x.end, x.came = func() {}, func() {}, got.Bytes
	}},
	{"writer that writes less", func(x *halt) {
		var got bytes.Buffer
		x.to = writerFunc(func(p []byte) (int, error) { got.Write(p[:len(p)/2]); return len(p) / 2, nil })
		x.stop, x.end, x.came = func() {}, func() {}, got.Bytes
	}},
	{"writer that waits", func(x *halt) {
		var got bytes.Buffer
		stopped := ringo.NewChan[struct{}](0)
		x.to = writerFunc(func(p []byte) (int, error) {
			stopped.Recv()
			n := (len(p) + 1) / 2
			got.Write(p[:n])
			return n, errSink
		})
		x.stop, x.end, x.came = stopped.Close, func() {}, got.Bytes
	}},
	{"writer that panics", func(x *halt) { x.panics(0) }},
	{"writer that panics later", func(x *halt) { x.panics(1) }},
}

var errSink = errors.New("the sink has failed")

// sinkConn makes the sink a connection of l.
func (x *halt) sinkConn(l *ringo.Loop) {
	var c *sock.Conn
	var peer tcpPeer
	l.Go(func() { c, peer = connect(x.T, l) }).Wait()
	c.SetWriteBuffer(x.buffers())
	c.SetBatching(false) // so that no room is no room
	x.sinkOf(c, peer, c.SyscallConn)
	x.to, x.stop, x.end = c, func() { c.SetWriteDeadline(time.Unix(1, 0)) }, func() { c.Close() }
}

// panics makes the sink a writer that panics behind so many writes.
func (x *halt) panics(behind int) {
	var got bytes.Buffer
	x.to = writerFunc(func(p []byte) (int, error) {
		if behind--; behind < 0 {
			panic(errSink)
		}
		return got.Write(p)
	})
	x.stop, x.end, x.came = func() {}, func() {}, got.Bytes
}

// buffers is how large those of the sink's are.
func (x *halt) buffers() int {
	if x.some {
		return 1 << 20
	}
	return 1 << 16
}

// sinkOf fills the socket of a sink, whose peer reads nothing until the sink is closed.
func (x *halt) sinkOf(c net.Conn, peer tcpPeer, raw func() (syscall.RawConn, error)) {
	peer.SetReadBuffer(x.buffers())
	rc, err := raw()
	if err != nil {
		x.Fatal(err)
	}
	for same := 0; same < 3 && !x.some; pause(x.here) {
		before := x.filler
		rc.Control(func(fd uintptr) {
			for size := 4096; size > 0; {
				n, err := syscall.Write(int(fd), make([]byte, size))
				if x.filler += max(0, n); err == syscall.EAGAIN {
					size /= 64
				} else if err != nil {
					x.Error(err)
					return
				}
			}
		})
		if same++; before != x.filler {
			same = 0
		}
	}
	x.Cleanup(func() { peer.Close() })
	x.came = func() []byte {
		p, err := readAll(peer, x.filler+x.size)
		if err != nil || len(p) < x.filler {
			x.Errorf("the sink's peer got %d bytes, and %v", len(p), err)
			return nil
		}
		return p[x.filler:]
	}
}

// copyCallers call WriteTo; a cancel ends it in a task.
var copyCallers = []struct {
	name string
	run  func(x *halt, f func()) (cancel func(), done <-chan struct{})
}{
	{"task", func(x *halt, f func()) (func(), <-chan struct{}) { return asTask(x.here, f) }},
	{"iterator", func(x *halt, f func()) (func(), <-chan struct{}) {
		return asTask(x.here, func() { inIterator(f) })
	}},
	{"task of another loop", func(x *halt, f func()) (func(), <-chan struct{}) { return asTask(x.there, f) }},
	{"goroutine", func(x *halt, f func()) (func(), <-chan struct{}) {
		done := make(chan struct{})
		go func() { defer close(done); f() }()
		return nil, done
	}},
}

func asTask(l *ringo.Loop, f func()) (func(), <-chan struct{}) {
	done := make(chan struct{})
	task := l.Go(func() { defer close(done); f() })
	return task.Cancel, done
}

// What a copy has read and could not write is there for the next who reads, whoever copies, whereto, and whatever
// ended it.
func TestCopyGivesBack(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Buffers, cfg.BufferSize = 64, 1024
		for _, sink := range sinks {
			for _, who := range copyCallers {
				twoLoops(t, cfg, func(here, there *ringo.Loop) {
					for _, size := range []int{12, 3 << 20, 16 << 20} {
						for _, how := range []string{"cancel", "canceled before", "deadline"} {
							if !testmain.Long() && (size > 4<<20 || size > 12 && how == "canceled before") {
								continue
							}
							t.Run(fmt.Sprint(sink.name, "/", who.name, "/", size, "/", how), func(t *testing.T) {
								haltOnce(t, here, there, sink.make, who.run, how, size)
							})
						}
					}
				})
			}
		}
	})
}

// copy makes a copy that can't go on, ends it, and counts.
func (x *halt) copy(run func(*halt, func()) (func(), <-chan struct{}), how string, size int) {
	began, ready := make(chan struct{}), make(chan struct{})
	var n int64
	var err error
	cancel, done := run(x, func() {
		close(began)
		if how == "canceled before" {
			<-ready
		}
		defer func() {
			if r := recover(); r != nil {
				n, err = int64(len(x.came())), errSink // nobody else says how much that was
			}
		}()
		n, err = x.src.WriteTo(x.to)
	})
	if cancel == nil || meanwhile[how] != nil || how == "deadline" {
		cancel = x.stop
	}
	offloaded(x.T, x.here, func() error {
		if how == "canceled before" {
			<-began // it holds its loop
			cancel()
			close(ready)
		}
		return nil
	})
	for range 3 { // whenever it is: what is read and not written is the point
		pause(x.here)
	}
	src := deadlineReader(x.src)
	var left <-chan struct{}
	if leave := meanwhile[how]; leave != nil {
		_, left = asTask(x.here, func() {
			if got, err := leave(x); err != nil {
				x.Errorf("%s: %v", how, err)
			} else {
				src = got
			}
		})
		pause(x.here)
	}
	cancel()
	offloaded(x.T, x.here, func() error {
		if <-done; left != nil {
			<-left
		}
		return nil
	})
	if err == nil && n != int64(size) && how != "Read" {
		x.Errorf("WriteTo = %d, nil", n)
	} else if err != nil && !errors.Is(err, context.Canceled) &&
		!errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, errSink) && err != io.ErrShortWrite &&
		(left == nil || !errors.Is(err, net.ErrClosed)) {
		x.Errorf("WriteTo: %v", err)
	}
	offloaded(x.T, x.here, func() error {
		go x.end() // it may wait until its peer reads
		got := x.came()
		src.SetDeadline(patience.Deadline())
		rest, err := readAll(src, size-len(got))
		bad := mismatch(got, 0)
		if bad < 0 {
			bad = mismatch(rest, len(got))
		}
		if how == "Read" { // who reads may have begun before the copy, and come between two of its reads
			bad = mismatchWoven(got, rest)
		}
		if err != nil || bad >= 0 || int64(len(got)) != n || len(got)+len(rest) != size {
			x.Errorf("WriteTo = %d: of %d bytes %d came, and then %d are to be read, the first wrong one %d: %v",
				n, size, len(got), len(rest), bad, err)
		}
		return src.Close()
	})
}

// mismatchWoven is mismatch for a stream of which two have read parts, each in order. It returns the place with which
// neither goes on, -1 if both together have all.
func mismatchWoven(a, b []byte) int {
	const telling = 8 // bytes that are not right by chance
	for at := 0; len(a)+len(b) > 0; {
		n := matching(a, at)
		if m := matching(b, at); m > n {
			a, b, n = b, a, m
		}
		for more := n; n > 0 && n < len(a) && n > more-telling && matching(b, at+n) < min(telling, len(b)); {
			n-- // right by chance
		}
		if n == 0 {
			return at
		}
		a, at = a[n:], at+n
	}
	return -1
}

// matching is how many bytes of p are the stream's from at on.
func matching(p []byte, at int) int {
	if bad := mismatch(p, at); bad >= 0 {
		return bad - at
	}
	return len(p)
}

// Bytes that are missing, or come twice, are found, and those of two readers that take turns are not.
func TestMismatchWoven(t *testing.T) {
	all := make([]byte, 100_000)
	pattern(all, 0)
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var parts [2][]byte
		for at := 0; at < len(all); {
			n := min(1+r.IntN(20_000), len(all)-at)
			who := r.IntN(2)
			parts[who] = append(parts[who], all[at:at+n]...)
			at += n
		}
		if bad := mismatchWoven(parts[0], parts[1]); bad >= 0 {
			t.Fatalf("%d and %d bytes are wrong at %d", len(parts[0]), len(parts[1]), bad)
		}
		for _, p := range parts {
			if len(p) < 100 {
				continue
			}
			at := r.IntN(len(p) - 50)
			for _, wrong := range [][]byte{
				slices.Concat(p[:at], p[at+20:]), slices.Concat(p[:at+20], p[at:]),
			} {
				others := parts[0]
				if &p[0] == &parts[0][0] {
					others = parts[1]
				}
				if mismatchWoven(wrong, others) < 0 {
					t.Fatalf("20 bytes at %d are missing, or come twice, and nothing is wrong", at)
				}
			}
		}
	}
}

// deadlineReader is where the rest is read.
type deadlineReader interface {
	io.ReadCloser
	SetDeadline(time.Time) error
}

// meanwhile is what others do with the source while a copy waits: it goes elsewhere, or somebody else reads.
var meanwhile = map[string]func(x *halt) (deadlineReader, error){
	"MoveTo":     func(x *halt) (deadlineReader, error) { return x.src.MoveTo(x.there) },
	"DetachConn": func(x *halt) (deadlineReader, error) { return x.src.DetachConn() },
	"DetachTCP": func(x *halt) (deadlineReader, error) {
		c, unread, err := x.src.DetachTCP()
		return &behind{c, unread}, err
	},
	"Detach": func(x *halt) (deadlineReader, error) {
		fd, unread, err := x.src.Detach()
		if err != nil {
			return nil, err
		}
		f := os.NewFile(uintptr(fd), "detached")
		defer f.Close()
		c, err := net.FileConn(f)
		return &behind{c, unread}, err
	},
	"Read": func(x *halt) (deadlineReader, error) {
		all, err := readAll(x.src, x.size)
		return &behind{x.src, all}, err
	},
}

// behind is a connection behind bytes that were read before.
type behind struct {
	net.Conn
	unread []byte
}

func (b *behind) Read(p []byte) (int, error) {
	if n := copy(p, b.unread); n > 0 {
		b.unread = b.unread[n:]
		return n, nil
	}
	return b.Conn.Read(p)
}

// A connection that a copy reads from goes elsewhere while the copy waits for its sink, which then fails, or is read by
// somebody else: between what went out and what is to be read then nothing is missing, and all is in order, whoever
// copies, whereto, and wherever it goes.
func TestCopyLeftBehind(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Buffers, cfg.BufferSize = 64, 1024
		for _, sink := range sinks {
			for _, who := range copyCallers {
				twoLoops(t, cfg, func(here, there *ringo.Loop) {
					for how := range meanwhile {
						for _, size := range []int{12, 1 << 18, 16 << 20} {
							rare := size > 4<<20 && (how != "MoveTo" || who.name != "task")
							if (rare || how == "Detach" || how == "DetachTCP") && !testmain.Long() {
								continue
							}
							t.Run(fmt.Sprint(sink.name, "/", who.name, "/", size, "/", how), func(t *testing.T) {
								haltOnce(t, here, there, sink.make, who.run, how, size)
							})
						}
					}
				})
			}
		}
	})
}

// The same of a copy that has gone over to splices, whether what it has in hand is in a pipe, or in buffers that were
// received before, as with uring.
func TestSplicedCopyLeftBehind(t *testing.T) {
	all := make([]byte, 120<<10)
	pattern(all, 0)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Buffers, cfg.BufferSize = 512, 1024
		twoLoops(t, cfg, func(here, there *ringo.Loop) {
			for _, how := range []string{"MoveTo", "DetachConn"} {
				for _, room := range []int{16 << 10, 32 << 10} {
					t.Run(fmt.Sprint(how, "/", room), func(t *testing.T) {
						here.Go(func() { spliceOnce(t, here, there, meanwhile[how], room, all) }).Wait()
					})
				}
			}
		})
	})
}

// spliceOnce copies until the sink has no more room, has the source leave, and counts.
func spliceOnce(t *testing.T, here, there *ringo.Loop, leave func(*halt) (deadlineReader, error), room int,
	all []byte) {
	src, peer := connect(t, here)
	defer peer.Close()
	sink, drain, err := sock.Pipe(here)
	if err != nil {
		t.Error(err)
		return
	}
	defer drain.Close()
	sink.SetBatching(false) // so that no room is no room
	if err := sink.SetWriteBuffer(room); err != nil {
		t.Error(err)
	}
	looking := here.Go(func() { src.Peek(1) }) // so that it receives what comes
	others(here)
	send(t, peer, string(all))
	peer.CloseWrite()
	looking.Wait()
	still(here, src.Buffered)
	var n int64
	copying := here.Go(func() { n, _ = io.Copy(sink, src) })
	still(here, func() int { return queued(t, sink, unix.TIOCOUTQ) })
	rest := deadlineReader(src)
	leaving := here.Go(func() {
		got, err := leave(&halt{T: t, here: here, there: there, src: src})
		if err != nil {
			t.Error(err)
			return
		}
		rest = got
	})
	for range 3 {
		pause(here)
	}
	sink.SetWriteDeadline(longAgo)
	copying.Wait()
	leaving.Wait()
	sink.Close()
	offloaded(t, here, func() error {
		rest.SetDeadline(patience.Deadline())
		out, err := io.ReadAll(drain)
		in, rerr := io.ReadAll(rest)
		if err := errors.Join(err, rerr, rest.Close()); err != nil || int64(len(out)) != n {
			t.Errorf("io.Copy = %d, %d came: %v", n, len(out), err)
		}
		if got := slices.Concat(out, in); !bytes.Equal(got, all) {
			t.Errorf("of %d bytes %d came, and then %d were to be read, the first wrong one %d",
				len(all), len(out), len(in), mismatch(got, 0))
		}
		return nil
	})
}

// still waits until a number does not change any more.
func still(l *ringo.Loop, number func() int) {
	for last, same := -1, 0; same < 10; same++ {
		if pause(l); number() != last {
			last, same = number(), 0
		}
	}
}

// A Close does not wait for the sink of a copy. Who leaves from within the sink does not, either: what the sink was
// given is its own.
func TestCopyHoldsUpNobody(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, sink := range sinks[:3] {
			for _, who := range copyCallers {
				twoLoops(t, cfg, func(here, there *ringo.Loop) {
					t.Run(sink.name+"/"+who.name, func(t *testing.T) {
						here.Go(func() {
							x := &halt{T: t, here: here, there: there}
							var peer tcpPeer
							x.src, peer = connect(t, here)
							defer peer.Close()
							sink.make(x)
							defer x.end()
							var err error
							send(t, peer, "some bytes")
							_, done := who.run(x, func() { _, err = x.src.WriteTo(x.to) })
							for range 3 {
								pause(here)
							}
							patience.Within("Close beside a copy", func() { x.src.Close() })
							x.stop()
							offloaded(t, here, func() error { <-done; return nil })
							if err == nil {
								t.Error("the copy has brought what found no room")
							}
						}).Wait()
					})
				})
			}
		}
		twoLoops(t, cfg, func(here, there *ringo.Loop) {
			here.Go(func() {
				c, peer := connect(t, here)
				defer peer.Close()
				send(t, peer, "some bytes")
				var moved *sock.Conn
				n, err := c.WriteTo(writerFunc(func(p []byte) (n int, err error) {
					moved, err = c.MoveTo(there)
					return len(p), err
				}))
				if n == 0 || !errors.Is(err, net.ErrClosed) || moved == nil {
					t.Errorf("a sink that moves the source: %d, %v", n, err)
					return
				}
				send(t, peer, "others")
				offloaded(t, here, func() error { wantRead(t, moved, 10, "others"); return moved.Close() })
			}).Wait()
		})
	})
}

// Who takes a connection elsewhere waits for a copy of it that waits for its sink, but no longer than ten seconds, and
// not when cancelled: then the connection is as before.
func TestLeaveWaitsForCopy(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		w.Check(w.Wait(w.Host("a").Run(&ringo.Config{Loops: 2}, func(here *ringo.Loop) error {
			src, peer, err := sock.Pipe(here)
			if err != nil {
				return err
			}
			defer peer.Close()
			goOn := ringo.NewChan[struct{}](0)
			var n int64
			copier := here.Go(func() {
				n, _ = src.WriteTo(writerFunc(func(p []byte) (int, error) {
					goOn.Recv()
					return 4, errSink
				}))
			})
			peer.Write([]byte("some bytes"))
			here.Sleep(time.Second)
			there := here.Loops()[1-here.Index()]
			begun := w.Now()
			if _, err := src.MoveTo(there); !errors.Is(err, syscall.EBUSY) || w.Now().Sub(begun) < 10*time.Second {
				t.Errorf("MoveTo behind a copy gives %v after %v", err, w.Now().Sub(begun))
			}
			err = here.WithTimeout(time.Second, func() error { _, err := src.MoveTo(there); return err })
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("MoveTo in a WithTimeout that ends gives %v", err)
			}
			task := here.Go(func() { _, err = src.MoveTo(there) })
			here.Sleep(time.Second)
			task.Cancel()
			if task.Wait(); !errors.Is(err, context.Canceled) {
				t.Errorf("MoveTo in a cancelled task gives %v", err)
			}
			goOn.Close()
			copier.Wait()
			wantRead(t, src, 10, " bytes")
			if n != 4 {
				t.Errorf("WriteTo = %d", n)
			}
			return src.Close()
		})))
	})
}

// haltOnce plays one halt.
func haltOnce(t *testing.T, here, there *ringo.Loop, sink func(*halt),
	run func(*halt, func()) (func(), <-chan struct{}), how string, size int) {
	x := &halt{T: t, here: here, there: there, size: size, some: size > 4<<20}
	here.Go(func() {
		var peer tcpPeer
		x.src, peer = connect(t, here)
		defer peer.Close()
		sink(x)
		go func() {
			peer.Write(prefix(size))
			peer.CloseWrite()
		}()
		x.copy(run, how, size)
	}).Wait()
}

// A file that is copied to a peer without room is at the position up to which it was sent.
func TestCopyOfFileGivesBack(t *testing.T) {
	file := patternFile(t, 1<<20)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, who := range copyCallers {
			twoLoops(t, cfg, func(here, there *ringo.Loop) {
				for _, limit := range []int64{100, 1 << 20} {
					t.Run(fmt.Sprint(who.name, "/", limit), func(t *testing.T) {
						x := &halt{T: t, here: here, there: there}
						here.Go(func() {
							x.sinkConn(here)
							f, err := os.Open(file)
							if err != nil {
								t.Error(err)
								return
							}
							defer f.Close()
							var n int64
							cancel, done := who.run(x, func() { n, err = io.Copy(x.to, io.LimitReader(f, limit)) })
							for range 3 {
								pause(here)
							}
							if cancel == nil {
								cancel = x.stop
							}
							cancel()
							offloaded(t, here, func() error { <-done; return nil })
							if at, _ := f.Seek(0, io.SeekCurrent); at != n || err == nil && n != limit {
								t.Errorf("the copy is %d, %v; the file is at %d", n, err, at)
							}
							offloaded(t, here, func() error {
								go x.end()
								if got := x.came(); int64(len(got)) != n || mismatch(got, 0) >= 0 {
									t.Errorf("the copy is %d, and %d bytes came", n, len(got))
								}
								return nil
							})
						}).Wait()
					})
				}
			})
		}
	})
}

// A pipe is two connections with all that they have, on each driver and in a simulated world, whoever makes it.
func TestPipe(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			if err := pipes(l); err != nil {
				t.Error(err)
			}
			made := make(chan error, 1)
			go func() {
				a, b, err := sock.Pipe(l)
				if err == nil {
					_, err = a.Write([]byte("from outside"))
					p := make([]byte, 64)
					n, errRead := b.Read(p)
					if err = errors.Join(err, errRead); err == nil && string(p[:n]) != "from outside" {
						err = errors.New(string(p[:n]))
					}
					err = errors.Join(err, a.Close(), b.Close())
				}
				made <- err
			}()
			if err := l.Offload(func(ctx context.Context) error { return <-made }); err != nil {
				t.Errorf("from a goroutine: %v", err)
			}
		})
	})
	t.Run("sim", func(t *testing.T) {
		sim.Run(t, 1, func(w *sim.World) { w.Check(w.Wait(w.Host("here").Run(nil, pipes))) })
	})
	var l *ringo.Loop
	onLoop(t, ringo.Config{}, func(on *ringo.Loop) { l = on })
	if a, b, err := sock.Pipe(l); a != nil || b != nil || !errors.Is(err, net.ErrClosed) {
		t.Errorf("a pipe of a loop that has ended: %v, %v, %v", a, b, err)
	}
}

// pipes tries what is said of a pipe.
func pipes(l *ringo.Loop) error {
	a, b, err := sock.Pipe(l)
	if err != nil {
		return err
	}
	defer a.Close()
	defer b.Close()
	fail := func(what string, args ...any) { err = errors.Join(err, fmt.Errorf(what, args...)) }
	if a.LocalAddr().Network() != "unix" || a.RemoteAddr() == nil {
		fail("its addresses are %v and %v", a.LocalAddr(), a.RemoteAddr())
	}
	sent := bytes.Repeat([]byte("sixteen bytes..."), 1<<16)
	writes := l.Go(func() {
		if n, err := a.Write(sent); n != len(sent) || err != nil {
			fail("Write = %d, %v", n, err)
		}
		if err := a.CloseWrite(); err != nil {
			fail("CloseWrite: %v", err)
		}
	})
	if got, err := io.ReadAll(b); !bytes.Equal(got, sent) || err != nil {
		fail("%d bytes came of %d: %v", len(got), len(sent), err)
	}
	writes.Wait()
	if _, err := a.Write(sent[:1]); !errors.Is(err, syscall.EPIPE) {
		fail("a write behind CloseWrite: %v", err)
	}
	if _, err := b.Write([]byte("back")); err != nil {
		fail("a write the other way: %v", err)
	}
	p := make([]byte, 8)
	if n, err := a.Read(p); string(p[:n]) != "back" || err != nil {
		fail("the other way came %q, %v", p[:n], err)
	}
	a.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, err := a.Read(p); !errors.Is(err, os.ErrDeadlineExceeded) {
		fail("a read with a deadline: %v", err)
	}
	b.SetWriteDeadline(time.Now().Add(time.Millisecond))
	for {
		n, err := b.Write(sent)
		if errors.Is(err, os.ErrDeadlineExceeded) && n < len(sent) {
			break
		}
		if err != nil || n < len(sent) {
			fail("a write that nobody reads: %d, %v", n, err)
			break
		}
	}
	return err
}

// A copy between a connection and one of package net makes its task wait, and not the loop, whatever the networks.
func TestCopiesWithNetHoldUpNobody(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, ours := range unixNetworks {
			for _, theirs := range []string{"tcp", "unix", "unixpacket", "udp"} {
				for _, name := range []string{"WriteTo", "ReadFrom"} {
					if name == "WriteTo" && theirs == "udp" {
						continue // which never waits
					}
					t.Run(name+" of "+ours+" and "+theirs, func(t *testing.T) {
						twoLoops(t, cfg, func(l, _ *ringo.Loop) { copyWithNet(t, l, ours, theirs, name == "WriteTo") })
					})
				}
			}
		}
	})
}

// copyWithNet copies until the copy waits, and looks whether the loop goes on.
func copyWithNet(t *testing.T, l *ringo.Loop, ours, theirs string, out bool) {
	mine, peer := netPair[net.Conn](t, ours)
	var std, stdPeer net.Conn
	if theirs == "udp" {
		u, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		std, stdPeer = u, u
		defer u.Close()
	} else {
		std, stdPeer = netPair[net.Conn](t, theirs)
	}
	var c *sock.Conn
	var err error
	started := make(chan struct{})
	copying := l.Go(func() {
		if c, err = sock.Adopt[*sock.Conn](l, mine, nil); err != nil {
			close(started)
			return
		}
		close(started)
		defer c.Close()
		if out {
			c.WriteTo(std)
		} else {
			c.ReadFrom(std)
		}
	})
	if <-started; err != nil {
		t.Fatal(err)
	}
	if out {
		var wrote atomic.Int64
		go func() {
			for p := make([]byte, 4096); second(peer.Write(p)) == nil; {
				wrote.Add(1)
			}
		}()
		still(nil, func() int { return int(wrote.Load()) })
	}
	turned := make(chan struct{})
	l.Post(func() { close(turned) })
	patience.Done(t, "a turn of the loop that copies", turned)
	stdPeer.Close()
	peer.Close()
	patience.Within("the end of the copy", func() { copying.Wait() })
}
