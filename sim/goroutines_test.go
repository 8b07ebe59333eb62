package sim_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/race"
	"ringo/internal/test/selfsigned"
	"ringo/sim"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

// besideLoop has a task wait for what runs beside it.
func besideLoop(l *ringo.Loop, fn func() error) error {
	return l.Offload(func(context.Context) error { return fn() })
}

// serveStd serves a handler by net/http, on goroutines, until the drain.
func serveStd(s *http.Server) func(l *ringo.Loop) error {
	return func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", ":8080")
		if err != nil {
			return err
		}
		l.OnDrain(func() { go s.Shutdown(context.Background()) })
		return besideLoop(l, func() error {
			serve := func() error { return s.Serve(ln) }
			if s.TLSConfig != nil {
				serve = func() error { return s.ServeTLS(ln, "", "") }
			}
			if err := serve(); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
}

// shop answers at once, or after a second.
func shop() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(time.Second):
			fmt.Fprint(w, "late")
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%s %d %v", r.URL.Path, n, err)
	})
	return mux
}

// get asks for a path, and wants an answer.
func get(c *http.Client, url, want string) error {
	resp, err := c.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && string(text) != want {
		err = fmt.Errorf("%s: %q, want %q", url, text, want)
	}
	return err
}

// Servers and clients of net/http play in a world, by its clock: by HTTP/1.1, HTTP/2 and TLS.
func TestGoroutinesHTTP(t *testing.T) {
	for _, how := range []string{"clear", "tls", "http2", "sockhttp"} {
		t.Run(how, func(t *testing.T) {
			play := func(seed uint64) (hash uint64) {
				sim.Run(sim.Goroutines(t), seed, func(w *sim.World) {
					w.Link = sim.Link{Latency: time.Millisecond, Jitter: time.Millisecond, Loss: 0.01}
					server, client := w.Host("server"), w.Host("client")
					s, tr, url := &http.Server{Handler: shop()}, &http.Transport{}, "http://server:8080"
					if how == "tls" || how == "http2" {
						s.TLSConfig, tr.TLSClientConfig = certified("server")
						tr.ForceAttemptHTTP2, url = how == "http2", "https://server:8080"
					}
					run := serveStd(s)
					if how == "sockhttp" {
						run = func(l *ringo.Loop) error {
							ln, err := sock.Listen(l, "tcp", ":8080")
							if err != nil {
								return err
							}
							s := &sockhttp.Server{Handler: shop()}
							if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
								return err
							}
							return nil
						}
					}
					server.Run(nil, run)
					w.RunFor(time.Second)
					began := w.Elapsed()
					c := client.Run(nil, func(l *ringo.Loop) error {
						tr.DialContext = new(sock.Dialer).Func(l)
						return besideLoop(l, func() error {
							defer tr.CloseIdleConnections()
							var all sync.WaitGroup
							errs := make([]error, 8)
							for i := range errs {
								all.Go(func() {
									c := &http.Client{Transport: tr}
									for j := range 20 {
										errs[i] = errors.Join(errs[i], get(c, fmt.Sprintf("%s/%d", url, j),
											fmt.Sprintf("/%d 0 <nil>", j)))
									}
									errs[i] = errors.Join(errs[i], get(c, url+"/slow", "late"))
								})
							}
							all.Wait()
							return errors.Join(errs...)
						})
					})
					w.Check(w.Wait(c))
					if d := w.Elapsed() - began; d < time.Second || d > time.Minute {
						w.Errorf("it took %v", d)
					}
					hash = w.Hash()
				})
				return hash
			}
			again := play(1) == play(1)
			if how == "tls" || how == "http2" || race.Enabled { // which have chances of their own
				return
			}
			for range 20 { // which a machine that stops a goroutine in its midst may need
				again = again || play(1) == play(1)
			}
			if !again {
				t.Error("a seed has a history of its own each time")
			}
		})
	}
}

