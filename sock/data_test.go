package sock_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"ringo"
	"ringo/sock"
)

// echoes are the ways to send back what comes.
var echoes = map[string]func(*ringo.Loop, *sock.Listener) error{
	"io.Copy": perConn(func(c *sock.Conn) { io.Copy(c, c) }),
	"Read and Write": perConn(func(c *sock.Conn) {
		for p := make([]byte, 3001); ; {
			n, err := c.Read(p)
			if _, werr := c.Write(p[:n]); err != nil || werr != nil {
				return
			}
		}
	}),
	"reader and writer": perConn(func(c *sock.Conn) { // two tasks, and a queue between them
		var queue [][]byte
		closed, idle := false, true
		var write func()
		write = func() {
			for len(queue) > 0 {
				p := queue[0]
				queue = queue[1:]
				if _, err := c.Write(p); err != nil {
					break
				}
			}
			idle = true
		}
		var writing *ringo.Task
		for !closed {
			p := make([]byte, 20_000)
			n, err := c.Read(p)
			queue = append(queue, p[:n])
			closed = err != nil
			if idle {
				idle = false
				writing = c.Loop().Go(write)
			}
		}
		writing.Wait()
	}),
	"Next": perConn(func(c *sock.Conn) {
		for {
			lease, err := c.Next()
			if err != nil {
				return
			}
			_, err = c.Write(lease.Bytes())
			lease.Release()
			if err != nil {
				return
			}
		}
	}),
	"requests": perRequest(&sock.Handler{Request: func(c *sock.Conn) error {
		for c.Buffered() > 0 {
			p, err := c.Peek(min(c.Buffered(), 60_000))
			if err != nil {
				return err
			}
			if _, err := c.Write(p); err != nil {
				return err
			}
			c.Discard(len(p))
		}
		return nil
	}}),
}

// Data of every size goes both ways at once, over many connections, and each byte
// comes back once, in its place.
func TestEchoes(t *testing.T) {
	t.Parallel()
	sizes := []int{1, 2, 63, 64, 65, 1000, 4095, 4097, 16383, 16384, 16385, 65535, 65537, 99_999,
		1 << 20, 3<<20 + 1, 8 << 20}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		for _, name := range []string{"io.Copy", "Read and Write", "reader and writer", "Next", "requests"} {
			t.Run(name, func(t *testing.T) {
				s := serve(t, cfg, echoes[name])
				var wg sync.WaitGroup
				next := make(chan int)
				for range 8 {
					wg.Go(func() {
						for n := range next {
							peer := dial(t, s.addr)
							defer peer.Close()
							echo(t, peer, n)
							peer.CloseWrite()
							if k, err := peer.Read(make([]byte, 1)); k != 0 || err != io.EOF {
								t.Errorf("behind %d bytes: Read() = %d, %v", n, k, err)
							}
						}
					})
				}
				for _, n := range slices.Backward(sizes) {
					next <- n
				}
				for range 50 {
					next <- 1 + rand.IntN(30_000)
				}
				close(next)
				wg.Wait()
			})
		}
	})
}

// Several writers of one connection: each Write's bytes stay together.
func TestWritersTakeTurns(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			const writers, size = 6, 3 << 20
			g := ringo.NewGroup(l)
			for i := range writers {
				g.Go(func() error {
					_, err := c.Write(bytes.Repeat([]byte{byte('a' + i)}, size))
					return err
				})
			}
			var got []byte
			offloaded(t, l, func() error {
				got = make([]byte, writers*size)
				_, err := io.ReadFull(peer, got)
				return err
			})
			if err := g.Wait(); err != nil {
				t.Error(err)
			}
			for i := range writers {
				want := bytes.Repeat([]byte{byte('a' + i)}, size) // in order of arrival
				if !bytes.Equal(got[i*size:(i+1)*size], want) {
					t.Errorf("the bytes of writer %d are mixed with others'", i)
				}
			}
		})
	})
}

