package sock_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// An end is what a copy reads from or writes to, and who is there.
type end struct {
	rw   any
	peer net.Conn // nil: a file
}

// ends makes one end of each kind, for a Run of two loops.
func ends(t *testing.T, here, there *ringo.Loop, file string) map[string]func() end {
	on := func(l *ringo.Loop) func() end {
		return func() (e end) {
			l.Go(func() {
				c, peer := connect(t, l)
				e = end{c, peer}
			}).Wait()
			return e
		}
	}
	std := func(network, address string) func() end {
		return func() end {
			ln, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			peer, err := net.Dial(network, ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			c, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			return end{c, peer}
		}
	}
	open := func(wrap func(*os.File) any) func() end {
		return func() end {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			return end{wrap(f), nil}
		}
	}
	all := map[string]func() end{
		"conn":        on(here),
		"conn there":  on(there),
		"net tcp":     std("tcp", "127.0.0.1:0"),
		"net unix":    std("unix", socketPath(t)),
		"file":        open(func(f *os.File) any { return f }),
		"part":        open(func(f *os.File) any { return io.LimitReader(io.LimitReader(f, copied), 1<<40) }),
		"not to look": open(func(f *os.File) any { return struct{ io.Reader }{f} }),
	}
	if ln, err := net.Listen("unix", socketPath(t)); err == nil {
		ln.Close()
	} else if errors.Is(err, posix.EAFNOSUPPORT) {
		t.Log("without Unix sockets: ", err)
		delete(all, "net unix")
	}
	return all
}

// copied is how many bytes each copy moves.
const copied = 3<<20 + 12345

// twoLoops runs body on a goroutine, beside two loops.
func twoLoops(t *testing.T, cfg ringo.Config, body func(here, there *ringo.Loop)) {
	t.Helper()
	cfg.Loops = 2
	end := make(chan bool)
	patience.Within(t.Name(), func() {
		if err := ringo.Run(t.Context(), &cfg, func(l *ringo.Loop) error {
			if l != l.Loops()[0] {
				return awaitIn(l, end)
			}
			defer close(end)
			return l.Offload(func(context.Context) error { body(l, l.Loops()[1]); return nil })
		}); err != nil {
			t.Error(err)
		}
	})
}

// Whatever copies, from whatever to whatever: all bytes come, in order, and then the end.
func TestCopies(t *testing.T) {
	t.Parallel()
	file := patternFile(t, copied)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		twoLoops(t, cfg, func(here, there *ringo.Loop) {
			kinds := ends(t, here, there, file)
			for from, makeFrom := range kinds {
				for to, makeTo := range kinds {
					if makeTo().peer == nil || from != "conn" && from != "conn there" &&
						to != "conn" && to != "conn there" {
						continue
					}
					for _, who := range []string{"task", "task there", "goroutine"} {
						t.Run(fmt.Sprint(from, " to ", to, " by ", who), func(t *testing.T) {
							copyOne(t, here, there, makeFrom(), makeTo(), who)
						})
					}
				}
			}
		})
	})
}

