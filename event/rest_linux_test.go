//go:build linux

package event_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/event"
	"ringo/internal/kernel"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// Timers call once or again and again, in their order, and not behind Stop.
func TestTimers(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var calls []string
		call := func(what string) func() { return func() { calls = append(calls, what) } }
		onLoop(t, cfg, func(l *event.Loop) {
			l.AfterFunc(20*time.Millisecond, call("late"))
			l.AfterFunc(time.Millisecond, call("soon"))
			never := l.AfterFunc(time.Hour, call("never"))
			moved := l.AfterFunc(time.Hour, call("moved"))
			l.AfterFunc(10*time.Millisecond, func() {
				if !never.Stop() || never.Stop() || !moved.Reset(20*time.Millisecond) {
					t.Error("Stop or Reset does not know whether the timer was active")
				}
			})
			n := 0
			var every *event.Timer
			every = l.Every(time.Millisecond, func() {
				if n++; n == 3 {
					every.Stop()
					calls = append(calls, "third")
				}
			})
		})
		slices.Sort(calls)
		if want := []string{"late", "moved", "soon", "third"}; !slices.Equal(calls, want) {
			t.Errorf("called %v, want %v", calls, want)
		}
	})
}

// A period that never ends is one, also behind a Reset.
func TestEveryForever(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		calls := 0
		onLoop(t, cfg, func(l *event.Loop) {
			var every *event.Timer
			every = l.Every(math.MaxInt64, func() {
				if calls++; calls == 1 {
					l.AfterFunc(5*time.Millisecond, func() { every.Stop() })
				}
			})
			every.Reset(time.Millisecond)
		})
		if calls != 1 {
			t.Errorf("called %d times", calls)
		}
	})
}

// Hooks are called once a turn, check before and prepare behind the others; an idle hook keeps the loop turning.
func TestHooks(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var calls []string
		onLoop(t, cfg, func(l *event.Loop) {
			check := l.Check(func() { calls = append(calls, "check") })
			prepare := l.Prepare(func() { calls = append(calls, "prepare") })
			turns := 0
			var idle *event.Hook
			idle = l.Idle(func() {
				calls = append(calls, "idle")
				if turns++; turns == 3 {
					idle.Stop()
					check.Stop()
					prepare.Stop()
				}
			})
		})
		want := []string{"check", "idle", "prepare", "check", "idle", "prepare", "check", "idle"}
		if !slices.Equal(calls, want) {
			t.Errorf("called %v, want %v", calls, want)
		}
	})
}

// Wakes from anywhere are told, many by one, and what was done before a wake is seen by its call.
func TestWaker(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const goroutines, each = 4, 1000
		var mu sync.Mutex
		done, seen := 0, 0
		var w *event.Waker
		onLoop(t, cfg, func(l *event.Loop) {
			w = l.NewWaker(func() {
				mu.Lock()
				defer mu.Unlock()
				if seen = done; seen == goroutines*each {
					w.Stop()
				}
			})
			for range goroutines {
				go func() {
					for range each {
						mu.Lock()
						done++
						mu.Unlock()
						w.Wake()
					}
				}()
			}
		})
		w.Wake() // the loop has ended
		if seen != goroutines*each {
			t.Errorf("seen %d of %d", seen, goroutines*each)
		}
	})
}

// Signals of the process are told. It is not parallel, for others would be told as well.
func TestSignal(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var got []os.Signal
		onLoop(t, cfg, func(l *event.Loop) {
			var s *event.Signal
			s, err := l.Signal(func(sig os.Signal) {
				if got = append(got, sig); len(got) == 2 {
					s.Stop()
					return
				}
				syscall.Kill(os.Getpid(), syscall.SIGUSR2)
			}, syscall.SIGUSR1, syscall.SIGUSR2)
			if err != nil {
				t.Fatal(err)
			}
			syscall.Kill(os.Getpid(), syscall.SIGUSR1)
		})
		if want := []os.Signal{syscall.SIGUSR1, syscall.SIGUSR2}; !slices.Equal(got, want) {
			t.Errorf("told of %v, want %v", got, want)
		}
	})
}

