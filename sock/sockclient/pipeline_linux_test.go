//go:build linux

package sockclient_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sim"
	"ringo/sock"
	"ringo/sock/sockclient"
)

// numbered is a protocol of lines that begin with the request's number.
func numbered() sockclient.Protocol[string] {
	p := lines()
	p.ID = func(line string) uint64 {
		id, _, _ := strings.Cut(line, " ")
		n, _ := strconv.ParseUint(id, 10, 64)
		return n
	}
	return p
}

// taskOfLines is what the tasks are called of a Pipeline of lines.
const taskOfLines = ".lines."

// shuffled answers in any order.
func shuffled(c *sock.Conn, lines []string) {
	rand.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	echo(c, lines)
}

// Each caller gets the reply to its own request: tasks of the connection's loop, of another, and goroutines, together.
func TestPipeline(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]sockclient.Protocol[string]{"in order": lines(), "numbered": numbered()} {
		t.Run(name, func(t *testing.T) {
			onTwo(t, func(l *ringo.Loop) {
				answer := echo
				if how.ID != nil {
					answer = shuffled
				}
				addr, stop := served(t, l, answer)
				defer stop()
				p := sockclient.NewPipeline(l, dialed(t, l, addr), how, &sockclient.Config{Calls: 7, Buffer: 64})
				defer p.Close()
				var id atomic.Uint64
				var all ringo.WaitGroup
				for i := range 12 {
					all.Add(1)
					calls := func() {
						defer all.Done()
						for j := range 50 {
							me := id.Add(1)
							want := fmt.Sprint(me, " ", i, " ", strings.Repeat("x", j))
							call := func() (string, error) { return p.Call(nil, []byte(want+"\n")) }
							if how.ID != nil {
								call = func() (string, error) { return p.CallID(nil, me, []byte(want+"\n")) }
							}
							if got, err := call(); got != want || err != nil {
								t.Errorf("Call() = %q, %v, want %q", got, err, want)
								return
							}
						}
					}
					switch i % 3 {
					case 0:
						l.Go(calls)
					case 1:
						l.Loops()[1].Go(calls)
					case 2:
						go calls()
					}
				}
				all.Wait()
				if n := p.Waiting(); n != 0 || p.Err() != nil {
					t.Errorf("%d wait, %v", n, p.Err())
				}
			})
		})
	}
}