func copyOne(t *testing.T, here, there *ringo.Loop, from, to end, who string) {
	if from.peer != nil {
		defer from.peer.Close()
		defer from.rw.(io.Closer).Close()
		go func() {
			p := prefix(copied)
			from.peer.Write(p[:100])
			from.peer.Write(p[100:])
			from.peer.(interface{ CloseWrite() error }).CloseWrite()
		}()
	}
	defer to.peer.Close()
	defer to.rw.(io.Closer).Close()
	got := make(chan error, 1)
	go func() {
		p, err := readAll(to.peer, copied)
		if bad := mismatch(p, 0); err == nil && (bad >= 0 || len(p) != copied) {
			err = fmt.Errorf("%d bytes came of %d, wrong from %d on", len(p), copied, bad)
		}
		got <- err
	}()
	copyIt := func() {
		if c, ok := from.rw.(*sock.Conn); ok { // what was peeked at goes first
			if p, err := c.Peek(10); err != nil || mismatch(p, 0) >= 0 {
				t.Errorf("Peek: %q, %v", p, err)
			}
		}
		n, err := io.Copy(to.rw.(io.Writer), from.rw.(io.Reader))
		if n != copied || err != nil {
			t.Errorf("io.Copy = %d, %v, want %d", n, err, copied)
		}
		to.rw.(interface{ CloseWrite() error }).CloseWrite()
	}
	switch who {
	case "task":
		here.Go(copyIt).Wait()
	case "task there":
		there.Go(copyIt).Wait()
	case "goroutine":
		copyIt()
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// patternFile makes a file of the pattern.
func patternFile(t *testing.T, size int) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "pattern")
	if err := os.WriteFile(name, prefix(size), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// A task that copies to or from a connection of package net parks, and no more than that, also
// one of another loop; to cancel it ends the copy, whatever it waits for.
func TestCopyStuck(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		twoLoops(t, cfg, func(here, there *ringo.Loop) {
			for _, name := range []string{"from, nothing comes", "from, nothing goes",
				"to, nothing comes", "to, nothing goes"} {
				for who, l := range map[string]*ringo.Loop{"task": here, "task there": there} {
					t.Run(name+", "+who, func(t *testing.T) {
						kinds := ends(t, here, there, "")
						mine, theirs := kinds["conn"](), kinds["net tcp"]()
						c, peer, std, stdPeer := mine.rw.(*sock.Conn), mine.peer, theirs.rw.(net.Conn), theirs.peer
						for _, o := range []io.Closer{c, peer, std, stdPeer} {
							defer o.Close()
						}
						source := peer
						copyIt := func() error { _, err := c.WriteTo(std); return err }
						if strings.HasPrefix(name, "from") {
							source = stdPeer
							copyIt = func() error { _, err := c.ReadFrom(std); return err }
						}
						if strings.HasSuffix(name, "goes") {
							go source.Write(make([]byte, 32<<20))
						}
						started := make(chan struct{})
						copying := l.Go(func() { close(started); wantCanceled(t, "copy", copyIt()) })
						<-started
						l.Go(func() { others(l) }).Wait() // it comes to its wait
						turned := make(chan struct{})
						l.Post(func() { close(turned) })
						if !patience.Done(t, "a turn of the loop that copies", turned) {
							peer.Close()
							stdPeer.Close()
						}
						copying.Cancel()
						copying.Wait()
					})
				}
			}
		})
	})
}

// io.Copy of a File asks the File first, which leaves it to the connection: sendfile, from its position on, behind
// which it goes on.
func TestCopyOfFileToConn(t *testing.T) {
	const at, size = 5, 2 << 20
	whole, longer, sent := patternFile(t, at+size), patternFile(t, at+size+100), sendfiles(t)
	for what, copied := range map[string]func(c *sock.Conn, f *file.File) (int64, error){
		"io.Copy": func(c *sock.Conn, f *file.File) (int64, error) { return io.Copy(c, f) },
		"WriteTo": func(c *sock.Conn, f *file.File) (int64, error) { return f.WriteTo(c) },
		"limited": func(c *sock.Conn, f *file.File) (int64, error) { return io.CopyN(c, f, size) },
	} {
		name := whole
		if what == "limited" {
			name = longer
		}
		t.Run(what, func(t *testing.T) {
			asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
				wait, before := waiter(c), sent.Load()
				f, err := file.Open(name)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				if _, err := f.Seek(at, io.SeekStart); err != nil {
					t.Fatal(err)
				}
				got := make(chan error, 1)
				go func() {
					p := make([]byte, size)
					_, err := io.ReadFull(peer, p)
					if bad := mismatch(p, at); err == nil && bad >= 0 {
						err = fmt.Errorf("byte %d is wrong", bad)
					}
					got <- err
				}()
				if n, err := copied(c, f); n != size || err != nil {
					t.Errorf("%d, %v, want %d", n, err, size)
				}
				if err := wait(got); err != nil {
					t.Error(err)
				}
				if by := sent.Load() - before; by < size/2 {
					t.Errorf("%d bytes went by sendfile, of %d", by, size)
				}
				if pos, err := f.Seek(0, io.SeekCurrent); pos != at+size || err != nil {
					t.Errorf("the file is at %d, %v, want %d", pos, err, at+size)
				}
				rest, err := io.ReadAll(f)
				if mismatch(rest, at+size) >= 0 || name == longer && len(rest) != 100 || err != nil {
					t.Errorf("what follows is wrong: %d bytes, %v", len(rest), err)
				}
			})
		})
	}
}

