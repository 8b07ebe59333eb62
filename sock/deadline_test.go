package sock_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
	"ringo/stats"
)

var (
	longAgo = time.Unix(1, 0)
	never   = time.Time{}
)

func TestDeadlinePast(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			send(t, peer, "kept")
			if _, err := c.Peek(4); err != nil {
				t.Fatal(err)
			}
			for _, past := range []time.Time{longAgo, time.Now().Add(-time.Nanosecond),
				time.Unix(-1<<40, 0), time.Time{}.Add(1)} {
				c.SetDeadline(past)
				wantTimeout(t, "Read", read(c))
				wantTimeout(t, "Write", write(c))
				_, err := c.Next()
				wantTimeout(t, "Next", err)
				_, err = c.WriteTo(io.Discard)
				wantTimeout(t, "WriteTo", err)
			}
			c.SetDeadline(never)
			wantAll(t, c, "kept")
			c.Write([]byte("out"))
			wantPeer(t, l, peer, "out")
		})
	})
}

func TestDeadlineFuture(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			for name, wait := range map[string]func() error{
				"Read":    func() error { return read(c) },
				"Next":    func() error { _, err := c.Next(); return err },
				"Peek":    func() error { _, err := c.Peek(1); return err },
				"Discard": func() error { _, err := c.Discard(1); return err },
			} {
				const d = 10 * time.Millisecond
				begin := socktest.Now(l)
				c.SetReadDeadline(begin.Add(d))
				wantTimeout(t, name, wait())
				if took := socktest.Now(l).Sub(begin); took < d {
					t.Errorf("%s gave up after %v, the deadline was in %v", name, took, d)
				}
			}
			send(t, peer, "x")
			wantTimeout(t, "Read after the deadline", read(c))
			c.SetReadDeadline(patience.Deadline())
			wantAll(t, c, "x")
		})
	})
}

// A deadline beyond what nanoseconds count is far away, not long ago.
func TestDeadlineFarAway(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			for _, far := range []time.Time{
				time.Now().Add(1<<63 - 1), time.Now().AddDate(250, 0, 0), time.Now().AddDate(290, 0, 0),
				time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), time.Unix(1<<60, 0),
			} {
				if err := c.SetDeadline(far); err != nil {
					t.Fatal(err)
				}
				l.Go(func() { send(t, peer, "x") })
				if err := read(c); err != nil {
					t.Errorf("Read with the deadline %v: %v", far, err)
				}
				if err := write(c); err != nil {
					t.Errorf("Write with the deadline %v: %v", far, err)
				}
			}
		})
	})
}

// reader starts a task that reads once, and gives what it got.
func reader(l *ringo.Loop, c *sock.Conn) (wait func() (string, error)) {
	p := make([]byte, 64)
	var n int
	var err error
	task := l.Go(func() { n, err = c.Read(p) })
	return func() (string, error) {
		task.Wait()
		return string(p[:n]), err
	}
}

func TestDeadlineMovedWhileReading(t *testing.T) {
	t.Parallel()
	soon := func(d time.Duration) time.Time { return time.Now().Add(d) }
	none := func(time.Duration) time.Time { return never }
	late := func(time.Duration) time.Time { return time.Now().Add(24 * time.Hour) } // whoever waits for it hangs
	past := func(time.Duration) time.Time { return longAgo }
	for _, c := range []struct {
		name     string
		from, to func(soon time.Duration) time.Time
		expires  bool
	}{
		{"later", soon, late, false},
		{"cleared", soon, none, false},
		{"earlier", late, soon, true},
		{"past", late, past, true},
		{"set at last", none, soon, true},
		{"past, from none", none, past, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, cfg ringo.Config) {
				pair(t, cfg, func(l *ringo.Loop, conn *sock.Conn, peer tcpPeer) {
					d := 15 * time.Millisecond
					var wait func() (string, error)
					for begin := time.Now(); ; begin, d = time.Now(), 2*d {
						conn.SetReadDeadline(c.from(d))
						wait = reader(l, conn)
						others(l) // it is parked
						conn.SetReadDeadline(c.to(d))
						if time.Now().Sub(begin) < d/2 {
							break
						}
						conn.SetReadDeadline(longAgo) // too slow today to tell: once more
						wait()
					}
					if c.expires {
						_, err := wait()
						wantTimeout(t, "Read", err)
						return
					}
					l.AfterFunc(2*d, func() { send(t, peer, "came") })
					if got, err := wait(); got != "came" || err != nil {
						t.Errorf("Read() = %q, %v, want what came", got, err)
					}
				})
			})
		})
	}
}

