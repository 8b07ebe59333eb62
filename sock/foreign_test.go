package sock_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// One direction is a task's, the other a goroutine's.
func TestCrosswise(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, reader := range []string{"task", "goroutine"} {
			t.Run("reader is a "+reader, func(t *testing.T) {
				s := serve(t, cfg, perConn(func(c *sock.Conn) {
					chunks := make(chan []byte, 1)
					read := func() {
						defer close(chunks)
						for {
							p := make([]byte, 5000)
							n, err := c.Read(p)
							if err != nil {
								return
							}
							chunks <- p[:n]
						}
					}
					write := func() {
						for p := range chunks {
							c.Write(p)
						}
					}
					l := c.Loop()
					if reader == "goroutine" {
						go read()
						for { // a task may not wait for a channel
							var p []byte
							var ok bool
							if l.Offload(func(context.Context) error { p, ok = <-chunks; return nil }) != nil || !ok {
								return
							}
							c.Write(p)
						}
					}
					chunks = make(chan []byte, 1000)
					done := make(chan bool)
					go func() { write(); close(done) }()
					read()
					awaitIn(l, done)
				}))
				peer := s.dial()
				echo(t, peer, 300_000)
				peer.Close()
				s.stop()
			})
		}
	})
}

// Tasks of the loop, tasks of another and goroutines read one stream, in all orders:
// no byte is lost, doubled or out of place, whatever is cancelled or timed out.
func TestReadersOfAllKinds(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		const records = 3000
		var mu ringo.Mutex // which parks tasks
		var got []uint32
		conns := make(chan *sock.Conn, 1)
		end := make(chan bool)
		s := serve(t, cfg, perConn(func(c *sock.Conn) {
			conns <- c
			awaitIn(c.Loop(), end)
		}))
		peer := s.dial()
		c := <-conns
		go func() {
			var p []byte
			for i := range uint32(records) {
				p = binary.BigEndian.AppendUint32(p, i)
				if rand.IntN(20) == 0 {
					peer.Write(p)
					p = p[:0]
				}
			}
			peer.Write(p)
			peer.CloseWrite()
		}()
		var over atomic.Bool
		// step reads a record whole: what Peek shows, Discard takes. mu makes the two one.
		step := func() {
			if mu.LockContext(context.Background()) != nil {
				return
			}
			defer mu.Unlock()
			if over.Load() {
				return
			}
			if rand.IntN(4) == 0 {
				c.SetReadDeadline(time.Now().Add(time.Duration(rand.IntN(200)) * time.Microsecond))
			}
			p, err := c.Peek(4)
			if len(p) == 4 {
				got = append(got, binary.BigEndian.Uint32(p))
				if n, err := c.Discard(4); n != 4 || err != nil {
					t.Errorf("Discard of what was shown = %d, %v", n, err)
					over.Store(true)
				}
				return
			}
			switch {
			case errors.Is(err, os.ErrDeadlineExceeded):
				c.SetReadDeadline(never)
			case errors.Is(err, context.Canceled):
			default:
				if err != io.EOF {
					t.Error(err)
				}
				over.Store(true)
			}
		}
		var all sync.WaitGroup
		for _, l := range c.Loop().Loops() {
			all.Go(func() {
				for !over.Load() {
					task := l.Go(step)
					if rand.IntN(3) == 0 {
						task.Cancel()
					}
					task.Wait()
				}
			})
		}
		all.Go(func() {
			for !over.Load() {
				step()
			}
		})
		patience.Within(t.Name(), all.Wait)
		close(end)
		if len(got) != records {
			t.Errorf("%d records were read of %d", len(got), records)
		}
		for i, v := range got {
			if v != uint32(i) {
				t.Fatalf("record %d is %d", i, v)
			}
		}
		s.stop()
	})
}