// What is no regular file is read, and io.Copy does not go round between the two.
func TestCopyOfPipeToConn(t *testing.T) {
	asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
		wait := waiter(c)
		r, w, err := file.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		w.WriteString("through a pipe")
		w.Close()
		if n, err := io.Copy(c, r); n != 14 || err != nil {
			t.Errorf("io.Copy = %d, %v", n, err)
		}
		r.Close()
		got := make(chan error, 1)
		go func() {
			p := make([]byte, 14)
			_, err := io.ReadFull(peer, p)
			if err == nil && string(p) != "through a pipe" {
				err = fmt.Errorf("the peer got %q", p)
			}
			got <- err
		}()
		if err := wait(got); err != nil {
			t.Error(err)
		}
	})
}

// io.Copy of a connection to a File writes what comes, until its end.
func TestCopyOfConnToFile(t *testing.T) {
	const size = 1 << 20
	want, err := os.ReadFile(patternFile(t, size))
	if err != nil {
		t.Fatal(err)
	}
	for what, flag := range map[string]int{"written": 0, "appended": os.O_APPEND} {
		t.Run(what, func(t *testing.T) {
			asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
				f, err := file.OpenFile(t.TempDir()+"/f", os.O_RDWR|os.O_CREATE|flag, 0o600)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				go func() {
					peer.Write(want)
					peer.CloseWrite()
				}()
				if n, err := io.Copy(f, c); n != size || err != nil {
					t.Errorf("io.Copy = %d, %v, want %d", n, err, size)
				}
				got, err := os.ReadFile(f.Name())
				if err != nil || string(got) != string(want) {
					t.Errorf("the file holds other %d bytes, %v", len(got), err)
				}
			})
		})
	}
}

// A connection of package net takes a File by sendfile as it takes one of package os.
func TestCopyOfFileToNetConn(t *testing.T) {
	const size = 1 << 20
	name := patternFile(t, size)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	peer, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	f, err := file.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	done := make(chan error, 1)
	go func() {
		n, err := io.Copy(c, f)
		if n != size && err == nil {
			err = fmt.Errorf("io.Copy = %d", n)
		}
		c.(*net.TCPConn).CloseWrite()
		done <- err
	}()
	got, err := io.ReadAll(peer)
	if len(got) != size || err != nil || mismatch(got, 0) >= 0 {
		t.Errorf("the peer got %d bytes, %v", len(got), err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// While a copy waits for room in a connection of another loop it holds no buffer of its own one's.
func TestCopyToAnotherLoopHoldsNoBuffer(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		twoLoops(t, cfg, func(here, there *ringo.Loop) {
			kinds := ends(t, here, there, "")
			from, to := kinds["conn"](), kinds["conn there"]()
			src, dst := from.rw.(*sock.Conn), to.rw.(*sock.Conn)
			for _, c := range []io.Closer{src, dst, from.peer, to.peer} {
				defer c.Close()
			}
			there.Go(func() { fill(t, there, dst) }).Wait()
			copying := here.Go(func() { wantCanceled(t, "copy", second(io.Copy(dst, src))) })
			for !onStack("sock.(*Conn).writeElsewhere(") { // the kernel may have found some room since
				send(t, from.peer, strings.Repeat("x", 4096))
			}
			eventually(t, "the copy holds no buffer", func() bool {
				held := 0
				here.Go(func() { held = here.Stats().Buffers }).Wait()
				return held == 0
			})
			copying.Cancel()
			copying.Wait()
		})
	})
}

func second(_ any, err error) error { return err }

// A transfer is a copy from one connection to another, under way in bulk.
type transfer struct {
	t        *testing.T
	l        *ringo.Loop // of the connections
	src, dst *sock.Conn
	in, out  tcpPeer // their peers

	task *ringo.Task // nil: a goroutine copies
	done chan struct{}
	n    int64
	err  error

	again func() *transfer // begins another one, with the same caller
}

// transfers runs f with a transfer by each kind of caller. f runs on a goroutine.
func transfers(t *testing.T, f func(x *transfer)) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		twoLoops(t, cfg, func(here, there *ringo.Loop) {
			for _, who := range []string{"task", "task there", "goroutine"} {
				t.Run(who, func(t *testing.T) {
					x := begin(t, here, there, who)
					defer x.end()
					f(x)
				})
			}
		})
	})
}

