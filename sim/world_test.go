package sim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/posix"
	"ringo/sim"
	"ringo/sock"
)

// echo is a server of port 7000 that ends with its drain.
func echo(l *ringo.Loop) error {
	ln, err := sock.Listen(l, "tcp", ":7000")
	if err != nil {
		return err
	}
	for {
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		l.Go(func() { defer c.Close(); io.Copy(c, c) })
	}
}

// errAnswer is that of asks which got bytes that it has not sent.
var errAnswer = errors.New("another answer came back")

// asks has a task ask the echo server n times, with a pause between.
func asks(l *ringo.Loop, n int, pause time.Duration) error { return asksAnd(l, n, pause, func() {}) }

// asksAnd is asks that calls answered for each answer.
func asksAnd(l *ringo.Loop, n int, pause time.Duration, answered func()) error {
	c, err := sock.Dial(l, "tcp", "server:7000")
	if err != nil {
		return err
	}
	defer c.Close()
	p, from := make([]byte, 128), c.LocalAddr().String()
	for i := range n {
		q := fmt.Sprintf("question %d of %s", i, from)
		if _, err := c.Write([]byte(q)); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, p[:len(q)]); err != nil {
			return err
		}
		if string(p[:len(q)]) != q {
			return fmt.Errorf("%w: %q came back as %q", errAnswer, q, p[:len(q)])
		}
		answered()
		if err := l.Sleep(pause); err != nil {
			return err
		}
	}
	return nil
}

func TestEcho(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		w.Link = sim.Link{Latency: time.Millisecond, Jitter: time.Millisecond, Loss: 0.01}
		w.Host("server").Run(nil, echo)
		w.RunFor(time.Second) // it listens by then
		var clients []*sim.Program
		for i := range 3 {
			h := w.Host(fmt.Sprint("client", i))
			clients = append(clients, h.Run(nil, func(l *ringo.Loop) error { return asks(l, 100, time.Second) }))
		}
		w.Check(w.Wait(clients...))
		t.Log(w.Elapsed(), w.Hash())
	})
}

// What is sent comes to a host that lends ahead of the reader, up to the connection's bound, and to others when it is
// asked for.
func TestLends(t *testing.T) {
	for _, lends := range []bool{false, true} {
		sim.Run(t, 1, func(w *sim.World) {
			h := w.Host("server")
			h.Lends = lends
			const leases, size = 4, 1024
			server := h.Run(&ringo.Config{Leases: leases, BufferSize: size, Buffers: 64}, func(l *ringo.Loop) error {
				ln, err := sock.Listen(l, "tcp", ":7000")
				if err != nil {
					return err
				}
				c, err := ln.AcceptConn()
				if err != nil {
					return err
				}
				defer c.Close()
				if got := l.Info().Lends; got != lends {
					w.Errorf("Lends is %v, want %v", got, lends)
				}
				if _, err := c.Read(make([]byte, 1)); err != nil { // from now on it receives
					return err
				}
				l.Sleep(time.Second)
				if n := c.Buffered(); lends && (n < leases*size || n > 5*leases*size) || !lends && n != 0 {
					w.Errorf("lends: %v: %d bytes are here that nobody has asked for", lends, n)
				}
				n, err := io.Copy(io.Discard, c)
				if n != 99_999 {
					w.Errorf("%d bytes have come", n)
				}
				return err
			})
			w.RunFor(time.Second)
			w.Check(w.Wait(server, w.Host("client").Run(nil, func(l *ringo.Loop) error {
				c, err := sock.Dial(l, "tcp", "server:7000")
				if err != nil {
					return err
				}
				defer c.Close()
				_, err = c.Write(make([]byte, 100_000))
				return err
			})))
		})
	}
}

// A thousand hours in which a hundred clients ask once an hour.
func TestSixWeeks(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		w.Host("server").Run(nil, echo)
		w.RunFor(time.Second)
		c := w.Host("clients").Run(nil, func(l *ringo.Loop) error {
			g := ringo.NewGroup(l)
			for range 100 {
				g.Go(func() error { return asks(l, 1000, time.Hour) })
			}
			return g.Wait()
		})
		w.Check(w.Wait(c))
		if d := w.Elapsed(); d < 1000*time.Hour || d > 1001*time.Hour {
			w.Errorf("it took %v", d)
		}
	})
}