// A goroutine that waits is told of deadlines, whoever sets them, and so is a task of
// deadlines that a goroutine sets.
func TestDeadlinesAcross(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			onGoroutine(t, l, func() {
				wantTimeout(t, "Read after a past deadline", errors.Join(c.SetReadDeadline(longAgo), read(c)))
				c.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
				wantTimeout(t, "Read", read(c))
				c.SetReadDeadline(never)
			})
			// A goroutine waits, and a task sets its deadline.
			result := make(chan error, 1)
			go func() { result <- read(c) }()
			l.Sleep(2 * time.Millisecond)
			c.SetReadDeadline(longAgo)
			onGoroutine(t, l, func() { wantTimeout(t, "Read of a goroutine", <-result) })
			c.SetReadDeadline(never)
			// A goroutine waits, and another sets its deadline.
			go func() { result <- read(c) }()
			l.Sleep(2 * time.Millisecond)
			onGoroutine(t, l, func() {
				c.SetReadDeadline(longAgo)
				wantTimeout(t, "Read of a goroutine", <-result)
				c.SetReadDeadline(never)
			})
			// A task waits, and a goroutine sets its deadline.
			task := l.Go(func() { wantTimeout(t, "Read of a task", read(c)) })
			l.Sleep(2 * time.Millisecond)
			onGoroutine(t, l, func() { c.SetReadDeadline(time.Now().Add(time.Millisecond)) })
			task.Wait()
			c.SetReadDeadline(never)
			// Nothing was lost.
			send(t, peer, "x")
			onGoroutine(t, l, func() {
				p := make([]byte, 4)
				if n, err := c.Read(p); n != 1 || err != nil || p[0] != 'x' {
					t.Errorf("Read = %d, %v", n, err)
				}
			})
			// A write that has no room: when some of it has come, time is over.
			written := make(chan error, 1)
			go func() {
				n, err := c.Write(make([]byte, 64<<20))
				if n == 0 {
					t.Error("nothing went out")
				}
				written <- err
			}()
			onGoroutine(t, l, func() { peer.Read(make([]byte, 1)) })
			c.SetWriteDeadline(longAgo)
			onGoroutine(t, l, func() { wantTimeout(t, "Write", <-written) })
		})
	})
}

// Who waits in the name of a task of another loop does not keep that loop from its
// other tasks, and can be cancelled.
func TestTaskOfAnotherLoop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		conns := make(chan *sock.Conn, 1)
		end := make(chan bool)
		s := serve(t, cfg, perConn(func(c *sock.Conn) {
			conns <- c
			awaitIn(c.Loop(), end)
		}))
		peer := s.dial()
		c := <-conns
		other := otherLoop(c.Loop())
		reading := other.Go(func() { wantCanceled(t, "Read", read(c)) })
		for range 10 { // the loop goes on
			if err := other.Go(func() { other.Sleep(0) }).Wait(); err != nil {
				t.Error(err)
			}
		}
		reading.Cancel()
		reading.Wait()
		send(t, peer, "hello")
		other.Go(func() {
			p := make([]byte, 8)
			if n, err := c.Read(p); err != nil || string(p[:n]) != "hello" {
				t.Errorf("Read = %q, %v", p[:n], err)
			}
			if _, err := c.Write([]byte("back")); err != nil {
				t.Error(err)
			}
			if err := other.WithTimeout(2*time.Millisecond, func() error {
				return read(c)
			}); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Read in WithTimeout: %v", err)
			}
		}).Wait()
		p := make([]byte, 4)
		if _, err := io.ReadFull(peer, p); err != nil || string(p) != "back" {
			t.Errorf("the peer read %q, %v", p, err)
		}
		close(end)
		s.stop()
	})
}

// A request handler lends its connection to a goroutine, and goes on when that is
// done: with what is left, and with what comes.
func TestServeLendsToGoroutine(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		lent := 0
		h := &sock.Handler{Request: func(c *sock.Conn) error {
			for c.Buffered() > 0 {
				if p, _ := c.Peek(1); p[0] != 'g' {
					c.Write(p)
					c.Discard(1)
					continue
				}
				lent++
				if err := c.Loop().Offload(func(context.Context) error {
					p := make([]byte, 4) // g and what it says, which may have to be waited for
					if _, err := io.ReadFull(c, p); err != nil {
						return err
					}
					_, err := c.Write(p)
					return err
				}); err != nil {
					return err
				}
			}
			return nil
		}}
		s := serve(t, cfg, perRequest(h))
		peer := s.dial()
		want := ""
		for i := range 20 {
			piece := []string{"g12", "3", "xyz", "g456", "a", "g", "789tail"}[i%7]
			send(t, peer, piece)
			want += piece
			p := make([]byte, 1)
			if i%7 != 0 && i%7 != 5 { // after those it has nothing to say yet
				if _, err := io.ReadFull(peer, p); err != nil || p[0] != want[0] {
					t.Fatalf("read %q, %v; want %q", p, err, want[0])
				}
				want = want[1:]
			}
		}
		peer.CloseWrite()
		rest, err := io.ReadAll(peer)
		if err != nil || len(rest) > len(want) || string(rest) != want[:len(rest)] || len(want)-len(rest) > 3 {
			t.Errorf("the rest is %q, %v; want %q, but for a frame that is not whole", rest, err, want)
		}
		s.stop()
		if lent == 0 {
			t.Error("no goroutine had the connection")
		}
	})
}