// begin begins one.
func begin(t *testing.T, here, there *ringo.Loop, who string) *transfer {
	x := &transfer{t: t, l: here, done: make(chan struct{})}
	x.again = func() *transfer { return begin(t, here, there, who) }
	here.Go(func() {
		x.src, x.in = connect(t, here)
		x.dst, x.out = connect(t, here)
	}).Wait()
	x.in.SetWriteBuffer(1 << 18)
	x.src.SetReadBuffer(1 << 18)
	x.dst.SetWriteBuffer(65536)
	x.out.SetReadBuffer(65536)
	run := func() { x.n, x.err = io.Copy(x.dst, x.src); close(x.done) }
	switch who {
	case "task":
		x.task = here.Go(run)
	case "task there":
		x.task = there.Go(run)
	case "goroutine":
		go run()
	}
	return x
}

// end closes everything.
func (x *transfer) end() {
	x.dst.Close()
	x.src.Close()
	x.out.Close()
	x.in.Close()
}

// feed sends n bytes of the pattern from at on, to the source.
func (x *transfer) feed(at, n int) (fed <-chan error) {
	result := make(chan error, 1)
	go func() {
		p := make([]byte, n)
		pattern(p, at)
		_, err := x.in.Write(p)
		result <- err
	}()
	return result
}

// take reads n bytes, which must be the pattern from at on.
func (x *transfer) take(at, n int) {
	x.t.Helper()
	p := make([]byte, n)
	if _, err := io.ReadFull(x.out, p); err != nil {
		x.t.Fatalf("read at %d: %v", at, err)
	}
	if bad := mismatch(p, at); bad >= 0 {
		x.t.Fatalf("byte %d is wrong", bad)
	}
}

// wait waits for the copy's end, and wants its error to be of one side; of either, if op is empty.
func (x *transfer) wait(op string, is error) {
	x.t.Helper()
	<-x.done
	var e *net.OpError
	if !errors.As(x.err, &e) || op != "" && e.Op != op || !errors.Is(x.err, is) {
		x.t.Errorf("io.Copy: %v, want %s: %v", x.err, op, is)
		return
	}
	want := x.src
	if e.Op == "write" {
		want = x.dst
	}
	if e.Source.String() != want.LocalAddr().String() || e.Addr.String() != want.RemoteAddr().String() {
		x.t.Errorf("io.Copy: %v, want an error of %v", x.err, want.RemoteAddr())
	}
}

// counted wants the count to be what comes out, from at on, once the end is closed.
func (x *transfer) counted(at int) {
	x.t.Helper()
	x.dst.Close()
	p, err := readAll(x.out, bulk)
	if err != nil {
		x.t.Fatal(err)
	}
	if bad := mismatch(p, at); bad >= 0 {
		x.t.Errorf("byte %d is wrong", bad)
	}
	if got := int64(at + len(p)); got != x.n {
		x.t.Errorf("io.Copy = %d, but %d bytes came", x.n, got)
	}
}