// What is ready is told for as long as it lasts, and of the end of the other side.
func TestPoll(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		x := &pipeEnd{r: r, w: w}
		onLoop(t, cfg, func(l *event.Loop) {
			if err := x.poll(l); err != nil {
				t.Fatal(err)
			}
			w.Write([]byte("hello"))
		})
		if err := x.wrong(); err != nil {
			t.Error(err)
		}
	})
}

// pipeEnd is a pipe whose end to read from is polled.
type pipeEnd struct {
	r interface {
		io.Reader
		syscall.Conn
	}
	w        io.WriteCloser
	readable int
	err      error // that the Poll was told
	ended    bool
}

// poll reads what there is only once it has been told of it three times, then closes the other end, and ends with that.
func (x *pipeEnd) poll(l *event.Loop) error {
	var p *event.Poll
	p, err := l.Poll(x.r, sock.Readable, func(got sock.Interest, err error) {
		switch {
		case err != nil:
			x.err = err
			p.Stop()
		case got&sock.Readable != 0 && x.readable < 3:
			if x.readable++; x.readable == 3 {
				x.r.Read(make([]byte, 10))
				x.w.Close()
			}
		case got&sock.HungUp != 0:
			x.ended = true
			p.Stop()
		}
	})
	return err
}

// wrong says what of that did not come.
func (x *pipeEnd) wrong() error {
	if x.readable != 3 || !x.ended || x.err != nil {
		return fmt.Errorf("readable %d times, ended: %v; told %w", x.readable, x.ended, x.err)
	}
	return nil
}

// A poll for something else takes the place of the one before, and ends without being told.
func TestPollChanges(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		writable := false
		onLoop(t, cfg, func(l *event.Loop) {
			var p *event.Poll
			p, err := l.Poll(w, sock.Urgent, func(got sock.Interest, err error) {
				writable = got == sock.Writable && err == nil
				p.Stop()
			})
			if err != nil {
				t.Fatal(err)
			}
			l.AfterFunc(time.Millisecond, func() { p.SetInterest(sock.Writable) })
			never, err := l.Poll(r, sock.Readable, func(got sock.Interest, err error) {
				t.Errorf("told %v, %v behind Stop", got, err)
			})
			if err != nil {
				t.Fatal(err)
			}
			l.AfterFunc(2*time.Millisecond, never.Stop)
		})
		if !writable {
			t.Error("not told that the pipe is writable")
		}
	})
}

// Nobody is told of a device that is always ready for what it never is, and everybody for what it is.
func TestPollAlwaysReady(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		told := 0
		onLoop(t, cfg, func(l *event.Loop) {
			for _, interest := range []sock.Interest{0, sock.Urgent, sock.PeerDone} {
				var p *event.Poll
				want := sock.Interest(0)
				p, err := l.Poll(null, interest, func(got sock.Interest, err error) {
					if got != want || err != nil {
						t.Errorf("told %#x, %v of interest %#x, then %#x", got, err, interest, want)
					}
					switch told++; want {
					case sock.Readable:
						p.SetInterest(sock.Urgent)
						want = sock.Writable
						l.AfterFunc(time.Millisecond, func() { p.SetInterest(want) })
					default:
						p.Stop()
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				l.AfterFunc(time.Millisecond, func() {
					want = sock.Readable
					p.SetInterest(want)
				})
			}
		})
		if told != 6 {
			t.Errorf("told %d times, want 6", told)
		}
	})
}

// Nobody is told of what has come to be of no interest, although it was there before, and everybody of what is again.
func TestPollForgets(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		onLoop(t, cfg, func(l *event.Loop) {
			var polls [2]*event.Poll
			var off *event.Poll
			turns, told := 0, 0
			forget := func(other *event.Poll) { // whose word waits behind this one
				off = other
				other.SetInterest(sock.Urgent)
				var idle *event.Hook
				idle = l.Idle(func() {
					if turns++; turns == 10 {
						idle.Stop()
						off = nil
						other.SetInterest(sock.Writable)
					}
				})
			}
			for i := range polls {
				polls[i], err = l.Poll(w, sock.Writable, func(got sock.Interest, err error) {
					switch {
					case got != sock.Writable || err != nil:
						t.Errorf("told %v, %v", got, err)
						fallthrough
					case turns == 10:
						if told++; told == 50 {
							polls[0].Stop()
							polls[1].Stop()
						}
					case polls[i] == off:
						t.Error("told of what is of no interest any more")
					case off == nil:
						forget(polls[1-i])
					}
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		})
	})
}

// What a task returns is told to a function, and so is that it has not returned.
func TestGo(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
		n, calls := 0, 0
		var failed, canceled error
		onLoop(t, cfg, func(l *event.Loop) {
			event.Go(l, func() (int, error) { return 7, l.Ringo().Sleep(time.Millisecond) }, func(v int, err error) {
				if n, calls = v, calls+1; err != nil {
					t.Error(err)
				}
			})
			event.Go(l, func() (int, error) { panic("oops") }, func(_ int, err error) {
				failed, calls = err, calls+1
			})
			event.Go(l, func() (int, error) { return 0, l.Ringo().Sleep(time.Hour) }, func(_ int, err error) {
				canceled, calls = err, calls+1
			}).Cancel()
		})
		if n != 7 || failed != event.ErrNoReturn || !errors.Is(canceled, context.Canceled) || calls != 3 {
			t.Errorf("%d, %v, %v in %d calls", n, failed, canceled, calls)
		}
	})
}