// Requests of the same turn go out together, and so come their replies.
func TestPipelineBatches(t *testing.T) {
	t.Parallel()
	onOne(t, func(l *ringo.Loop) {
		reads := 0
		addr, stop := served(t, l, func(c *sock.Conn, lines []string) {
			reads++
			echo(c, lines)
		})
		defer stop()
		p := sockclient.NewPipeline(l, dialed(t, l, addr), lines(), nil)
		defer p.Close()
		const rounds, calls = 20, 100
		for range rounds {
			var all ringo.WaitGroup
			for range calls {
				all.Go(func() {
					if _, err := p.Call(nil, []byte("x\n")); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
		if reads > 3*rounds { // a turn may end early
			t.Errorf("the server has read %d times for %d requests in %d turns", reads, rounds*calls, rounds)
		}
	})
}

// Who gives up takes nothing from the others, whose replies come all the same, and its place is free again when its own
// has come.
func TestPipelineGivesUp(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]sockclient.Protocol[string]{"in order": lines(), "numbered": numbered()} {
		t.Run(name, func(t *testing.T) {
			onTwo(t, func(l *ringo.Loop) {
				var held []string
				var from *sock.Conn
				addr, stop := served(t, l, func(c *sock.Conn, lines []string) {
					held, from = append(held, lines...), c
				})
				defer stop()
				p := sockclient.NewPipeline(l, dialed(t, l, addr), how, &sockclient.Config{Calls: 3})
				defer p.Close()
				call := func(ctx context.Context, id uint64) (string, error) {
					request := fmt.Appendf(nil, "%d\n", id)
					if how.ID == nil {
						return p.Call(ctx, request)
					}
					return p.CallID(ctx, id, request)
				}
				ctx, cancel := context.WithCancel(context.Background())
				errs := ringo.NewChan[error](4)
				gives := func(id uint64) func() {
					return func() {
						_, err := call(ctx, id)
						errs.Send(err)
					}
				}
				l.Go(gives(1))
				until(t, "a request", func() bool { return len(held) == 1 })
				var got string
				var kept ringo.WaitGroup
				kept.Go(func() {
					var err error
					if got, err = call(nil, 2); err != nil {
						t.Error(err)
					}
				})
				until(t, "another", func() bool { return len(held) == 2 })
				go gives(3)()
				until(t, "a third", func() bool { return len(held) == 3 })
				l.Go(gives(4)) // for whom there is no place
				until(t, "who waits in line", func() bool {
					return strings.Contains(socktest.TasksOf(l.Loops()), "Semaphore")
				})
				cancel()
				for range 3 {
					if err, _ := errs.Recv(); !errors.Is(err, context.Canceled) {
						t.Errorf("a call that was given up has %v", err)
					}
				}
				if n := p.Waiting(); n != 3 {
					t.Errorf("%d wait, want 3", n)
				}
				err := l.WithTimeout(0, func() error { _, err := call(nil, 5); return err })
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("a call without a place: %v", err)
				}
				echo(from, held)
				held = nil
				kept.Wait()
				if got != "2" {
					t.Errorf("Call() = %q", got)
				}
				var all ringo.WaitGroup
				for id := range uint64(3) { // the places are there again
					all.Go(func() {
						if got, err := call(nil, 10+id); got != fmt.Sprint(10+id) || err != nil {
							t.Errorf("Call() = %q, %v", got, err)
						}
					})
				}
				until(t, "three more", func() bool { return len(held) == 3 })
				echo(from, held)
				all.Wait()
			})
		})
	}
}

// A task that is cancelled when it has just been given its place makes no request.
func TestPipelineLatePlace(t *testing.T) {
	t.Parallel()
	onOne(t, func(l *ringo.Loop) {
		requests := 0
		addr, stop := served(t, l, func(c *sock.Conn, lines []string) { requests += len(lines); echo(c, lines) })
		defer stop()
		p := sockclient.NewPipeline(l, dialed(t, l, addr), lines(), &sockclient.Config{Calls: 1})
		defer p.Close()
		var late *ringo.Task
		first := l.Go(func() {
			if _, err := p.Call(nil, []byte("first\n")); err != nil {
				t.Error(err)
			}
			late.Cancel() // who stands behind it in this turn
		})
		late = l.Go(func() {
			if _, err := p.Call(nil, []byte("late\n")); !errors.Is(err, context.Canceled) {
				t.Errorf("Call() = %v", err)
			}
		})
		first.Wait()
		late.Wait()
		if got, err := p.Call(nil, []byte("x\n")); got != "x" || err != nil || requests != 2 {
			t.Errorf("Call() = %q, %v, and %d requests", got, err, requests)
		}
	})
}

// When the connection ends, all that wait hear of it, and whether their requests were sent.
func TestPipelineLost(t *testing.T) {
	t.Parallel()
	onTwo(t, func(l *ringo.Loop) {
		addr, stop := served(t, l, func(c *sock.Conn, lines []string) {
			if slices.Contains(lines, "end") {
				c.Close()
			}
		})
		defer stop()
		p := sockclient.NewPipeline(l, dialed(t, l, addr), lines(), nil)
		var all ringo.WaitGroup
		for i := range 3 {
			all.Add(1)
			call := func() {
				defer all.Done()
				_, err := p.Call(nil, []byte("held\n"))
				wantLost(t, err, true, io.EOF)
			}
			if i == 2 {
				go call()
			} else {
				l.Loops()[i].Go(call)
			}
		}
		until(t, "three requests", func() bool { return p.Waiting() == 3 })
		_, err := p.Call(nil, []byte("end\n"))
		wantLost(t, err, true, io.EOF)
		all.Wait()
		_, err = p.Call(nil, []byte("late\n"))
		wantLost(t, err, false, io.EOF)
		if p.Err() != io.EOF || p.Waiting() != 0 {
			t.Errorf("Err() = %v, and %d wait", p.Err(), p.Waiting())
		}
		if err := p.Close(); err != net.ErrClosed {
			t.Errorf("Close() = %v", err)
		}
	})
}

// What the connection had no room for was not sent.
func TestPipelineUnsent(t *testing.T) {
	t.Parallel()
	onOne(t, func(l *ringo.Loop) {
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		p := sockclient.NewPipeline(l, dialed(t, l, ln.Addr().String()), lines(), nil)
		peer, err := ln.AcceptConn()
		if err != nil {
			t.Fatal(err)
		}
		defer peer.Close()
		var all ringo.WaitGroup
		all.Go(func() {
			_, err := p.Call(nil, make([]byte, 64<<20))
			wantLost(t, err, true, net.ErrClosed)
		})
		until(t, "a write that waits", func() bool {
			return strings.Contains(socktest.TasksOf(l.Loops()), ": write")
		})
		all.Go(func() {
			_, err := p.Call(nil, []byte("behind\n"))
			wantLost(t, err, false, net.ErrClosed)
		})
		until(t, "two calls", func() bool { return p.Waiting() == 2 })
		if tasks := socktest.TasksOf(l.Loops()); !strings.Contains(tasks, taskOfLines) {
			t.Errorf("no task is called %s:\n%s", taskOfLines, tasks)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		all.Wait()
		if err := p.Close(); err != net.ErrClosed {
			t.Errorf("Close() = %v", err)
		}
	})
}

// What answers no request goes to who is there for it, also while no request is under way, and ends the connection if
// nobody is.
func TestPipelinePush(t *testing.T) {
	t.Parallel()
	onOne(t, func(l *ringo.Loop) {
		addr, stop := served(t, l, func(c *sock.Conn, lines []string) {
			c.Write([]byte("push 1\n"))
			echo(c, lines)
			c.Flush()
			l.Sleep(time.Millisecond)
			c.Write([]byte("pu"))
			c.Flush()
			l.Sleep(time.Millisecond)
			c.Write([]byte("sh 2\n"))
		})
		defer stop()
		var pushed []string
		how := lines()
		how.Push = func(line string) bool {
			if !strings.HasPrefix(line, "push") {
				return false
			}
			pushed = append(pushed, line)
			return true
		}
		p := sockclient.NewPipeline(l, dialed(t, l, addr), how, nil)
		defer p.Close()
		for i := range 3 {
			if got, err := p.Call(nil, []byte("x\n")); got != "x" || err != nil {
				t.Fatal(got, err)
			}
			until(t, "what comes at rest", func() bool { return len(pushed) == 2*i+2 })
		}
		if got := strings.Join(pushed[:4], ","); got != "push 1,push 2,push 1,push 2" {
			t.Error(got)
		}
		q := sockclient.NewPipeline(l, dialed(t, l, addr), lines(), nil)
		if got, err := q.Call(nil, []byte("x\n")); got != "push 1" || err != nil {
			t.Fatal(got, err)
		}
		until(t, "the end", func() bool { return q.Err() != nil })
		if q.Err() != sockclient.ErrUnasked {
			t.Errorf("Err() = %v", q.Err())
		}
	})
}

// A number that is under way is not given twice, and a reply with one that is not ends the connection.
func TestPipelineNumbers(t *testing.T) {
	t.Parallel()
	onOne(t, func(l *ringo.Loop) {
		addr, stop := served(t, l, func(c *sock.Conn, lines []string) {
			if slices.Contains(lines, "2") {
				c.Write([]byte("3\n"))
			}
		})
		defer stop()
		p := sockclient.NewPipeline(l, dialed(t, l, addr), numbered(), nil)
		var all ringo.WaitGroup
		all.Go(func() {
			_, err := p.CallID(nil, 1, []byte("1\n"))
			wantLost(t, err, true, sockclient.ErrUnasked)
		})
		until(t, "a call", func() bool { return p.Waiting() == 1 })
		if _, err := p.CallID(nil, 1, []byte("1\n")); err == nil || !strings.Contains(err.Error(), "under way") {
			t.Errorf("a number twice: %v", err)
		}
		_, err := p.CallID(nil, 2, []byte("2\n"))
		wantLost(t, err, true, sockclient.ErrUnasked)
		all.Wait()
		if _, err := p.Call(nil, nil); err == nil || !strings.Contains(err.Error(), "CallID") {
			t.Errorf("Call() = %v", err)
		}
		q := sockclient.NewPipeline(l, dialed(t, l, addr), lines(), nil)
		defer q.Close()
		if _, err := q.CallID(nil, 1, nil); err == nil || !strings.Contains(err.Error(), "Call") {
			t.Errorf("CallID() = %v", err)
		}
	})
}

// An error of Read ends the connection, and so does a panic of it: nobody waits for ever.
func TestPipelineStray(t *testing.T) {
	t.Parallel()
	errTest := errors.New("of the test")
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		panics := 0
		cfg.OnPanic = func(*ringo.Loop, any, []byte) { panics++ }
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			addr, stop := served(t, l, echo)
			defer stop()
			for what, want := range map[string]error{"error": errTest, "panic": nil, "exit": nil} {
				how := lines()
				read := how.Read
				how.Read = func(r *bufio.Reader) (string, error) {
					s, err := read(r)
					switch s {
					case "error":
						err = errTest
					case "panic":
						panic(errTest)
					case "exit":
						runtime.Goexit()
					}
					return s, err
				}
				p := sockclient.NewPipeline(l, dialed(t, l, addr), how, nil)
				if got, err := p.Call(nil, []byte("x\n")); got != "x" || err != nil {
					t.Errorf("Call() = %q, %v", got, err)
				}
				_, err := p.Call(nil, []byte(what+"\n"))
				var lost *sockclient.LostError
				if !errors.As(err, &lost) || !lost.Sent || want != nil && lost.Err != want {
					t.Errorf("%s: %v", what, err)
				}
				if want == nil && !strings.Contains(fmt.Sprint(p.Err()), "panicked") {
					t.Errorf("%s: Err() = %v", what, p.Err())
				}
			}
			until(t, "a panic", func() bool { return panics == 1 })
		})
	})
}