// certified is what a server shows that is called so, and its clients trust.
func certified(name string) (server, client *tls.Config) {
	c, pool := selfsigned.Must(&x509.Certificate{DNSNames: []string{name}, NotBefore: sim.Start.Add(-time.Hour),
		NotAfter: sim.Start.Add(time.Hour)})
	return &tls.Config{Certificates: []tls.Certificate{c}}, &tls.Config{RootCAs: pool}
}

// A host that crashes under its goroutines has their calls fail, and serves again when it has started.
func TestGoroutinesCrash(t *testing.T) {
	sim.Explore(sim.Goroutines(t), 20, func(w *sim.World) {
		w.Link = sim.Link{Latency: time.Millisecond}
		server, client := w.Host("server"), w.Host("client")
		server.Run(nil, func(l *ringo.Loop) error { return serveStd(&http.Server{Handler: shop()})(l) })
		w.RunFor(time.Second)
		failed, served := 0, 0
		c := client.Run(nil, func(l *ringo.Loop) error {
			tr := &http.Transport{DialContext: new(sock.Dialer).Func(l)}
			return besideLoop(l, func() error {
				defer tr.CloseIdleConnections()
				c := &http.Client{Transport: tr, Timeout: 2 * time.Second}
				for end := time.Now().Add(time.Minute); time.Now().Before(end); {
					if get(c, "http://server:8080/slow", "late") != nil {
						failed++
						time.Sleep(100 * time.Millisecond)
					} else {
						served++
					}
				}
				return nil
			})
		})
		w.After(20*time.Second+time.Duration(w.Rand().IntN(1e9)), func() { server.Crash() })
		w.After(30*time.Second, func() { server.Restart() })
		w.Check(w.Wait(c))
		if failed < 3 || failed > 12 || served < 40 {
			w.Errorf("%d requests have failed, %d were served", failed, served)
		}
	})
}

// A clock, and what waits by it, is the world's for goroutines, tasks and the script.
func TestGoroutinesClock(t *testing.T) {
	sim.Run(sim.Goroutines(t), 1, func(w *sim.World) {
		same := func(who string) {
			if d := w.Now().Sub(time.Now()); d < -time.Millisecond || d > time.Millisecond {
				w.Errorf("%s: time.Now is %v from the world's", who, d)
			}
		}
		same("the script")
		p := w.Host("a").Run(nil, func(l *ringo.Loop) error {
			same("a task")
			began := l.Now()
			l.Sleep(time.Hour)
			same("a task behind a sleep")
			woken := make(chan time.Duration)
			go func() {
				began := w.Elapsed()
				time.Sleep(time.Hour)
				same("a goroutine")
				woken <- w.Elapsed() - began
			}()
			err := besideLoop(l, func() error {
				if d := <-woken; d != time.Hour {
					return fmt.Errorf("a sleep of an hour took %v", d)
				}
				return nil
			})
			if d := l.Now().Sub(began); d < 2*time.Hour || d > 2*time.Hour+time.Second {
				return fmt.Errorf("%v by the loop's clock", d)
			}
			// A deadline of time.Now, and a context's, whatever the host's clock says.
			w.Hosts()[0].StepClock(time.Hour)
			c, far, pipeErr := sock.Pipe(l)
			if pipeErr != nil {
				return pipeErr
			}
			defer c.Close()
			defer far.Close()
			at := time.Now().Add(time.Minute)
			c.SetReadDeadline(at)
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				return fmt.Errorf("a read behind its deadline: %v", err)
			}
			if d := time.Since(at); d < 0 || d > time.Millisecond {
				return fmt.Errorf("the deadline came %v late", d)
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			at = time.Now()
			if _, err := ringo.NewChan[int](0).RecvContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("a context of a minute: %v", err)
			}
			if d := time.Since(at); d < time.Minute || d > time.Minute+time.Millisecond {
				return fmt.Errorf("the context ended after %v", d)
			}
			return err
		})
		w.Check(w.Wait(p))
	})
}