// sometime lets the copy go on for a moment. What follows holds at any; mostly it will by
// then wait for its slow reader.
func sometime() { time.Sleep(rand.N(15 * time.Millisecond)) }

const bulk = 5 << 20 // more than sockets, buffers and pipes hold

// begun is how much a slow reader takes at first: after so much everybody splices.
const begun = 1 << 20

// A copy that waits for its reader is ended by a deadline, a cancel, a close of either side,
// with the count of what went out.
func TestSpliceStuck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(x *transfer)
	}{
		{"write deadline", func(x *transfer) {
			x.dst.SetWriteDeadline(longAgo)
			x.wait("write", os.ErrDeadlineExceeded)
			x.counted(begun)
		}},
		{"closed", func(x *transfer) {
			x.dst.Close()
			x.wait("write", net.ErrClosed)
			x.counted(begun)
		}},
		{"cancel", func(x *transfer) {
			if x.task == nil {
				x.dst.SetWriteDeadline(longAgo)
				<-x.done
				return
			}
			x.task.Cancel()
			x.wait("", context.Canceled) // it waits for its reader by then, or not yet
			x.counted(begun)
		}},
		{"source closed", func(x *transfer) {
			x.src.Close()
			go func() {
				<-x.done
				x.dst.Close()
			}()
			p, err := readAll(x.out, bulk)
			if bad := mismatch(p, begun); err != nil || bad >= 0 {
				x.t.Errorf("byte %d is wrong, or %v", bad, err)
			}
			x.wait("read", net.ErrClosed)
			if got := int64(begun + len(p)); got != x.n {
				x.t.Errorf("io.Copy = %d, but %d bytes came", x.n, got)
			}
		}},
		{"reset", func(x *transfer) {
			x.out.SetLinger(0)
			x.out.Close()
			<-x.done
			x.wait("write", anyReset(x.err))
			if x.n < begun || x.n >= bulk {
				x.t.Errorf("io.Copy = %d", x.n)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			transfers(t, func(x *transfer) {
				fed := x.feed(0, bulk)
				x.take(0, begun)
				sometime()
				c.end(x)
				x.in.Close()
				<-fed
				// What was left on its way is in nobody else's.
				y := x.again()
				defer y.end()
				y.feed(bulk/2, bulk)
				y.take(bulk/2, bulk)
			})
		})
	}
}

// anyReset is the error that a reset gave: a write may be told of it in two ways.
func anyReset(err error) error {
	if errors.Is(err, posix.EPIPE) {
		return posix.EPIPE
	}
	return posix.ECONNRESET
}

// A copy that waits for more, after bulk, is ended by what ends a read, and all that came
// before has gone out.
func TestSpliceDry(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(x *transfer)
	}{
		{"end", func(x *transfer) {
			x.in.CloseWrite()
			if <-x.done; x.err != nil {
				x.t.Errorf("io.Copy: %v", x.err)
			}
		}},
		{"read deadline", func(x *transfer) {
			x.src.SetReadDeadline(longAgo)
			x.wait("read", os.ErrDeadlineExceeded)
		}},
		{"closed", func(x *transfer) {
			x.src.Close()
			x.wait("read", net.ErrClosed)
		}},
		{"cancel", func(x *transfer) {
			if x.task == nil {
				x.src.Close()
				<-x.done
				return
			}
			x.task.Cancel()
			x.wait("read", context.Canceled)
		}},
		{"reset", func(x *transfer) {
			x.in.SetLinger(0)
			x.in.Close()
			x.wait("read", posix.ECONNRESET)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			transfers(t, func(x *transfer) {
				fed := x.feed(0, bulk)
				x.take(0, bulk)
				if err := <-fed; err != nil {
					t.Fatal(err)
				}
				x.feed(bulk, 5) // little goes on to come through
				x.take(bulk, 5)
				c.end(x)
				if x.n != bulk+5 {
					t.Errorf("io.Copy = %d, want %d", x.n, bulk+5)
				}
			})
		})
	}
}