// While no request is under way there is no task: a Run ends that has not closed it. Its end is heard of even so.
func TestPipelineAtRest(t *testing.T) {
	t.Parallel()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		patience.Within(t.Name(), func() {
			err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
				var ends *sock.Conn
				addr, stop := served(t, l, func(c *sock.Conn, lines []string) { ends = c; echo(c, lines) })
				defer stop()
				p := sockclient.NewPipeline(l, dialed(t, l, addr), lines(), nil)
				for range 3 {
					if _, err := p.Call(nil, []byte("x\n")); err != nil {
						t.Error(err)
					}
					socktest.Pause(l)
				}
				if tasks := socktest.TasksOf(l.Loops()); strings.Contains(tasks, taskOfLines) {
					t.Errorf("at rest there are tasks:\n%s", tasks)
				}
				ends.Close()
				until(t, "the end", func() bool { return p.Err() == io.EOF })
				q := sockclient.NewPipeline(l, dialed(t, l, addr), lines(), nil)
				_, err := q.Call(nil, []byte("x\n"))
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	})
}

// A loop that has ended takes no calls.
func TestPipelineOfEndedLoop(t *testing.T) {
	t.Parallel()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var p *sockclient.Pipeline[string]
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			addr, stop := served(t, l, echo)
			defer stop()
			p = sockclient.NewPipeline(l, dialed(t, l, addr), lines(), nil)
			elsewhere(func() {
				if _, err := p.Call(nil, []byte("x\n")); err != nil {
					t.Error(err)
				}
			})
			p = sockclient.NewPipeline(l, dialed(t, l, addr), lines(), nil)
		})
		_, err := p.Call(nil, []byte("x\n"))
		wantLost(t, err, false, ringo.ErrEnded)
	})
}