// A file that is shorter than what is to be sent of it, or whose peer goes, is an error.
func TestSendFileFails(t *testing.T) {
	want := socktest.Prefix(3<<20 + 5)
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, want, 0o600); err != nil {
		t.Fatal(err)
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var told []error
		tell := func(err error) { told = append(told, err) }
		// One that is shorter, and one whose peer goes.
		var why error
		h := &funcs{
			open:  func(c *event.Conn) { c.SendFile(f, 0, int64(len(want)+1), tell) },
			close: func(_ *event.Conn, err error) { why = err },
		}
		pair(t, cfg, h, func(peer *net.TCPConn) error { io.Copy(io.Discard, peer); return nil })
		if len(told) != 1 || !errors.Is(told[0], io.ErrUnexpectedEOF) || !errors.Is(why, io.ErrUnexpectedEOF) {
			t.Errorf("of a file that is shorter: told %v, closed with %v", told, why)
		}
		told = nil
		h = &funcs{open: func(c *event.Conn) {
			for range 20 {
				c.SendFile(f, 0, int64(len(want)), tell)
			}
		}}
		pair(t, cfg, h, func(peer *net.TCPConn) error { return peer.SetLinger(0) })
		if len(told) != 20 || told[19] == nil {
			t.Errorf("of a peer that goes: told %v", told)
		}
	})
}

// Stop ends all that is active, of every kind, and what is told then is told once.
func TestStop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		var why, listener error
		closed := make(chan bool)
		h := &funcs{
			open: func(c *event.Conn) {
				l := c.Loop()
				l.AfterFunc(time.Hour, func() { t.Error("a timer that was stopped") })
				l.Every(time.Hour, func() {})
				l.Check(func() {})
				l.Prepare(func() {})
				l.Idle(func() {})
				l.NewWaker(func() {})
				if _, err := l.Signal(func(os.Signal) {}, syscall.SIGUSR1); err != nil {
					t.Error(err)
				}
				if _, err := l.Poll(r, sock.Readable, func(sock.Interest, error) {}); err != nil {
					t.Error(err)
				}
				ln, err := l.Listen("tcp", "127.0.0.1:0", event.Base{})
				if err != nil {
					t.Error(err)
				}
				ln.OnClose(func(err error) { listener = err })
				event.Go(l, func() (int, error) { return 0, l.Ringo().Sleep(time.Hour) }, func(_ int, err error) {
					if !errors.Is(err, context.Canceled) {
						t.Errorf("a task was told %v", err)
					}
				})
				l.Dial("tcp", ln.Addr().String(), event.Base{})
				c.SetMarks(1, 100<<20)
				c.WriteThen(make([]byte, 16<<20), func(err error) {
					if err == nil {
						t.Error("was told that all is sent")
					}
				})
				l.AfterFunc(5*time.Millisecond, l.Stop)
			},
			close: func(_ *event.Conn, err error) {
				why = err
				close(closed)
			},
		}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			<-closed // so that what is written finds no room
			io.Copy(io.Discard, peer)
			return nil
		})
		if why != event.ErrStopped || !errors.Is(listener, net.ErrClosed) {
			t.Errorf("closed with %v, the listener with %v", why, listener)
		}
	})
}