// A write that runs out of time says how much went out, and exactly that arrives.
func TestWriteDeadlineCounts(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, how := range []string{"set before", "set while parked", "moved earlier"} {
			t.Run(how, func(t *testing.T) {
				pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
					msg := make([]byte, 16<<20)
					pattern(msg, 0)
					soon := time.Now().Add(30 * time.Millisecond)
					switch how {
					case "set before":
						c.SetWriteDeadline(soon)
					case "set while parked":
						l.AfterFunc(10*time.Millisecond, func() { c.SetWriteDeadline(soon) })
					case "moved earlier":
						c.SetWriteDeadline(patience.Deadline())
						l.AfterFunc(10*time.Millisecond, func() { c.SetWriteDeadline(soon) })
					}
					n, err := c.Write(msg)
					wantTimeout(t, "Write", err)
					if n == 0 || n >= len(msg) {
						t.Fatalf("Write() = %d, want some of it", n)
					}
					c.SetWriteDeadline(never)
					c.CloseWrite()
					var got []byte
					offloaded(t, l, func() (err error) { got, err = io.ReadAll(peer); return err })
					if !bytes.Equal(got, msg[:n]) {
						t.Errorf("the peer got %d bytes, Write said %d", len(got), n)
					}
				})
			})
		}
	})
}

// Whatever the deadlines do, each byte is read once, in order.
func TestDeadlineLosesNothing(t *testing.T) {
	t.Parallel()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.BufferSize = 64
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			const total = 1 << 16
			go func() {
				msg := make([]byte, total)
				pattern(msg, 0)
				for r := rand.New(rand.NewPCG(1, 2)); len(msg) > 0; {
					n := min(len(msg), 1+r.IntN(200))
					if _, err := peer.Write(msg[:n]); err != nil {
						t.Error(err)
						return
					}
					msg = msg[n:]
					time.Sleep(time.Duration(r.IntN(100)) * time.Microsecond)
				}
			}()
			p := make([]byte, 100)
			expired := 0
			for at := 0; at < total; {
				c.SetReadDeadline(time.Now().Add(50 * time.Microsecond))
				n, err := c.Read(p)
				if err != nil {
					wantTimeout(t, "Read", err)
					expired++
				}
				if bad := mismatch(p[:n], at); bad >= 0 {
					t.Fatalf("wrong byte at %d, after %d expired reads", bad, expired)
				}
				at += n
			}
			if expired == 0 {
				t.Error("no deadline expired: the test did not test")
			}
		})
	})
}

// A deadline that each request moves later submits nothing and wakes nobody.
func TestDeadlinePerRequestIsFree(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			const rounds = 300
			echo := func(deadline bool) (before, after stats.Loop) {
				done := make(chan error, 1)
				go func() {
					p := make([]byte, 1)
					var err error
					for i := 0; i < rounds && err == nil; i++ {
						if _, err = peer.Write(p); err == nil {
							_, err = peer.Read(p)
						}
					}
					done <- err
				}()
				before = l.Stats()
				p := make([]byte, 1)
				for range rounds {
					if deadline {
						c.SetDeadline(l.Now().Add(patience.Max))
					}
					if _, err := c.Read(p); err != nil {
						t.Fatal(err)
					}
					if _, err := c.Write(p); err != nil {
						t.Fatal(err)
					}
				}
				after = l.Stats()
				offloaded(t, l, func() error { return <-done })
				return before, after
			}
			echo(false)
			for try := 1; ; try++ { // how often the reader finds its byte there is the machine's affair, and differs
				b0, a0 := echo(false)
				b1, a1 := echo(true)
				without, with := a0.Driver.Submitted-b0.Driver.Submitted, a1.Driver.Submitted-b1.Driver.Submitted
				plain, turns := a0.Turns-b0.Turns, a1.Turns-b1.Turns
				if with <= without*3/2+10 && turns <= plain+rounds { // an op a request would be far more
					return
				}
				if try == 5 {
					t.Fatalf("%d ops and %d turns with a deadline a request, %d and %d without, in %d requests", with,
						turns, without, plain, rounds)
				}
			}
		})
	})
}