// One seed gives one history, whatever the number of processors; another one gives another.
func TestSeeds(t *testing.T) {
	play := func(seed uint64) (hash uint64) {
		sim.Run(t, seed, func(w *sim.World) {
			w.Link = sim.Link{Latency: time.Millisecond, Jitter: time.Millisecond, Loss: 0.05}
			server := w.Host("server")
			server.Run(nil, echo)
			w.RunFor(time.Second)
			var clients []*sim.Program
			for i := range 10 {
				clients = append(clients, w.Host(fmt.Sprint("client", i)).Run(nil, func(l *ringo.Loop) error {
					return asks(l, 50, time.Duration(w.Rand().IntN(1000))*time.Millisecond)
				}))
			}
			w.Check(w.Wait(clients...))
			hash = w.Hash()
		})
		return hash
	}
	one := play(1)
	for _, procs := range []int{1, 2, 4} {
		before := runtime.GOMAXPROCS(procs)
		if again := play(1); again != one {
			t.Errorf("with %d processors the hash is %x, and it was %x", procs, again, one)
		}
		runtime.GOMAXPROCS(before)
	}
	if play(2) == one {
		t.Error("two seeds have one history")
	}
}

// A host that crashes takes its tasks with it, peers hear nothing of it, and it begins anew with what it had synced.
func TestCrash(t *testing.T) {
	sim.Explore(t, 20, func(w *sim.World) {
		h := w.Host("server")
		starts, ends, found := 0, 0, ""
		h.Run(nil, func(l *ringo.Loop) error {
			starts++
			defer func() { ends++ }()
			if p, err := file.ReadFile("/kept"); err == nil {
				found = string(p)
			} else if starts > 1 {
				w.Errorf("%v", err)
			}
			f, err := file.Create("/kept")
			if err != nil {
				return err
			}
			defer f.Close()
			if _, err := f.Write([]byte("synced")); err != nil {
				return err
			}
			if err := f.Sync(); err != nil {
				return err
			}
			d, err := file.Open("/")
			if err != nil {
				return err
			}
			defer d.Close()
			if err := d.Sync(); err != nil {
				return err
			}
			return echo(l)
		})
		w.RunFor(time.Second)
		c := w.Host("client").Run(nil, func(l *ringo.Loop) error { return asks(l, 100, time.Second) })
		w.RunFor(10500 * time.Millisecond)
		h.Crash()
		if !h.Down() {
			w.Errorf("a crashed host is not down")
		}
		w.RunFor(time.Second)
		if starts != 1 || ends != 1 {
			w.Errorf("%d starts, %d ends", starts, ends)
		}
		h.Restart()
		w.RunFor(time.Second)
		if starts != 2 || found != "synced" {
			w.Errorf("%d starts, found %q", starts, found)
		}
		if err := w.Wait(c); !errors.Is(err, posix.ECONNRESET) {
			w.Errorf("the client of a host that has crashed: %v", err)
		}
	})
}

// A world in which all wait for what will never happen fails, and says for what they wait.
func TestDeadlock(t *testing.T) {
	tb := &recorder{TB: t}
	sim.Run(tb, 1, func(w *sim.World) {
		c := ringo.NewChan[int](1)
		w.Check(w.Wait(w.Host("lonely").Run(nil, func(l *ringo.Loop) error {
			_, err := c.Recv()
			return err
		})))
	})
	tb.want(t, "deadlock", "lonely", "seed 1", "RINGO_SIM_SEED=1", "Chan")
}

// What fails with many faults fails with those that it takes.
func TestShrinks(t *testing.T) {
	tb := &recorder{TB: t}
	sim.Explore(tb, 100, func(w *sim.World) {
		w.Link = sim.Link{Latency: time.Millisecond, Loss: 0.05}
		server := w.Host("server")
		server.Run(nil, echo)
		w.RunFor(time.Second)
		c := w.Host("client").Run(nil, func(l *ringo.Loop) error { return asks(l, 30, time.Second) })
		w.Storm(20*time.Second, sim.Storm{Hosts: []*sim.Host{server}, Crash: 15 * time.Second, Pause: 5 * time.Second})
		w.Check(w.Wait(c))
	})
	tb.want(t, "1 faults came before", "server: the host crashes", "RINGO_SIM_FAULTS=10.1.")
}

// A goroutine that uses what is in a world is told so, and the test fails.
func TestOutsiders(t *testing.T) {
	tb := &recorder{TB: t}
	sim.Run(tb, 1, func(w *sim.World) {
		w.Host("server").Run(nil, echo)
		w.RunFor(time.Second)
		p := w.Host("client").Run(nil, func(l *ringo.Loop) error {
			c, err := sock.Dial(l, "tcp", "server:7000")
			if err != nil {
				return err
			}
			defer c.Close()
			ended := make(chan error)
			go func() { _, err := c.Write([]byte("from outside")); ended <- err }()
			if err := <-ended; !errors.Is(err, sim.ErrOutside) {
				return fmt.Errorf("a goroutine wrote: %v", err)
			}
			return nil
		})
		w.Check(w.Wait(p))
	})
	tb.want(t, "outside", "TestOutsiders.func")
}