// A file that is shorter than what is to be sent is sent up to its end, also where it has to be read from a disk, and
// then the connection is reset.
func TestSendFileTooShort(t *testing.T) {
	for _, size := range []int{5, 1<<20 + 5} {
		want := socktest.Prefix(size)
		name := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(name, want, 0o600); err != nil {
			t.Fatal(err)
		}
		eachDriver(t, func(t *testing.T, cfg ringo.Config) {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			// Where this has no effect, as on tmpfs, sends don't wait for a disk.
			if err := errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)); err != nil {
				t.Fatal(err)
			}
			var told []error
			h := &funcs{open: func(c *event.Conn) {
				c.SendFile(f, 0, int64(len(want)+1), func(err error) { told = append(told, err) })
			}}
			pair(t, cfg, h, func(peer *net.TCPConn) error {
				got, err := io.ReadAll(peer)
				if !errors.Is(err, syscall.ECONNRESET) || !bytes.HasPrefix(want, got) {
					t.Errorf("%d bytes of %d come, or others, then %v", len(got), size, err)
				}
				return nil
			})
			if len(told) != 1 || !errors.Is(told[0], io.ErrUnexpectedEOF) {
				t.Errorf("%d bytes: told %v", size, told)
			}
		})
	}
}

// A File whose ReadAt does not return can't be read: whoever waits is told, and the connection ends.
func TestSendFileReadDoesNotReturn(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("oops") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
				f := stuckFile{unresident(t), end}
				defer f.Close()
				var told []error
				var why error
				h := &funcs{
					open: func(c *event.Conn) {
						if err := c.SendFile(f, 0, 1<<20, func(err error) { told = append(told, err) }); err != nil {
							t.Error(err)
						}
					},
					close: func(_ *event.Conn, err error) { why = err },
				}
				pair(t, cfg, h, func(peer *net.TCPConn) error {
					io.Copy(io.Discard, peer)
					return nil
				})
				want := map[string]error{"panic": event.ErrNoReturn, "Goexit": ringo.ErrGoexit}[name]
				if len(told) != 1 || !errors.Is(told[0], want) || !errors.Is(why, want) {
					t.Errorf("told %v, closed with %v", told, why)
				}
			})
		})
	}
}

// stuckFile is a file whose ReadAt does not return.
type stuckFile struct {
	*os.File
	end func()
}

func (f stuckFile) ReadAt([]byte, int64) (int, error) { f.end(); return 0, nil }

// unresident makes a file that is on the disk and not in memory.
func unresident(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(make([]byte, 1<<20))
	if err := errors.Join(err, f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)); err != nil {
		t.Fatal(err)
	}
	if (kernel.Host{}).Resident(int32(f.Fd()), 0, 1<<20) == 1 {
		f.Close()
		t.Skip("what is written here stays in memory")
	}
	return f
}

// largeOnes are what is written behind a few bytes in the same callback, and is too much to be accepted.
var largeOnes = []struct {
	name  string
	calls uint64
	size  int
	do    func(c *event.Conn, p []byte, f *os.File) error
}{
	{"Write", 1, 8000, func(c *event.Conn, p []byte, _ *os.File) error { return c.Write(p) }},
	{"WriteThen", 1, 8000, func(c *event.Conn, p []byte, _ *os.File) error { return c.WriteThen(p, func(error) {}) }},
	{"WriteV", 1, 8000, func(c *event.Conn, p []byte, _ *os.File) error { return c.WriteV([][]byte{p[:10], p[10:]}) }},
	{"WriteV of much", 1, 70_000, func(c *event.Conn, p []byte, _ *os.File) error {
		return c.WriteV([][]byte{p[:10], p[10:]})
	}},
	{"WriteLease", 1, 8000, func(c *event.Conn, p []byte, _ *os.File) error {
		lease, err := c.Keep() // of the question, which is the answer
		if err == nil {
			err = c.WriteLease(lease)
		}
		return err
	}},
	{"SendFile", 2, 8000, func(c *event.Conn, p []byte, f *os.File) error {
		return c.SendFile(f, 0, int64(len(p)), nil)
	}},
}