// A task that queues behind a goroutine, before that has been let in, has its turn
// when the goroutine is done, though nobody comes after it.
func TestTaskBehindTakeover(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			var mu sync.Mutex
			got := map[string]string{} // who read which byte
			reader := func(name string) {
				p := make([]byte, 1)
				_, err := c.Read(p)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				mu.Lock()
				defer mu.Unlock()
				got[string(p)] = name
			}
			tasks := []*ringo.Task{l.Go(func() { reader("task 1") })}
			others(l)
			before := l.Stats().Tasks
			gone := make(chan bool)
			go func() { reader("goroutine"); close(gone) }()
			eventuallyOn(t, l, "the task that stands for the goroutine", func() bool {
				return l.Stats().Tasks > before
			})
			others(l)
			tasks = append(tasks, l.Go(func() { reader("task 2") }))
			others(l)
			send(t, peer, "abc")
			awaitIn(l, gone)
			for _, task := range tasks {
				task.Wait()
			}
			want := map[string]string{"a": "task 1", "b": "goroutine", "c": "task 2"}
			if !maps.Equal(got, want) {
				t.Errorf("bytes went to %q, want %q", got, want)
			}
		})
	})
}

// Once a goroutine has accepted, the next one does without the loop, although tasks have accepted before: on a
// busy machine each trip through it takes long.
func TestGoroutinesAcceptAfterTasks(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		besideLoop(t, cfg, func(t *testing.T, l *ringo.Loop, ln *sock.Listener) {
			loopAccepts(t, l, ln)
			acceptOne(t, ln, dial(t, ln.Addr().String()))
			holding(t, l, func() {
				for range 20 {
					peer := dial(t, ln.Addr().String())
					patience.Within("Accept without the loop", func() { acceptOne(t, ln, peer) })
				}
			})
		})
	})
}

func acceptOne(t *testing.T, ln *sock.Listener, peer tcpPeer) {
	defer peer.Close()
	c, err := ln.Accept()
	if err != nil {
		t.Error(err)
		return
	}
	c.Close()
}

// Tasks that wait for their turn behind a goroutine hear of a Close, as it does.
func TestCloseBehindForeignCallers(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for range 20 { // the goroutine may be late
			pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
				errs := make(chan error, 3)
				read := func() {
					_, err := c.Read(make([]byte, 1))
					errs <- err
				}
				send(t, peer, "x")
				onGoroutine(t, l, func() {
					c.Read(make([]byte, 1)) // from now on the direction is not the loop's
					go read()
					for range 100 {
						runtime.Gosched()
					}
				})
				tasks := []*ringo.Task{l.Go(read), l.Go(read)}
				others(l)
				onGoroutine(t, l, func() { c.Close() })
				for _, task := range tasks {
					task.Wait()
				}
				onGoroutine(t, l, func() {
					for range cap(errs) {
						wantClosed(t, "Read", <-errs)
					}
				})
			})
		}
	})
}