// recorder is a test that only notes that it fails, by whichever world.
type recorder struct {
	testing.TB
	mu   sync.Mutex
	text string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text += fmt.Sprintf(format, args...)
}

func (r *recorder) Helper() {}

func (r *recorder) want(t *testing.T, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(r.text, word) {
			t.Errorf("no %q in:\n%s", word, r.text)
		}
	}
}

// Programs that don't end with the drain are cancelled after their Grace, which is virtual.
func TestGrace(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		var ended error
		p := w.Host("here").Run(&ringo.Config{Grace: time.Hour / 2}, func(l *ringo.Loop) error {
			ended = l.Sleep(24 * time.Hour)
			return ended
		})
		w.RunFor(time.Second)
		p.Drain()
		if err := w.Wait(p); err != nil || !errors.Is(ended, context.Canceled) {
			w.Errorf("the program ended with %v, its task with %v", err, ended)
		}
		if d := w.Elapsed(); d < time.Hour/2 || d > time.Hour {
			w.Errorf("after %v", d)
		}
	})
}

// What SetGrace says counts from the drain's begin, or from when it is said.
func TestSetGrace(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after time.Duration // set a minute before the drain begins, and a minute behind; 0: not
		ends          time.Duration // behind its begin
	}{
		{"not", 0, 0, time.Hour},
		{"longer", 2 * time.Hour, 0, 2 * time.Hour},
		{"shorter", time.Second, 0, time.Second},
		{"none", -1, 0, 0},
		{"longer meanwhile", 0, 3 * time.Hour, 3*time.Hour + time.Minute},
		{"shorter meanwhile", 0, time.Minute, 2 * time.Minute},
		{"none meanwhile", 0, -1, time.Minute},
		{"both", 3 * time.Hour, time.Second, time.Minute + time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim.Run(t, 1, func(w *sim.World) {
				var l *ringo.Loop
				set := func(d time.Duration) {
					w.RunFor(time.Minute)
					if d != 0 {
						l.SetGrace(d)
					}
				}
				var ended error
				var at time.Duration
				p := w.Host("here").Run(&ringo.Config{Grace: time.Hour}, func(own *ringo.Loop) error {
					l = own
					ended = l.Sleep(24 * time.Hour)
					at = w.Elapsed()
					return ended
				})
				set(c.before)
				w.RunFor(time.Minute)
				p.Drain()
				began := w.Elapsed()
				set(c.after)
				if err := w.Wait(p); err != nil || !errors.Is(ended, context.Canceled) {
					w.Errorf("the program ended with %v, its task with %v", err, ended)
				}
				if d := at - began; d < c.ends || d > c.ends+time.Second {
					w.Errorf("it ended %v behind the drain's begin; want %v", d, c.ends)
				}
			})
		})
	}
}

// The loops of a program may send each other tasks as soon as they begin.
func TestLoopsBeginTogether(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		ran := 0
		p := w.Host("here").Run(&ringo.Config{Loops: 3}, func(l *ringo.Loop) error {
			for _, other := range l.Loops() {
				if err := other.Call(func() error { ran++; return nil }); err != nil {
					return err
				}
				if s := other.Stats(); s.Tasks == 0 && other.Index() == l.Index() {
					return fmt.Errorf("loop %d has no task", l.Index())
				}
			}
			return nil
		})
		if err := w.Wait(p); err != nil || ran != 9 {
			w.Errorf("%d tasks ran: %v", ran, err)
		}
	})
}

// A program that is run on a host that is down has ended, as one that its crash has ended, and starts with the host.
func TestRunWhileDown(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		host := w.Host("here")
		host.Crash()
		p := host.Run(nil, beats)
		if err := w.Wait(p); !errors.Is(err, sim.ErrCrashed) || !p.Ended() {
			w.Errorf("on a host that is down: %v, ended %v", err, p.Ended())
		}
		host.Restart()
		w.RunFor(time.Second)
		if p.Ended() || p.Err() != nil {
			w.Errorf("on a host that was restarted: %v, ended %v", p.Err(), p.Ended())
		}
		host.Crash()
		host.Restart()
		if err := w.Wait(host.Run(nil, func(*ringo.Loop) error { return nil })); err != nil {
			w.Errorf("on a host that is restarted: %v", err)
		}
		host.Crash()
		host.Restart()
		host.Run(nil, beats) // and the script ends
	})
	sim.Run(t, 1, func(w *sim.World) {
		host := w.Host("here")
		host.Crash()
		host.Run(nil, beats)
	})
}