// Tasks and goroutines hand each other things, by Ringo and by channels.
func TestGoroutinesMeet(t *testing.T) {
	sim.Explore(sim.Goroutines(t), 20, func(w *sim.World) {
		p := w.Host("a").Run(&ringo.Config{Loops: 2}, func(l *ringo.Loop) error {
			asks, replies := ringo.NewChan[int](1), make(chan int, 100)
			var m ringo.Mutex
			sum := 0
			var goroutines sync.WaitGroup
			for range 4 {
				goroutines.Go(func() {
					for {
						n, err := asks.Recv()
						if err != nil {
							return
						}
						m.Lock()
						sum += n
						m.Unlock()
						replies <- n
					}
				})
			}
			for i := range 100 {
				if err := asks.Send(i); err != nil {
					return err
				}
				if i%10 == 0 {
					m.Lock()
					l.Sleep(time.Millisecond)
					m.Unlock()
				}
			}
			asks.Close()
			if err := besideLoop(l, func() error { goroutines.Wait(); return nil }); err != nil {
				return err
			}
			if sum != 4950 || len(replies) != 100 {
				return fmt.Errorf("the sum is %d of %d", sum, len(replies))
			}
			// A goroutine starts a task, and waits for it.
			return besideLoop(l, func() error {
				return l.Go(func() { l.Sleep(time.Second) }).Wait()
			})
		})
		w.Check(w.Wait(p))
	})
}

// What a goroutine does reaches a task at the time at which it is done.
func TestGoroutinesRouse(t *testing.T) {
	sim.Run(sim.Goroutines(t), 1, func(w *sim.World) {
		p := w.Host("a").Run(nil, func(l *ringo.Loop) error {
			values := ringo.NewChan[time.Duration](0)
			began := l.Now()
			go func() {
				for i := range 5 {
					time.Sleep(time.Second)
					values.Send(time.Duration(i+1) * time.Second)
				}
			}()
			for range 5 {
				want, err := values.Recv()
				if err != nil {
					return err
				}
				if d := l.Now().Sub(began); d < want || d > want+time.Millisecond {
					return fmt.Errorf("what a goroutine has sent after %v came after %v", want, d)
				}
			}
			return nil
		})
		w.Check(w.Wait(p))
	})
}

// What is for tasks alone is refused, and fails the world.
func TestGoroutinesRefused(t *testing.T) {
	for name, call := range map[string]func(*ringo.Loop, *file.File) error{
		"open":   func(*ringo.Loop, *file.File) error { _, err := file.Open("/etc/hostname"); return err },
		"read":   func(_ *ringo.Loop, f *file.File) error { _, err := f.ReadAt(make([]byte, 1), 0); return err },
		"pipe":   func(*ringo.Loop, *file.File) error { _, _, err := file.Pipe(); return err },
		"remove": func(*ringo.Loop, *file.File) error { return file.Remove("/tmp/nothing") },
		"stat":   func(*ringo.Loop, *file.File) error { _, err := file.Stat("/etc"); return err },
		"temp":   func(*ringo.Loop, *file.File) error { _, err := file.MkdirTemp("", "x"); return err },
		"request": func(*ringo.Loop, *file.File) error {
			_, err := (&http.Client{Transport: &sockhttp.Transport{}}).Get("http://127.0.0.1:1")
			return err
		},
		"set": func(*ringo.Loop, *file.File) error {
			_, err := new(sock.ListenConfig).Reserve("tcp", ":0")
			return err
		},
	} {
		s := &stage{recorder: recorder{TB: t}}
		var refused error
		sim.Run(sim.GoroutinesBy(s, t), 1, func(w *sim.World) {
			w.Wait(w.Host("a").Run(nil, func(l *ringo.Loop) error {
				f, err := file.Create("/tmp/a")
				if err != nil {
					return err
				}
				defer f.Close()
				return besideLoop(l, func() error { refused = call(l, f); return nil })
			}))
		})
		if !errors.Is(refused, sim.ErrOutside) {
			t.Errorf("%s: %v", name, refused)
		}
		s.want(t, "came from outside of the world's tasks", "seed 1")
	}
}