// What was accepted travels with what is too large for that: in one call, and with a file's bytes in one segment.
func TestLargeTakesSmallAlong(t *testing.T) {
	const rounds = 20
	head, all := socktest.Prefix(100), socktest.Prefix(70_000)
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, all, 0o600); err != nil {
		t.Fatal(err)
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, large := range largeOnes {
			t.Run(large.name, func(t *testing.T) {
				f, err := os.Open(name)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				p := all[:large.size]
				var called uint64
				h := &funcs{data: func(c *event.Conn, question []byte) int {
					if len(question) == 1 { // a first one, so that the loop has memory to accept
						c.Write(question)
						return 1
					}
					if len(question) < 8000 {
						return 0
					}
					if called != 0 {
						if n := calls(c.Loop()) - called; n != large.calls {
							t.Errorf("%d calls, want %d", n, large.calls)
						}
					}
					called = calls(c.Loop())
					if err := c.Write(head); err != nil {
						t.Error(err)
					}
					if err := large.do(c, p, f); err != nil {
						t.Error(err)
					}
					return len(question)
				}}
				pair(t, cfg, h, func(peer *net.TCPConn) error {
					if _, err := peer.Write([]byte{1}); err != nil {
						return err
					}
					if err := socktest.WantBytes(peer, []byte{1}); err != nil {
						return err
					}
					want := bytes.Join([][]byte{head, p}, nil)
					var before uint32
					fewest := ^uint32(0) // a process that is not run for 200 ms makes more
					for round := range rounds {
						if _, err := peer.Write(all[:8000]); err != nil {
							return err
						}
						if err := socktest.WantBytes(peer, want); err != nil {
							return err
						}
						segments := segmentsIn(t, peer)
						if round > 0 {
							fewest = min(fewest, segments-before)
						}
						before = segments
					}
					if large.calls == 2 && fewest != 1 {
						t.Errorf("%d segments at least, want 1", fewest)
					}
					return nil
				})
			})
		}
	})
}

// calls counts the calls by which a loop has sent.
func calls(e *event.Loop) uint64 {
	s := e.Ringo().Stats()
	n := s.Driver.Sends
	for _, o := range s.Ops {
		switch o.Op {
		case "send", "sendmsg", "sendfile":
			n += o.Tried + o.Submitted
		}
	}
	return n
}

// segmentsIn is how many segments with bytes have come.
func segmentsIn(t *testing.T, c *net.TCPConn) (n uint32) {
	rc, err := c.SyscallConn()
	if err == nil {
		rc.Control(func(fd uintptr) {
			var info *unix.TCPInfo
			if info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
				n = info.Data_segs_in
			}
		})
	}
	if err != nil {
		t.Error(err)
	}
	return n
}

// A file that sendfile(2) does not work for is sent all the same, in its place.
func TestSendFileOfProc(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const name = "/proc/self/limits"
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var told []error
		tell := func(err error) { told = append(told, err) }
		var why error
		h := &funcs{
			open: func(c *event.Conn) {
				if err := errors.Join(c.Write([]byte("<")), c.SendFile(f, 0, int64(len(want)), tell),
					c.Write([]byte("-")), c.SendFile(f, 10, 20, tell), c.Write([]byte(">"))); err != nil {
					t.Error(err)
				}
			},
			close: func(_ *event.Conn, err error) { why = err },
		}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			return socktest.WantBytes(peer, fmt.Appendf(nil, "<%s-%s>", want, want[10:30]))
		})
		if len(told) != 2 || errors.Join(told...) != nil {
			t.Errorf("told %v", told)
		}
		h.open = func(c *event.Conn) { c.SendFile(f, 0, int64(len(want)+1), tell) }
		pair(t, cfg, h, func(peer *net.TCPConn) error { io.Copy(io.Discard, peer); return nil })
		if len(told) != 3 || !errors.Is(told[2], io.ErrUnexpectedEOF) || !errors.Is(why, io.ErrUnexpectedEOF) {
			t.Errorf("of a file that is shorter: told %v, closed with %v", told, why)
		}
	})
}