// Bulk goes by splices and little by buffers, in one connection by turns, and a pipe is
// there only while bytes are in it.
func TestSpliceByTurns(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, src *sock.Conn, in tcpPeer) {
			dst, out := connect(t, l)
			defer out.Close()
			defer dst.Close()
			task := l.Go(func() {
				if _, err := io.Copy(dst, src); err != nil {
					t.Error(err)
				}
			})
			count := func(name string) uint64 { return opStats(l, name).Tried }
			sends := func() uint64 { return count("send") + l.Stats().Driver.Sends }
			at := 0
			move := func(n int) {
				offloaded(t, l, func() error {
					var both sync.WaitGroup
					p, q := make([]byte, n), make([]byte, n)
					pattern(p, at)
					both.Go(func() { in.Write(p) })
					_, err := io.ReadFull(out, q)
					if bad := mismatch(q, at); err == nil && bad >= 0 {
						err = errors.New("wrong bytes")
					}
					at += n
					both.Wait()
					return err
				})
			}
			for range 3 {
				for range 50 {
					move(64)
				}
				if before := count("splice(in)"); before != 0 && at < 1<<20 {
					t.Errorf("%d splices of little", before)
				}
				before := count("splice(out)")
				move(16 << 20)
				if count("splice(out)") == before {
					t.Error("bulk did not go by splices")
				}
			}
			before, sent := count("splice(in)"), sends()
			for range 200 {
				move(64)
			}
			if after := count("splice(in)"); after-before > 20 {
				t.Errorf("%d splices of little, after bulk", after-before)
			}
			if n := sends() - sent; n < 150 {
				t.Errorf("%d sends of little", n)
			}
			in.CloseWrite()
			task.Wait()
		})
	})
}

// sendfiles counts the bytes that go by sendfile, whoever calls it.
func sendfiles(t *testing.T) *atomic.Int64 {
	row := &op.Table[op.Sendfile].Attempt
	plain, bytes := *row, new(atomic.Int64)
	*row = func(o *op.Op) int32 {
		res := plain(o)
		bytes.Add(int64(max(0, res)))
		return res
	}
	t.Cleanup(func() { *row = plain })
	return bytes
}

// A file is sent from its position on, which moves on, as far as readers around it let
// through, which are told. Nothing else about it matters: that it is empty, or small, or
// that the peer is slow.
func TestSendFile(t *testing.T) {
	const size = 3 << 20
	file := patternFile(t, size)
	asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
		wait := waiter(c)
		for _, part := range []struct{ at, limit, want int64 }{
			{0, -1, size}, {size - 5, -1, 5}, {size, -1, 0}, {size + 100, -1, 0},
			{0, 0, 0}, {10, 1, 1}, {4096, 16384, 16384}, {1, 16385, 16385}, {7, 2 << 20, 2 << 20},
			{size - 100_000, 1 << 40, 100_000},
		} {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			f.Seek(part.at, io.SeekStart)
			var r io.Reader = f
			inner := &io.LimitedReader{R: f, N: part.limit}
			outer := &io.LimitedReader{R: inner, N: part.limit + 7}
			if part.limit >= 0 {
				r = outer
			}
			got := make(chan error, 1)
			go func() {
				p := make([]byte, part.want)
				_, err := io.ReadFull(peer, p)
				if bad := mismatch(p, int(part.at)); err == nil && bad >= 0 {
					err = fmt.Errorf("byte %d is wrong", bad)
				}
				got <- err
			}()
			n, err := c.ReadFrom(r)
			if n != part.want || err != nil {
				t.Errorf("from %d, at most %d: %d, %v, want %d", part.at, part.limit, n, err, part.want)
			}
			if err := wait(got); err != nil {
				t.Errorf("from %d, at most %d: %v", part.at, part.limit, err)
			}
			if at, _ := f.Seek(0, io.SeekCurrent); at != part.at+part.want {
				t.Errorf("from %d, at most %d: the file is at %d", part.at, part.limit, at)
			}
			if part.limit >= 0 && (inner.N != part.limit-part.want || outer.N != inner.N+7) {
				t.Errorf("at most %d: %d and %d are left after %d", part.limit, inner.N, outer.N, part.want)
			}
			f.Close()
		}
	})
}

