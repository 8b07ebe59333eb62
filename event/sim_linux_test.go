//go:build linux

package event_test

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/event"
	"ringo/file"
	"ringo/internal/test/socktest"
	"ringo/sim"
	"ringo/sock"
)

// A crash takes callbacks and what is under way with it, and the peer is told in the end.
func TestCrash(t *testing.T) {
	sim.Explore(t, 10, func(w *sim.World) {
		server, client := w.Host("server"), w.Host("client")
		server.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			e := event.On(l)
			e.Every(time.Millisecond, func() {})
			_, err := e.Listen("tcp", ":7000", &funcs{open: func(c *event.Conn) { c.Write(socktest.Prefix(1 << 20)) }})
			return errors.Join(err, e.Wait())
		})
		w.After(3*time.Second, func() { server.Crash(); server.Restart() })
		var end error
		closed := 0
		w.RunFor(time.Second)
		c := client.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			e := event.On(l)
			e.Dial("tcp", "server:7000", &funcs{
				open: func(c *event.Conn) {
					e.AfterFunc(4*time.Second, func() { c.Write([]byte("are you there?")) })
				},
				close: func(_ *event.Conn, err error) { end, closed = err, closed+1 },
			})
			return e.Wait()
		})
		w.Wait(c)
		if closed != 1 || end == nil || end == io.EOF {
			w.Errorf("closed %d times, with %v", closed, end)
		}
	})
}

// By a clock that nobody holds up a timeout comes when it is due, and not as long as something goes on.
func TestTimeoutsInTime(t *testing.T) {
	sim.Explore(t, 5, func(w *sim.World) {
		w.Link = sim.Link{Latency: time.Millisecond}
		server, client := w.Host("server"), w.Host("client")
		type told struct {
			at   time.Duration
			what event.Timeout
		}
		var got []told
		server.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			e := event.On(l)
			if _, err := e.Listen("tcp", ":7000", &funcs{
				open: func(c *event.Conn) {
					c.SetTimeouts(2*time.Second, 3*time.Second)
					c.SetMarks(1, 100<<20)
					if err := c.Write(make([]byte, 8<<20)); err != nil {
						w.Errorf("Write: %v", err)
					}
				},
				timeout: func(c *event.Conn, what event.Timeout) {
					got = append(got, told{w.Elapsed().Truncate(time.Second / 2), what})
					if len(got) == 3 {
						c.Abort()
					}
				},
			}); err != nil {
				return err
			}
			return e.Wait()
		})
		w.RunFor(time.Second)
		begin := w.Elapsed()
		c := client.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			c, err := sock.Dial(l, "tcp", "server:7000")
			if err != nil {
				return err
			}
			defer c.Close()
			p := make([]byte, 100<<10)
			for range 10 { // both ways go on until 10 s
				if _, err := io.ReadFull(c, p); err != nil {
					return err
				}
				if _, err := c.Write(p[:1]); err != nil {
					return err
				}
				l.Sleep(time.Second)
			}
			l.Sleep(time.Hour)
			return nil
		})
		_ = c
		w.RunFor(time.Minute)
		want := []told{{begin + 11*time.Second, event.ReadTimeout}, {begin + 12*time.Second, event.WriteTimeout},
			{begin + 13*time.Second, event.ReadTimeout}}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			w.Errorf("told %v, want %v", got, want)
		}
	})
}