// A call of a task of the connection's loop costs no memory, once as many have been under way.
func TestPipelineAllocates(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
			ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			how := sockclient.Protocol[byte]{Read: func(r *bufio.Reader) (byte, error) { return r.ReadByte() }}
			p := sockclient.NewPipeline(l, dialed(t, l, ln.Addr().String()), how, nil)
			peer, err := ln.AcceptConn()
			if err != nil {
				t.Fatal(err)
			}
			echoes := l.Go(func() {
				b := make([]byte, 1)
				for {
					if _, err := peer.Read(b); err != nil {
						peer.Close()
						return
					}
					peer.Write(b)
				}
			})
			b := []byte{7}
			if n := alloctest.Least(200, 0.1, func() {
				if got, err := p.Call(nil, b); got != 7 || err != nil {
					t.Errorf("Call() = %v, %v", got, err)
				}
			}); n > 0.1 {
				t.Errorf("%v allocations a call", n)
			}
			p.Close()
			echoes.Wait()
		})
	})
}

// In storms, with callers that give up at any time, each gets its own reply or an error, and none waits for ever.
func TestPipelineInStorms(t *testing.T) {
	t.Parallel()
	sim.Explore(t, 30, func(w *sim.World) {
		server, client := w.Host("server"), w.Host("client")
		server.Run(nil, func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", ":7000")
			if err != nil {
				return err
			}
			for {
				c, err := ln.AcceptConn()
				if err != nil {
					return nil
				}
				l.Go(func() { io.Copy(c, c); c.Close() })
			}
		})
		w.Link = sim.Link{Latency: time.Millisecond, Loss: 0.01}
		w.Storm(2*time.Second, sim.Storm{})
		right := 0
		end := client.Run(nil, func(l *ringo.Loop) error {
			for round := range 5 {
				var c *sock.Conn
				err := l.WithTimeout(time.Minute, func() (err error) {
					c, err = sock.Dial(l, "tcp", "server:7000")
					return err
				})
				if err != nil {
					continue
				}
				p := sockclient.NewPipeline(l, c, lines(), &sockclient.Config{Calls: 5, Buffer: 16})
				var all ringo.WaitGroup
				for i := range 10 {
					all.Go(func() {
						for j := range 10 {
							want := fmt.Sprint(round, i, j, strings.Repeat("y", 100*j))
							patience := time.Duration(1+w.Rand().IntN(60)) * time.Second
							if w.Rand().IntN(5) == 0 {
								patience = time.Duration(w.Rand().IntN(5)) * time.Millisecond
							}
							err := l.WithTimeout(patience, func() error {
								got, err := p.Call(nil, []byte(want+"\n"))
								if err == nil && got != want {
									w.Errorf("Call() = %.20q, want %.20q", got, want)
								}
								return err
							})
							if err == nil {
								right++
							}
						}
					})
				}
				all.Wait()
				p.Close()
			}
			return nil
		})
		w.Wait(end)
		if w.Seed() == 1 && right == 0 {
			w.Errorf("no call has had its reply")
		}
	})
}