// A cancelled reader leaves; what comes afterwards is the next one's.
func TestCancelReaders(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, wait := range readings {
			t.Run(name, func(t *testing.T) {
				pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
					for range 3 {
						var err, again error
						task := l.Go(func() {
							err = wait(c)
							again = wait(c) // present and later waits
						})
						others(l)
						task.Cancel()
						if task.Wait() != nil {
							t.Error("Wait of a cancelled task that returned is not nil")
						}
						wantCanceled(t, name, err)
						wantCanceled(t, name+" again", again)
					}
					send(t, peer, "for the next")
					wantAll(t, c, "for the next")
				})
			})
		}
	})
}

// A cancelled writer says how much went out, and that much arrives.
func TestCancelWriter(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			msg := make([]byte, 16<<20)
			pattern(msg, 0)
			var n int
			var err error
			task := l.Go(func() { n, err = c.Write(msg) })
			queued := l.Go(func() {
				_, err := c.Write([]byte("queued"))
				wantCanceled(t, "a queued Write", err)
			})
			others(l)
			queued.Cancel()
			queued.Wait()
			task.Cancel()
			task.Wait()
			wantCanceled(t, "Write", err)
			if n == 0 || n >= len(msg) {
				t.Fatalf("Write() = %d, want some of it", n)
			}
			rest := l.Go(func() { // the stream goes on where it stopped
				if _, err := c.Write(msg[n : n+1000]); err != nil {
					t.Error(err)
				}
				c.CloseWrite()
			})
			var got []byte
			offloaded(t, l, func() (err error) { got, err = io.ReadAll(peer); return err })
			rest.Wait()
			if !bytes.Equal(got, msg[:n+1000]) {
				t.Errorf("the peer got %d bytes, want %d in order", len(got), n+1000)
			}
		})
	})
}

// Readers are cancelled all the time; the bytes come once, in order.
func TestCancelLosesNothing(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.BufferSize = 64
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			const total = 200_000
			go func() {
				msg := make([]byte, total)
				pattern(msg, 0)
				for len(msg) > 0 {
					n := min(len(msg), 777)
					if _, err := peer.Write(msg[:n]); err != nil {
						t.Error(err)
						return
					}
					msg = msg[n:]
				}
			}()
			at, cancelled := 0, 0
			for at < total {
				var n int
				var err error
				p := make([]byte, 150)
				task := l.Go(func() { n, err = c.Read(p) })
				if at%3 == 0 {
					l.Go(task.Cancel)
				}
				task.Wait()
				if err != nil {
					wantCanceled(t, "Read", err)
					cancelled++
				}
				if bad := mismatch(p[:n], at); bad >= 0 {
					t.Fatalf("wrong byte at %d, after %d cancelled reads", bad, cancelled)
				}
				at += n
			}
		})
	})
}

// Of readers that queue, the cancelled one leaves and the others keep their order.
func TestCancelQueuedReader(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			var order []int
			var tasks []*ringo.Task
			for i := range 5 {
				tasks = append(tasks, l.Go(func() {
					p := make([]byte, 1)
					if _, err := c.Read(p); err != nil {
						wantCanceled(t, "a queued Read", err)
						order = append(order, -i)
						return
					}
					order = append(order, int(p[0]-'0')*10+i)
				}))
			}
			others(l)
			tasks[3].Cancel()
			tasks[3].Wait()
			tasks[0].Cancel() // the one that has the turn
			tasks[0].Wait()
			send(t, peer, "123")
			for _, task := range tasks {
				task.Wait()
			}
			want := []int{-3, 0, 11, 22, 34}
			for i, got := range order {
				if got != want[i] {
					t.Fatalf("order %v, want %v: task 1 reads the first byte, 2 the second, 4 the third", order, want)
				}
			}
		})
	})
}