// Goroutines that read one connection wait for each other, and each is let in when the one before it leaves.
func TestGoroutinesReadInTurn(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		besideLoop(t, cfg, func(t *testing.T, l *ringo.Loop, ln *sock.Listener) {
			peer := dial(t, ln.Addr().String())
			defer peer.Close()
			c, err := ln.AcceptConn()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetReadDeadline(patience.Deadline())
			const readers = 5
			read := make(chan error, readers)
			for range readers {
				go func() {
					n, err := c.Read(make([]byte, 1))
					if err == nil && n != 1 {
						err = fmt.Errorf("%d bytes", n)
					}
					read <- err
				}()
			}
			for i := range readers { // one at a time: the others are in line when it leaves
				if i < readers-1 {
					awaitStack(t, "handle.(*foreign).queueFor(")
				}
				if _, err := peer.Write([]byte("x")); err != nil {
					t.Fatal(err)
				}
				if err := patience.Recv(t, "a read behind a reader that left", read); err != nil {
					t.Error(err)
				}
			}
		})
	})
}

// A goroutine that asks for a direction while the loop stops has its turn when the task leaves that has it still.
func TestHandoverWhileTheLoopStops(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Grace = -1
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		err := socktest.RunLoops(t, ctx, &cfg, func(l *ringo.Loop) error {
			c, peer := connect(t, l)
			defer peer.Close()
			defer c.Close()
			writes, release, stopped := make(chan bool), make(chan bool), make(chan bool)
			hold := func([]byte) (int, error) { // which no cancel ends
				l.Offload(func(context.Context) error { writes <- true; <-release; return nil })
				return 0, io.ErrClosedPipe
			}
			l.Go(func() {
				if _, err := c.WriteTo(writerFunc(hold)); err != io.ErrClosedPipe {
					t.Errorf("WriteTo: %v", err)
				}
			})
			l.Go(func() { l.Sleep(time.Hour); close(stopped) })
			return l.Offload(func(context.Context) error {
				peer.Write([]byte("x"))
				<-writes
				cancel()
				<-stopped
				read := make(chan error, 1)
				go func() {
					_, err := c.Read(make([]byte, 10))
					read <- err
				}()
				awaitStack(t, "handle.(*foreign).queueFor(")
				for range 2 { // and the loop knows of it
					if err := l.Go(func() {}).Wait(); err != nil && !errors.Is(err, ringo.ErrEnded) {
						t.Error(err)
					}
				}
				peer.Write([]byte("goodbye"))
				close(release)
				patience.Within(t.Name(), func() {
					if err := <-read; err != nil {
						t.Errorf("the goroutine's Read: %v", err)
					}
				})
				return nil
			})
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
}

// A task that waits for a direction which goroutines have gets it before goroutines that ask later, and before a task
// that comes when it is on its way back.
func TestDirectionGoesBackInOrder(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.StallLimit = -1 // a task holds the loop
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			raw, err := c.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			got := make(chan string, 3)
			read := func(who string) {
				p := make([]byte, 1)
				_, err := c.Read(p)
				got <- fmt.Sprint(who, " ", string(p), " ", err)
			}
			has, release, left := make(chan bool), make(chan bool), make(chan bool)
			go func() {
				raw.Read(func(uintptr) bool { has <- true; <-release; return true })
				left <- true
			}()
			offloaded(t, l, func() error { <-has; return nil })
			first := l.Go(func() { read("the task that was first") })
			l.Sleep(0) // it is in the queue, and wants the direction back
			goroutine := make(chan bool)
			go func() { read("the goroutine"); goroutine <- true }()
			offloaded(t, l, func() error {
				awaitStack(t, "handle.(*foreign).queueFor(")
				_, err := peer.Write([]byte("abc"))
				return err
			})
			last := l.Go(func() {
				release <- true
				<-left // the direction is on its way, and the loop has not heard of it
				read("the task that came last")
			})
			offloaded(t, l, func() error { return errors.Join(first.Wait(), last.Wait()) })
			offloaded(t, l, func() error { <-goroutine; return nil })
			if first, want := <-got, "the task that was first a <nil>"; first != want {
				t.Errorf("%s, want %s", first, want)
			}
		})
	})
}

// outcome is the error that a call gives last, or what it panics with.
func outcome(method reflect.Value, args []reflect.Value) (got any) {
	defer func() {
		if v := recover(); v != nil {
			got = v
		}
	}()
	results := method.Call(args)
	if len(results) == 0 {
		return nil
	}
	return results[len(results)-1].Interface()
}

