package sock_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/internal/posix"
	"ringo/sock"
)

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
	p, err := io.ReadAll(x.out)
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
			p, err := io.ReadAll(x.out)
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
			count := func(name string) (n uint64) {
				for _, op := range l.Stats().Ops {
					if op.Op == name {
						n = op.Tried
					}
				}
				if name == "send" {
					n += l.Stats().Driver.Sends
				}
				return n
			}
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
			before, recvs := count("splice(in)"), count("send")
			for range 200 {
				move(64)
			}
			if after := count("splice(in)"); after-before > 20 {
				t.Errorf("%d splices of little, after bulk", after-before)
			}
			if count("send")-recvs < 150 {
				t.Errorf("%d sends of little", count("send")-recvs)
			}
			in.CloseWrite()
			task.Wait()
		})
	})
}