// A goroutine that its program leaves behind fails the world, and is named. It can't be ended: a process of its own has
// it.
func TestGoroutinesLeft(t *testing.T) {
	if os.Getenv("RINGO_TEST_LEAVES") != "" {
		sim.Run(sim.Goroutines(t), 1, func(w *sim.World) {
			w.Check(w.Wait(w.Host("a").Run(nil, func(*ringo.Loop) error {
				go func() { time.Sleep(time.Minute) }()
				go waitsForever(make(chan struct{}))
				return nil
			})))
		})
		return
	}
	t.Parallel()
	cmd := exec.Command(os.Args[0], "-test.run=^TestGoroutinesLeft$")
	cmd.Env = append(os.Environ(), "RINGO_TEST_LEAVES=1")
	out, err := cmd.CombinedOutput()
	for _, want := range []string{"seed 1", "goroutines have not ended 10m0s after the world's end", "waitsForever"} {
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v, and no %q in\n%s", err, want, out)
		}
	}
}

func waitsForever(never chan struct{}) { <-never }

// A goroutine that the world knows nothing of is refused, and so is one in another bubble.
func TestGoroutinesOutside(t *testing.T) {
	conns, errs := make(chan *sock.Conn, 1), make(chan error, 1)
	go func() {
		for c := range conns {
			_, err := c.Write([]byte("x"))
			errs <- err
			errs <- c.Loop().Go(func() {}).Wait()
		}
	}()
	defer close(conns)
	s := &stage{recorder: recorder{TB: t}}
	var write, task error
	sim.Run(sim.GoroutinesBy(s, t), 1, func(w *sim.World) {
		w.Wait(w.Host("a").Run(nil, func(l *ringo.Loop) error {
			a, b, err := sock.Pipe(l)
			if err != nil {
				return err
			}
			defer a.Close()
			defer b.Close()
			return besideLoop(l, func() error {
				conns <- a
				write, task = <-errs, <-errs
				return nil
			})
		}))
	})
	if !errors.Is(write, sim.ErrOutside) || task == nil {
		t.Errorf("a write: %v; a task: %v", write, task)
	}
	s.want(t, "came from outside of the world's tasks", "seed 1")
}

// What a turn has made ready runs before the next event happens.
func TestGoroutinesOrder(t *testing.T) {
	sim.Explore(sim.Goroutines(t), 20, func(w *sim.World) {
		p := w.Host("a").Run(nil, func(l *ringo.Loop) error {
			ran := 0
			for i := range 100 {
				go func() { ran++ }()
				l.Yield()
				l.Sleep(0)
				if ran != i+1 {
					return fmt.Errorf("%d of %d goroutines have run", ran, i+1)
				}
			}
			return nil
		})
		w.Check(w.Wait(p))
		for range 10 { // events at one time
			ran := false
			w.After(0, func() {
				go func() { ran = true }()
				w.After(0, func() {
					if !ran {
						w.Errorf("an event came before it")
					}
				})
			})
			w.RunFor(time.Second)
		}
	})
}

// What a test has made outside of the bubble, and what sleeps by Go's clock in the script or a task, does no harm.
func TestGoroutinesSleepInTasks(t *testing.T) {
	sim.Run(sim.Goroutines(t), 1, func(w *sim.World) {
		var seen []time.Duration
		for i := range 3 {
			w.After(time.Duration(i+1)*time.Minute, func() { seen = append(seen, w.Elapsed()) })
		}
		p := w.Host("a").Run(nil, func(l *ringo.Loop) error {
			time.Sleep(90 * time.Second) // a minute's event is late
			if err := l.Sleep(time.Second); err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			return l.WithContext(ctx, func() error { return l.Sleep(time.Hour) })
		})
		w.Check(w.Wait(p))
		time.Sleep(time.Minute)
		w.RunFor(time.Second)
		w.Logf("%v", pausing{})
		if len(seen) != 3 || seen[1] != 2*time.Minute || w.Elapsed() < time.Hour+time.Minute {
			w.Errorf("events at %v, and now it is %v", seen, w.Elapsed())
		}
	})
}