// Callers from elsewhere work on a connection while its loop does. With -race this
// also says that they touch nothing of the loop's.
func TestCallsFromOutside(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, from := range []string{"goroutines", "another loop"} {
			t.Run(from, func(t *testing.T) {
				cfg := cfg
				cfg.Loops = 2
				conns := make(chan *sock.Conn, 1)
				s := serve(t, cfg, perConn(func(c *sock.Conn) {
					conns <- c
					io.Copy(c, c)
				}))
				peer := s.dial()
				c := <-conns

				var stop atomic.Bool
				var wg sync.WaitGroup
				disturb := func() {
					n, _ := c.Value().(int)
					c.SetValue(n + 1)
					if err := errors.Join(c.SetNoDelay(true), c.SetKeepAlive(true), c.SetLinger(-1),
						c.SetDeadline(time.Now().Add(time.Hour)), c.SetDeadline(never)); err != nil {
						t.Error(err)
						stop.Store(true)
					}
				}
				if from == "goroutines" {
					for range 3 {
						wg.Go(func() {
							for !stop.Load() {
								disturb()
							}
						})
					}
				} else {
					other := otherLoop(c.Loop())
					wg.Add(1)
					other.Go(func() {
						defer wg.Done()
						for !stop.Load() {
							disturb()
							other.Sleep(0)
						}
					})
				}
				echo(t, peer, 1<<20)
				stop.Store(true)
				wg.Wait()
			})
		}
	})
}

func TestListenerCallsFromOutside(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		set, err := sock.Reserve("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			defer ln.Close()
			addr := ln.Addr().String()
			h := &sock.Handler{Request: func(*sock.Conn) error { return nil }}
			for name, call := range map[string]func() error{
				"Serve":              func() error { return sock.Serve(l, ln, h) },
				"Listen":             func() error { _, err := sock.Listen(l, "tcp", "127.0.0.1:0"); return err },
				"ListenerSet.Listen": func() error { _, err := set.Listen(l); return err },
			} {
				offloaded(t, l, func() error {
					if err := call(); !errors.Is(err, ringo.ErrNotTask) {
						t.Errorf("%s: %v, want ErrNotTask", name, err)
					}
					if ln.Addr().String() != addr {
						t.Error("the address is gone")
					}
					return nil
				})
			}
			c, peer := accept(t, ln) // it still works
			peer.Close()
			c.Close()
		})
	})
}

// Serve takes listeners of its own loop only.
func TestServeOfAnotherLoop(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		foreign, result := make(chan *sock.Listener, 1), make(chan error, 1)
		serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
			if l.Index() == 0 {
				foreign <- ln
				_, err := ln.Accept()
				return err
			}
			offloaded(t, l, func() error { ln = <-foreign; return nil })
			result <- sock.Serve(l, ln, &sock.Handler{Request: func(*sock.Conn) error { return nil }})
			return nil
		})
		patience.Within(t.Name(), func() {
			if err := <-result; !errors.Is(err, ringo.ErrNotTask) {
				t.Errorf("Serve: %v, want ErrNotTask", err)
			}
		})
	})
}

// A task may wait on a connection inside an iterator of its own, which runs on
// another g of the same thread.
func TestInsideAnIterator(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			lines := func(yield func(string) bool) {
				for {
					p := make([]byte, 4)
					if _, err := io.ReadFull(c, p); err != nil {
						if err != io.EOF {
							t.Errorf("Read in an iterator: %v", err)
						}
						return
					}
					if _, err := c.Write(p); err != nil {
						t.Errorf("Write in an iterator: %v", err)
					}
					if !yield(string(p)) {
						return
					}
				}
			}
			next, stop := iter.Pull(lines)
			defer stop()
			other := l.Go(func() { // others run meanwhile
				for range 20 {
					l.Sleep(0)
				}
			})
			l.AfterFunc(time.Millisecond, func() { send(t, peer, "one two three ") })
			l.AfterFunc(2*time.Millisecond, func() { send(t, peer, "17"); peer.CloseWrite() })
			for _, want := range []string{"one ", "two ", "thre", "e 17"} {
				if got, ok := next(); !ok || got != want {
					t.Fatalf("next() = %q, %v, want %q", got, ok, want)
				}
			}
			if got, ok := next(); ok {
				t.Errorf("next() = %q at the end", got)
			}
			wantPeer(t, l, peer, "one two three 17")
			other.Wait()
		})
	})
}
