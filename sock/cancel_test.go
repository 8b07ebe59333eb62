package sock_test

import (
	"bytes"
	"io"
	"testing"

	"ringo"
	"ringo/sock"
)

// A cancelled reader leaves; what comes afterwards is the next one's.
func TestCancelReaders(t *testing.T) {
	waits := map[string]func(c *sock.Conn) error{
		"Read":    func(c *sock.Conn) error { return read(c) },
		"Next":    func(c *sock.Conn) error { _, err := c.Next(); return err },
		"Peek":    func(c *sock.Conn) error { _, err := c.Peek(5); return err },
		"Discard": func(c *sock.Conn) error { _, err := c.Discard(5); return err },
		"WriteTo": func(c *sock.Conn) error { _, err := c.WriteTo(io.Discard); return err },
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, wait := range waits {
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