// A peer that takes something goes on as long as it does, behind Close, too. One that stops has a minute, or the write
// timeout, and sees that something is missing.
func TestCloseOfSlowPeer(t *testing.T) {
	const much, piece = 40 << 20, 256 << 10 // more than a minute's
	for name, of := range map[string]struct {
		file  bool
		limit time.Duration // the write timeout
		reads int           // until the peer stops; 0: it does not
		size  int           // 0: much
		piece int           // 0: piece
	}{
		"bytes":                   {},
		"a file":                  {file: true},
		"bytes, very slow":        {size: 8 << 20, piece: 4 << 10}, // less than one op's in a minute
		"within a timeout":        {limit: 10 * time.Second},
		"a file within a timeout": {file: true, limit: 10 * time.Second},
		"bytes, stops":            {reads: 20},
		"a file, stops":           {file: true, reads: 20},
		"beyond a timeout":        {limit: 10 * time.Second, reads: 20},
		"a file beyond a timeout": {file: true, limit: 10 * time.Second, reads: 20},
		"beyond a long timeout":   {limit: 3 * time.Minute, reads: 20},
	} {
		size := cmp.Or(of.size, much)
		t.Run(name, func(t *testing.T) {
			sim.Explore(t, 1, func(w *sim.World) {
				var why error
				var closed, stopped time.Duration
				w.Host("server").Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
					if err := file.WriteFile("f", make([]byte, size), 0o600); err != nil {
						return err
					}
					f, err := file.Open("f")
					if err != nil {
						return err
					}
					defer f.Close()
					e := event.On(l)
					_, err = e.Listen("tcp", ":7000", &funcs{
						open: func(c *event.Conn) {
							c.SetTimeouts(0, of.limit)
							if of.file {
								w.Check(c.SendFile(f, 0, int64(size), nil))
							} else {
								w.Check(c.WriteThen(make([]byte, size), func(error) {}))
							}
							c.Close()
						},
						timeout: func(*event.Conn, event.Timeout) { w.Errorf("OnTimeout behind Close") },
						close:   func(_ *event.Conn, err error) { why, closed = err, w.Elapsed() },
					})
					return errors.Join(err, e.Wait())
				})
				w.RunFor(time.Second)
				got := 0
				var end error
				w.Check(w.Wait(w.Host("client").Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
					c, err := sock.Dial(l, "tcp", "server:7000")
					if err != nil {
						return err
					}
					defer c.Close()
					p := make([]byte, cmp.Or(of.piece, piece))
					for i := 1; end == nil; i++ {
						var n int
						n, end = io.ReadFull(c, p)
						got += n
						if stopped = w.Elapsed(); i == of.reads {
							l.Sleep(time.Hour)
							break
						}
						l.Sleep(time.Second / 2)
					}
					if of.reads > 0 {
						_, end = io.Copy(io.Discard, c)
					}
					return nil
				})))
				limit := of.limit
				if limit == 0 {
					limit = time.Minute
				}
				switch took := closed - stopped; {
				case of.reads == 0:
					if got != size || end != io.EOF || why != nil {
						w.Errorf("%d bytes come of %d, then %v; closed with %v", got, size, end, why)
					}
				case !errors.Is(why, os.ErrDeadlineExceeded), !errors.Is(end, syscall.ECONNRESET),
					took < limit-time.Second, took > limit+time.Second:
					w.Errorf("the peer sees %v; closed with %v, %v behind what it has taken last", end, why, took)
				}
			})
		})
	}
}

// What belongs to a world is polled there: it is told for as long as it is ready, and that the other end is gone.
func TestPollInWorlds(t *testing.T) {
	sim.Explore(t, 5, func(w *sim.World) {
		w.Check(w.Wait(w.Host("one").Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			r, wr, err := file.Pipe()
			if err != nil {
				return err
			}
			defer r.Close()
			e, x := event.On(l), &pipeEnd{r: r, w: wr}
			if err := x.poll(e); err != nil {
				return err
			}
			e.AfterFunc(time.Hour, func() { wr.Write([]byte("hello")) })
			return errors.Join(e.Wait(), x.wrong())
		})))
		if w.Elapsed() < time.Hour {
			w.Errorf("told after %v", w.Elapsed())
		}
	})
}