// What is wrong with a file is told as reading it tells; what is wrong with the connection
// is the connection's error.
func TestSendFileErrors(t *testing.T) {
	file := patternFile(t, 64<<20)
	asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
		closed, _ := os.Open(file)
		closed.Close()
		if n, err := c.ReadFrom(closed); n != 0 || !errors.Is(err, os.ErrClosed) {
			t.Errorf("of a closed file: %d, %v", n, err)
		}
		unreadable, err := os.OpenFile(filepath.Join(t.TempDir(), "f"), os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer unreadable.Close()
		unreadable.Write([]byte("x"))
		unreadable.Seek(0, io.SeekStart)
		var path *os.PathError
		if n, err := c.ReadFrom(unreadable); n != 0 || !errors.As(err, &path) {
			t.Errorf("of a file that is not for reading: %d, %v", n, err)
		}
		dir, err := os.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		if n, err := c.ReadFrom(dir); n != 0 || !errors.As(err, &path) {
			t.Errorf("of a directory: %d, %v", n, err)
		}

		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		ended := make(chan error, 1)
		go func() {
			peer.SetLinger(0)
			ended <- peer.Close()
		}()
		_, err = c.ReadFrom(f)
		var e *net.OpError
		if !errors.As(err, &e) || e.Op != "write" || !errors.Is(err, anyReset(err)) {
			t.Errorf("after a reset: %v", err)
		}
		waiter(c)(ended)
	})
}

// net/http's file server sends by sendfile, also ranges, which it limits.
func TestFileServer(t *testing.T) {
	const size = 5 << 20
	file := patternFile(t, size)
	sent := sendfiles(t)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			server := &http.Server{Handler: http.FileServer(http.Dir(filepath.Dir(file)))}
			served := make(chan bool)
			go func() { server.Serve(ln); close(served) }()
			offloaded(t, l, func() error {
				defer func() { server.Close(); <-served }()
				for _, part := range []struct{ first, last int }{{0, size - 1}, {100, 2_000_000}} {
					r, _ := http.NewRequest("GET", "http://"+ln.Addr().String()+"/pattern", nil)
					r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", part.first, part.last))
					answer, err := http.DefaultClient.Do(r)
					if err != nil {
						return err
					}
					p, err := io.ReadAll(answer.Body)
					answer.Body.Close()
					if bad := mismatch(p, part.first); err != nil || bad >= 0 || len(p) != part.last-part.first+1 {
						t.Errorf("%d bytes, %v, wrong at %d", len(p), err, bad)
					}
				}
				http.DefaultClient.CloseIdleConnections()
				return nil
			})
			if by := sent.Swap(0); by < size+2_000_000-100-2*1024 { // all but what is looked at to guess the type
				t.Errorf("%d bytes went by sendfile", by)
			}
		})
	})
}

// sendAll sends n bytes of a file behind a head, in as many calls as it takes.
func sendAll(c *sock.Conn, head []byte, f syscall.Conn, off, n int64) (calls int, err error) {
	for n > 0 {
		m, err := c.SendFile(head, f, off, n)
		calls++
		if err != nil {
			return calls, err
		}
		head, off, n = nil, off+int64(m), n-int64(m)
	}
	return calls, nil
}

// SendFile sends what it is told to, from where it is told to, and its head first, whether
// the peer is slow or not.
func TestSendFileRange(t *testing.T) {
	const size = 3 << 20
	name := patternFile(t, size)
	asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		g, err := file.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		sendRanges(t, c, peer, f, size)
		sendRanges(t, c, peer, g, size)
		for _, f := range []io.Seeker{f, g} {
			if at, err := f.Seek(0, io.SeekCurrent); at != 0 || err != nil {
				t.Errorf("the file's position is %d, %v", at, err)
			}
		}
	})
}