// pausing takes its time to say what it is.
type pausing struct{}

func (pausing) String() string { time.Sleep(time.Second); return "" }

// Goroutines have hosts crash and start, links cut and events planned.
func TestGoroutinesRule(t *testing.T) {
	sim.Explore(sim.Goroutines(t), 20, func(w *sim.World) {
		h := w.Host("b")
		begun, came := 0, false
		h.Run(nil, func(l *ringo.Loop) error { begun++; return l.Sleep(time.Hour) })
		p := w.Host("a").Run(nil, func(l *ringo.Loop) error {
			return besideLoop(l, func() error {
				w.After(time.Second, func() { came = true })
				for range 10 {
					time.Sleep(500 * time.Millisecond)
					w.Logf("%v", pausing{})
					h.Crash()
					h.Restart()
					h.Pause(time.Second)
					w.Cut(h, w.Hosts()[0])
					w.Mend(h, w.Hosts()[0])
				}
				time.Sleep(2 * time.Second)
				return nil
			})
		})
		w.Check(w.Wait(p))
		if begun != 11 || !came {
			w.Errorf("it has begun %d times, the event came: %v", begun, came)
		}
	})
}

// What is refused is so until the bubble's end, behind that of the world.
func TestGoroutinesAfterTheEnd(t *testing.T) {
	var refused [2]error
	sim.Run(sim.GoroutinesBy(&stage{recorder: recorder{TB: t}}, t), 1, func(w *sim.World) {
		w.Wait(w.Host("a").Run(nil, func(*ringo.Loop) error {
			go func() {
				time.Sleep(time.Minute)
				_, refused[0] = file.Open("/etc/hostname")
				_, refused[1] = new(sock.ListenConfig).Reserve("tcp", ":0")
			}()
			return nil
		}))
	})
	for _, err := range refused {
		if !errors.Is(err, sim.ErrOutside) {
			t.Errorf("%v", err)
		}
	}
}

// Close is called with a lock held, for which others wait, as net/http does.
func TestGoroutinesLock(t *testing.T) {
	sim.Explore(sim.Goroutines(t), 20, func(w *sim.World) {
		p := w.Host("a").Run(nil, func(l *ringo.Loop) error {
			a, b, err := sock.Pipe(l)
			if err != nil {
				return err
			}
			defer b.Close()
			return besideLoop(l, func() error {
				var mu sync.Mutex
				var all sync.WaitGroup
				all.Go(func() { // at the descriptor, so that its close takes a turn
					a.Read(make([]byte, 1))
					mu.Lock()
					mu.Unlock()
				})
				time.Sleep(time.Millisecond)
				all.Go(func() {
					mu.Lock()
					defer mu.Unlock()
					a.Close()
				})
				all.Go(func() {
					mu.Lock()
					mu.Unlock()
				})
				all.Wait()
				return nil
			})
		})
		w.Check(w.Wait(p))
	})
}

// A task that ends by runtime.Goexit, and what a crash unwinds, is the world's until it has.
func TestGoroutinesExit(t *testing.T) {
	sim.Explore(sim.Goroutines(t), 20, func(w *sim.World) {
		h, exits := w.Host("a"), 0
		h.Run(nil, func(l *ringo.Loop) error {
			l.Go(func() {
				defer func() { exits++ }()
				runtime.Goexit()
			}).Wait()
			defer func() { exits++ }()
			return l.Sleep(time.Hour)
		})
		w.RunFor(time.Second)
		h.Crash()
		w.RunFor(time.Second)
		if exits != 2 {
			w.Errorf("%d deferred functions have run", exits)
		}
	})
}

// store is a data base of one query, by lines, on tasks.
func store(l *ringo.Loop) error {
	ln, err := sock.Listen(l, "tcp", ":5432")
	if err != nil {
		return err
	}
	for {
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		l.Go(func() {
			defer c.Close()
			buf := make([]byte, 100)
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				l.Sleep(10 * time.Millisecond)
				if _, err := c.Write(buf[:n]); err != nil {
					return
				}
			}
		})
	}
}