// ReadFrom takes from every kind of reader, and says where it stopped.
func TestReadFrom(t *testing.T) {
	msg := make([]byte, 300_001)
	pattern(msg, 0)
	name := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(name, msg, 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("on purpose")
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, c := range []struct {
			name string
			r    func() io.Reader
			n    int
			err  error
		}{
			{"bytes.Reader", func() io.Reader { return bytes.NewReader(msg) }, len(msg), nil},
			{"nothing", func() io.Reader { return strings.NewReader("") }, 0, nil},
			{"one byte at a time", func() io.Reader {
				return iotest.OneByteReader(bytes.NewReader(msg[:2000]))
			}, 2000, nil},
			{"data with the end", func() io.Reader {
				return iotest.DataErrReader(bytes.NewReader(msg[:5000]))
			}, 5000, nil},
			{"an error", func() io.Reader {
				return io.MultiReader(bytes.NewReader(msg[:7000]), iotest.ErrReader(broken))
			}, 7000, broken},
			{"a limit", func() io.Reader { return io.LimitReader(bytes.NewReader(msg), 12345) }, 12345, nil},
			{"a file", func() io.Reader {
				f, err := os.Open(name)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { f.Close() })
				return f
			}, len(msg), nil},
		} {
			t.Run(c.name, func(t *testing.T) {
				pair(t, cfg, func(l *ringo.Loop, conn *sock.Conn, peer tcpPeer) {
					copying := l.Go(func() {
						n, err := io.Copy(conn, onlyReader{c.r()})
						if n != int64(c.n) || err != c.err {
							t.Errorf("io.Copy() = %d, %v, want %d, %v", n, err, c.n, c.err)
						}
						conn.CloseWrite()
					})
					var got []byte
					offloaded(t, l, func() (err error) { got, err = io.ReadAll(peer); return err })
					copying.Wait()
					if !bytes.Equal(got, msg[:c.n]) {
						t.Errorf("the peer got %d bytes, want %d", len(got), c.n)
					}
				})
			})
		}
	})
}

// onlyReader hides a reader's other methods, so that io.Copy asks the connection.
type onlyReader struct{ io.Reader }

// WriteTo gives to every kind of writer, and says what was given.
func TestWriteTo(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.BufferSize = 1000
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			const total = 200_000
			fed := feed(t, peer, total, 5)
			if _, err := c.Peek(2500); err != nil { // some of it gathered
				t.Fatal(err)
			}
			var got bytes.Buffer
			n, err := io.Copy(&got, c)
			if n != total || err != nil {
				t.Errorf("io.Copy() = %d, %v", n, err)
			}
			if bad := mismatch(got.Bytes(), 0); bad >= 0 || got.Len() != total {
				t.Errorf("%d bytes, wrong at %d", got.Len(), bad)
			}
			offloaded(t, l, func() error { <-fed; return nil })
		})
		broken := errors.New("on purpose")
		for name, w := range map[string]io.Writer{
			"an error":    writerFunc(func(p []byte) (int, error) { return 3, broken }),
			"short write": writerFunc(func(p []byte) (int, error) { return 3, nil }),
		} {
			pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
				send(t, peer, "12345")
				n, err := c.WriteTo(w)
				want := broken
				if name == "short write" {
					want = io.ErrShortWrite
				}
				if n != 3 || err != want {
					t.Errorf("%s: WriteTo() = %d, %v, want 3, %v", name, n, err, want)
				}
			})
		}
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) { // to a connection that is closed
			closed, closedPeer := connect(t, l)
			closedPeer.Close()
			closed.Close()
			send(t, peer, "12345")
			n, err := io.Copy(closed, c)
			if n != 0 {
				t.Errorf("io.Copy() = %d", n)
			}
			wantClosed(t, "io.Copy to a closed connection", err)
		})
	})
}

// A writer that panics, or ends its task, gives the buffer back that it was shown, and what it has not taken is unread.
func TestWriteToOfAPanic(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			send(t, peer, "x")
			for i := range 2 {
				l.Go(func() {
					defer func() { recover() }()
					c.WriteTo(writerFunc(func([]byte) (int, error) {
						if i == 0 {
							runtime.Goexit()
						}
						panic("on purpose")
					}))
				}).Wait()
			}
			send(t, peer, "y") // and the turn
			wantAll(t, c, "xy")
		})
	})
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// proxy passes both directions on, half-closes included; a failure of one side ends
// the other.
func proxy(backend string) func(c *sock.Conn) {
	return func(c *sock.Conn) {
		b, err := sock.Dial(c.Loop(), "tcp", backend)
		if err != nil {
			return
		}
		defer b.Close()
		up := c.Loop().Go(func() { pipe(b, c) })
		pipe(c, b)
		up.Wait()
	}
}

func pipe(dst, src *sock.Conn) {
	if _, err := io.Copy(dst, src); err != nil {
		dst.Close() // wakes the other direction with net.ErrClosed
		src.Close()
		return
	}
	dst.CloseWrite()
}

func TestProxy(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Buffers, cfg.BufferSize = 16, 2048
		back := serve(t, cfg, echoes["io.Copy"])
		front := serve(t, cfg, perConn(proxy(back.addr)))
		var wg sync.WaitGroup
		for i := range 10 {
			peer := front.dial()
			wg.Go(func() {
				echo(t, peer, 100_000*i+1)
				peer.CloseWrite() // goes through to the back end, and its end comes back
				if n, err := peer.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("behind the end: Read() = %d, %v", n, err)
				}
			})
		}
		wg.Wait()

		peer := front.dial() // one side fails
		echo(t, peer, 10)
		reset(peer)
		eventually(t, "both sides of the proxy gone", func() bool {
			return front.stats().Tasks == 1 && back.stats().Tasks == 1
		})
	})
}