// A file of a world is sent from its disk, however slow that is, in its place among what else is written; where the
// disk fails the connection ends.
func TestSendFileInWorlds(t *testing.T) {
	want := socktest.Prefix(1 << 20)
	for name, fails := range map[string]float64{"sound": 0, "failing": 1} {
		t.Run(name, func(t *testing.T) {
			sim.Explore(t, 5, func(w *sim.World) {
				w.Link = sim.Link{Latency: time.Millisecond}
				server := w.Host("server")
				var sent error
				told := 0
				server.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
					if err := file.WriteFile("/tmp/data", want, 0o600); err != nil {
						return err
					}
					f, err := file.Open("/tmp/data")
					if err != nil {
						return err
					}
					defer f.Close()
					server.Disk = sim.Disk{Latency: 10 * time.Millisecond, FailRead: fails}
					e := event.On(l)
					if _, err := e.Listen("tcp", ":7000", &funcs{open: func(c *event.Conn) {
						w.Check(c.Write([]byte("<")))
						w.Check(c.SendFile(f, 10, int64(len(want)-10), func(err error) { sent, told = err, told+1 }))
						if c.Write([]byte(">")) == nil {
							c.CloseWrite()
						}
					}}); err != nil {
						return err
					}
					return e.Wait()
				})
				w.RunFor(time.Second)
				var got []byte
				w.Check(w.Wait(w.Host("client").Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) (err error) {
					c, err := sock.Dial(l, "tcp", "server:7000")
					if err != nil {
						return err
					}
					defer c.Close()
					got, err = io.ReadAll(c)
					if fails > 0 {
						return nil
					}
					return err
				})))
				whole := "<" + string(want[10:]) + ">"
				if told != 1 || (sent == nil) != (fails == 0) || (string(got) == whole) != (fails == 0) {
					w.Errorf("%d bytes came, want %d; told %d times: %v", len(got), len(whole), told, sent)
				}
			})
		})
	}
}

// What belongs to the process, or to the system, there is none of in a world, and that is said.
func TestRefusedInWorlds(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sim.Explore(t, 1, func(w *sim.World) {
		var sent error
		p := w.Host("one").Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			e := event.On(l)
			_, polled := e.Poll(f, sock.Readable, func(sock.Interest, error) {})
			_, signaled := e.Signal(func(os.Signal) {}, os.Interrupt)
			addr := listenOnce(t, e, event.Base{})
			e.Dial("tcp", addr, &funcs{open: func(c *event.Conn) {
				sent = c.SendFile(f, 0, 1, func(error) { w.Errorf("told of a file that was refused") })
				c.Close()
			}})
			err := e.Wait()
			for what, err := range map[string]error{"Poll": polled, "Signal": signaled, "SendFile": sent} {
				if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "simulated world") {
					w.Errorf("%s: %v", what, err)
				}
			}
			return err
		})
		w.Wait(p)
	})
}

// Adopt waits for a copy that has bytes in hand, and is shown what its sink did not take, before what came later. Where
// that lasts too long the connection is as before.
func TestAdoptWaitsForCopy(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		w.Check(w.Wait(w.Host("here").Run(nil, func(l *ringo.Loop) error {
			c, peer, err := sock.Pipe(l)
			if err != nil {
				return err
			}
			defer peer.Close()
			goOn := ringo.NewChan[bool](0)
			full := errors.New("the sink is full")
			var copied int64
			var copyErr error
			copier := l.Go(func() {
				copied, copyErr = c.WriteTo(sink(func(p []byte) (int, error) {
					goOn.Recv()
					return 4, full
				}))
			})
			peer.Write([]byte("some bytes"))
			l.Sleep(time.Second)
			peer.Write([]byte(" and more"))
			var got []byte
			h := &funcs{data: func(_ *event.Conn, p []byte) int { got = append(got, p...); return len(p) }}
			e := event.On(l)
			if _, err := e.Adopt(c, h); !errors.Is(err, syscall.EBUSY) {
				w.Errorf("behind a copy that waits Adopt gives %v", err)
				return nil
			}
			var adopted *event.Conn
			adopter := l.Go(func() { adopted, err = e.Adopt(c, h) })
			l.Sleep(time.Second)
			if adopted != nil || err != nil {
				w.Errorf("Adopt has not waited: %v", err)
			}
			goOn.Close()
			copier.Wait()
			if adopter.Wait(); err != nil {
				return err
			}
			l.Sleep(time.Second)
			if string(got) != " bytes and more" || copied != 4 || !errors.Is(copyErr, full) {
				w.Errorf("the handler is shown %q behind a copy of %d bytes, %v", got, copied, copyErr)
			}
			adopted.Close()
			return e.Wait()
		})))
	})
}

// sink is a function as a writer.
type sink func(p []byte) (int, error)

func (f sink) Write(p []byte) (int, error) { return f(p) }