// storeDriver is its driver for database/sql.
type storeDriver struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

func (d storeDriver) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := d.dial(ctx, "tcp", "store:5432")
	return storeConn{c}, err
}
func (d storeDriver) Driver() driver.Driver            { return d }
func (d storeDriver) Open(string) (driver.Conn, error) { return nil, errors.ErrUnsupported }

type storeConn struct{ net.Conn }

func (c storeConn) Prepare(string) (driver.Stmt, error) { return nil, errors.ErrUnsupported }
func (c storeConn) Begin() (driver.Tx, error)           { return nil, errors.ErrUnsupported }

func (c storeConn) QueryContext(ctx context.Context, q string, _ []driver.NamedValue) (driver.Rows, error) {
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := io.WriteString(c, q); err != nil {
		return nil, errors.Join(ctx.Err(), driver.ErrBadConn)
	}
	buf := make([]byte, 100)
	n, err := c.Read(buf)
	if err != nil {
		return nil, errors.Join(ctx.Err(), driver.ErrBadConn)
	}
	return &storeRows{text: string(buf[:n])}, nil
}

type storeRows struct {
	text string
	done bool
}

func (*storeRows) Columns() []string { return []string{"text"} }
func (*storeRows) Close() error      { return nil }
func (r *storeRows) Next(to []driver.Value) error {
	if r.done {
		return io.EOF
	}
	r.done, to[0] = true, r.text
	return nil
}

// A pool of database/sql is used by the handlers of a server, across a network that loses packets, and a crash of the
// data base.
func TestGoroutinesDatabase(t *testing.T) {
	sim.Explore(sim.Goroutines(t), 10, func(w *sim.World) {
		w.Link = sim.Link{Latency: time.Millisecond, Loss: 0.01}
		db := w.Host("store")
		db.Run(nil, store)
		w.Host("server").Run(nil, func(l *ringo.Loop) error {
			pool := sql.OpenDB(storeDriver{new(sock.Dialer).Func(l)})
			pool.SetMaxOpenConns(4)
			s := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
				defer cancel()
				var text string
				if err := pool.QueryRowContext(ctx, r.URL.Path).Scan(&text); err != nil {
					http.Error(rw, err.Error(), http.StatusBadGateway)
					return
				}
				io.WriteString(rw, text)
			})}
			s.RegisterOnShutdown(func() { pool.Close() })
			return serveStd(s)(l)
		})
		w.RunFor(time.Second)
		ok, bad := 0, 0
		var mu sync.Mutex
		c := w.Host("client").Run(nil, func(l *ringo.Loop) error {
			tr := &http.Transport{DialContext: new(sock.Dialer).Func(l), MaxIdleConnsPerHost: 20}
			return besideLoop(l, func() error {
				defer tr.CloseIdleConnections()
				var all sync.WaitGroup
				for i := range 20 {
					all.Go(func() {
						c := &http.Client{Transport: tr}
						for j := range 20 {
							path := fmt.Sprintf("/%d/%d", i, j)
							err := get(c, "http://server:8080"+path, path)
							mu.Lock()
							if err == nil {
								ok++
							} else if bad++; !strings.Contains(err.Error(), "deadline") &&
								!strings.Contains(err.Error(), "timeout") &&
								!strings.Contains(err.Error(), "bad connection") &&
								!strings.Contains(err.Error(), "connect") {
								w.Errorf("%v", err)
							}
							mu.Unlock()
							time.Sleep(time.Second)
						}
					})
				}
				all.Wait()
				return nil
			})
		})
		w.After(5*time.Second, func() { db.Crash() })
		w.After(15*time.Second, func() { db.Restart() })
		w.Check(w.Wait(c))
		if ok < 300 || bad == 0 {
			w.Errorf("%d queries were answered, and %d not", ok, bad)
		}
	})
}