func sendRanges(t *testing.T, c *sock.Conn, peer tcpPeer, f syscall.Conn, size int64) {
	t.Helper()
	for _, part := range []struct {
		head   string
		off, n int64
	}{{"", 0, size}, {"head", 0, 1}, {"head", size - 1, 1}, {"", 4095, 2}, {"head", 12345, 2 << 20}} {
		got := make(chan error, 1)
		go func() {
			p := make([]byte, len(part.head)+int(part.n))
			_, err := io.ReadFull(peer, p)
			if err == nil && !bytes.HasPrefix(p, []byte(part.head)) {
				err = fmt.Errorf("the head is %q", p[:len(part.head)])
			}
			if bad := mismatch(p[len(part.head):], int(part.off)); err == nil && bad >= 0 {
				err = fmt.Errorf("byte %d is wrong", bad)
			}
			got <- err
		}()
		if _, err := sendAll(c, []byte(part.head), f, part.off, part.n); err != nil {
			t.Errorf("%d bytes from %d on: %v", part.n, part.off, err)
		}
		if err := waiter(c)(got); err != nil {
			t.Errorf("%d bytes from %d on: %v", part.n, part.off, err)
		}
	}
}

// A small head and a small file come in one piece.
func TestSendFileOneSegment(t *testing.T) {
	name := patternFile(t, 100)
	asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		got := make(chan error, 1)
		go func() {
			n, err := peer.Read(make([]byte, 1000))
			if err == nil && n != 104 {
				err = fmt.Errorf("%d bytes came first, want 104", n)
			}
			got <- err
		}()
		if _, err := sendAll(c, []byte("head"), f, 0, 100); err != nil {
			t.Error(err)
		}
		if err := waiter(c)(got); err != nil {
			t.Error(err)
		}
	})
}

// What is wrong is told, with its cause.
func TestSendFileRangeErrors(t *testing.T) {
	name := patternFile(t, 1<<20)
	asAll(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, bad := range []struct{ off, n int64 }{{0, 0}, {0, -1}, {-1, 5}} {
			if n, err := c.SendFile(nil, f, bad.off, bad.n); n != 0 || err == nil {
				t.Errorf("%d bytes from %d on: %d, %v", bad.n, bad.off, n, err)
			}
		}
		if n, err := c.SendFile(nil, f, 1<<20, 1); n != 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("past the end: %d, %v", n, err)
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		if n, err := c.SendFile(nil, r, 0, 1); n != 0 || err == nil {
			t.Errorf("of a pipe: %d, %v", n, err)
		}
		if n, err := c.SendFile(nil, nil, 0, 1); n != 0 || !errors.Is(err, posix.EINVAL) {
			t.Errorf("of no file: %d, %v", n, err)
		}
		gone, err := file.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		gone.Close()
		if n, err := c.SendFile([]byte("head"), gone, 0, 1); n != 0 || !errors.Is(err, fs.ErrClosed) {
			t.Errorf("of a closed file: %d, %v", n, err)
		}
	})
}

// SendFile allocates nothing, of a File of package file.
func TestSendFileAllocs(t *testing.T) {
	skipAllocs(t)
	name := patternFile(t, 100)
	onPairs(t, func(t *testing.T, c *sock.Conn, peer tcpPeer) {
		f, err := file.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		head, failed := []byte("head"), error(nil)
		if n := alloctest.Least(100, 0.1, func() {
			if _, err := c.SendFile(head, f, 0, 100); err != nil {
				failed = err
			}
		}); n > 0.1 || failed != nil {
			t.Errorf("%v allocations, %v", n, failed)
		}
	})
}

// onPairs runs body in a task with a connection, for each driver.
func onPairs(t *testing.T, body func(t *testing.T, c *sock.Conn, peer tcpPeer)) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(_ *ringo.Loop, c *sock.Conn, peer tcpPeer) { body(t, c, peer) })
	})
}
