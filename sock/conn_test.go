package sock_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"ringo"
	"ringo/internal/posix"
	"ringo/internal/test/patience"
	"ringo/internal/test/selfsigned"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/sock"
	"ringo/stats"
)

// An io.EOF in a wrapper would break bufio, net/http and all that compares.
func TestEOFIsBare(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			peer.CloseWrite()
			wantEOF(t, c)
			if _, err := c.Next(); err != io.EOF {
				t.Errorf("Next: %v", err)
			}
			if _, err := c.Peek(1); err != io.EOF {
				t.Errorf("Peek: %v", err)
			}
			if _, err := c.Discard(1); err != io.EOF {
				t.Errorf("Discard: %v", err)
			}
			if n, err := c.WriteTo(io.Discard); n != 0 || err != nil {
				t.Errorf("WriteTo() = %d, %v, want 0, nil", n, err)
			}
		})
	})
}

func TestZeroLength(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			none := func(when string) {
				t.Helper()
				for _, p := range [][]byte{nil, {}} {
					if n, err := c.Read(p); n != 0 || err != nil {
						t.Errorf("%s: Read of nothing = %d, %v", when, n, err)
					}
					if n, err := c.Write(p); n != 0 || err != nil {
						t.Errorf("%s: Write of nothing = %d, %v", when, n, err)
					}
				}
				if p, err := c.Peek(0); len(p) != 0 || err != nil {
					t.Errorf("%s: Peek(0) = %q, %v", when, p, err)
				}
				if n, err := c.Discard(0); n != 0 || err != nil {
					t.Errorf("%s: Discard(0) = %d, %v", when, n, err)
				}
			}
			none("with nothing there")
			send(t, peer, "x")
			if _, err := c.Peek(1); err != nil {
				t.Fatal(err)
			}
			none("with a byte there")
			wantRead(t, c, 10, "x")
			peer.CloseWrite()
			wantEOF(t, c)
			none("at the end")
			c.Write([]byte("y")) // nothing before it was taken for an end
			wantPeer(t, l, peer, "y")
		})
	})
}

// A Write beside another caller's CloseWrite goes out before the end of the stream, or says that it did not: also one
// that has waited for room together with the CloseWrite, and one that comes after SetBatching.
func TestWritesBesideCloseWrite(t *testing.T) {
	closers := map[string]func(l *ringo.Loop, c *sock.Conn) error{
		"a task": func(_ *ringo.Loop, c *sock.Conn) error { return c.CloseWrite() },
		"a goroutine": func(l *ringo.Loop, c *sock.Conn) error {
			return l.Offload(func(context.Context) error { return c.CloseWrite() })
		},
	}
	writers := map[string]func(c *sock.Conn, p []byte) (int, error){
		"Write": func(c *sock.Conn, p []byte) (int, error) { return c.Write(p) },
		"ReadFrom": func(c *sock.Conn, p []byte) (int, error) {
			n, err := c.ReadFrom(bytes.NewReader(p))
			return int(n), err
		},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for by, closeWrite := range closers {
			for with, write := range writers {
				t.Run(with+" beside "+by, func(t *testing.T) {
					pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
						besideCloseWrite(t, l, c, peer, write, closeWrite)
					})
				})
			}
		}
	})
}

func besideCloseWrite(t *testing.T, l *ringo.Loop, c *sock.Conn, peer tcpPeer,
	write func(c *sock.Conn, p []byte) (int, error), closeWrite func(l *ringo.Loop, c *sock.Conn) error) {
	c.SetWriteBuffer(4 << 10)
	written, full := 0, 0
	for full < 3 { // until some of what was accepted waits for room
		n, err := c.TryWrite(make([]byte, 1000))
		if err != nil {
			t.Fatal(err)
		}
		if written += n; n == 0 {
			full++
		}
		l.Yield()
	}
	writing := l.Go(func() {
		for {
			n, err := write(c, make([]byte, 100))
			written += n
			if err != nil {
				if !errors.Is(err, posix.EPIPE) {
					t.Errorf("a write beside CloseWrite: %v", err)
				}
				return
			}
		}
	})
	l.Yield()
	closing := l.Go(func() {
		if err := closeWrite(l, c); err != nil {
			t.Error(err)
		}
		c.SetBatching(true)
	})
	l.Yield()
	got := 0
	offloaded(t, l, func() error {
		n, err := io.Copy(io.Discard, peer)
		got = int(n)
		return err
	})
	closing.Wait()
	writing.Wait()
	if got != written {
		t.Errorf("%d bytes were written, and %d came before the end", written, got)
	}
}

func TestCloseRead(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			send(t, peer, "before")
			if _, err := c.Peek(6); err != nil {
				t.Fatal(err)
			}
			if err := c.CloseRead(); err != nil {
				t.Fatal(err)
			}
			wantAll(t, c, "before")
			wantEOF(t, c)
			c.Write([]byte("out"))
			wantPeer(t, l, peer, "out")
		})
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			l.AfterFunc(time.Millisecond, func() {
				if err := c.CloseRead(); err != nil {
					t.Error(err)
				}
			})
			wantEOF(t, c) // while parked
		})
	})
}

// Close with linger waits for the bytes to arrive; nobody else does.
func TestLingerDoesNotStall(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			total := fill(t, l, c)
			if err := c.SetLinger(int(patience.Max / time.Second)); err != nil {
				t.Fatal(err)
			}
			lingers(t, l, c, peer, total)
		})
	})
}

// lingers closes a connection that lingers and has sent so many bytes, which the peer has not read, and wants the loop
// to go on meanwhile.
func lingers(t *testing.T, l *ringo.Loop, c *sock.Conn, peer io.Reader, total int) {
	t.Helper()
	other, otherPeer := connect(t, l)
	defer otherPeer.Close()
	defer other.Close()
	closed := false
	closing := l.Go(func() { c.Close(); closed = true })
	for range 50 {
		send(t, otherPeer, "ping")
		wantAll(t, other, "ping")
		l.Sleep(time.Millisecond)
	}
	if closed {
		t.Error("Close did not wait for the bytes that the peer has not read")
	}
	var n int64
	offloaded(t, l, func() (err error) { n, err = io.Copy(io.Discard, peer); return err })
	if n != int64(total) {
		t.Errorf("the peer read %d bytes of %d", n, total)
	}
	closing.Wait()
}

// TryWrite takes what there is room for and never parks: small and large, to a peer that reads and to one that does
// not, with a writer before it; and all that it has taken arrives, in order.
func TestTryWrite(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
			var sent []byte
			try := func(p []byte) int {
				t.Helper()
				parks := l.Stats().Parks
				n, err := c.TryWrite(p)
				if err != nil || l.Stats().Parks != parks {
					t.Errorf("TryWrite: %d, %v, after %d parks", n, err, l.Stats().Parks-parks)
				}
				sent = append(sent, p[:n]...)
				return n
			}
			piece := func(size int) []byte { return bytes.Repeat([]byte{byte(len(sent))}, size) }
			if n := try(piece(10)); n != 10 {
				t.Errorf("TryWrite of 10 bytes: %d", n)
			}
			if n := try(nil); n != 0 {
				t.Errorf("TryWrite of nothing: %d", n)
			}
			if n := try(piece(20_000)); n == 0 {
				t.Error("TryWrite of 20000 bytes, with room: 0")
			}
			filling := new(socktest.Filling)
			for full := false; !full; l.Sleep(time.Millisecond) { // of a peer that does not read
				before := len(sent)
				for try(piece(64<<10)) > 0 || try(piece(3)) > 0 {
				}
				full = filling.Full(descriptor(c), len(sent)-before)
			}
			writer := l.Go(func() { // stands in a Write: no two sockets hold as much, whenever room comes
				p := piece(16 << 20)
				n, err := c.Write(p)
				if n != len(p) || err != nil {
					t.Errorf("Write: %d, %v", n, err)
				}
				sent = append(sent, p...)
			})
			others(l)
			if n := try(piece(1)); n != 0 {
				t.Errorf("TryWrite beside a writer: %d", n)
			}
			got := make(chan []byte, 1)
			go func() { all, _ := io.ReadAll(peer); got <- all }()
			writer.Wait()
			for n := 0; n == 0; others(l) { // when there is room again
				n = try(piece(5))
			}
			if err := c.CloseWrite(); err != nil {
				t.Errorf("CloseWrite: %v", err)
			}
			var all []byte
			l.Offload(func(context.Context) error { all = <-got; return nil })
			if !bytes.Equal(all, sent) {
				t.Errorf("%d bytes arrived, and %d were taken", len(all), len(sent))
			}
		})
	})
}

// TryWrite fails as Write does, for a task of the loop alone, and in a cancelled one it does not.
func TestTryWriteErrors(t *testing.T) {
	testmain.NeedLong(t, "10 s of a socket that lingers")
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		s := serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
			return l.Offload(func(ctx context.Context) error { <-ctx.Done(); return nil })
		})
		defer s.stop()
		l := s.loops[0]
		if err := l.Call(func() error {
			c, peer := connect(t, l)
			defer peer.Close()
			stranger := func(where string) {
				var op *net.OpError
				n, err := c.TryWrite([]byte("x"))
				if n != 0 || !errors.Is(err, ringo.ErrNotTask) || !errors.As(err, &op) {
					t.Errorf("TryWrite from %s: %d, %v", where, n, err)
				}
			}
			l.Offload(func(context.Context) error { stranger("a goroutine"); return nil })
			otherLoop(l).Call(func() error { stranger("another loop"); return nil })

			task := l.Go(func() {
				l.Sleep(time.Hour)
				if n, err := c.TryWrite([]byte("still")); n != 5 || err != nil {
					t.Errorf("TryWrite in a cancelled task: %d, %v", n, err)
				}
			})
			others(l)
			task.Cancel()
			task.Wait()
			wantPeer(t, l, peer, "still")

			// A goroutine has had the output, and gives it back.
			l.Offload(func(context.Context) error { _, err := c.Write([]byte("theirs")); return err })
			if n, err := c.TryWrite([]byte("ours")); n != 4 || err != nil {
				t.Errorf("TryWrite behind a goroutine's Write: %d, %v", n, err)
			}
			wantPeer(t, l, peer, "theirsours")

			c.SetWriteDeadline(time.Now().Add(-time.Second))
			for _, size := range []int{1, 10_000} {
				if n, err := c.TryWrite(make([]byte, size)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("TryWrite behind the deadline: %d, %v", n, err)
				}
			}
			c.SetWriteDeadline(time.Time{})
			c.Close()
			if n, err := c.TryWrite([]byte("x")); n != 0 || !errors.Is(err, net.ErrClosed) {
				t.Errorf("TryWrite when it is closed: %d, %v", n, err)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		if _, err := new(sock.Conn).TryWrite([]byte("x")); err == nil {
			t.Error("TryWrite of the zero Conn: no error")
		}
	})
}

// CloseSoon parks nobody, ends the calls in flight, sends what was accepted, and a Close after it waits for the end.
func TestCloseSoon(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, wait := range readings {
			pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
				var err error
				task := l.Go(func() { err = wait(c) })
				others(l)
				c.Write([]byte("last"))
				parks := l.Stats().Parks
				c.CloseSoon()
				c.CloseSoon()
				if n := l.Stats().Parks - parks; n != 0 {
					t.Errorf("CloseSoon parked %d times", n)
				}
				if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Write after CloseSoon: %v", err)
				}
				if err := c.Close(); err != nil {
					t.Errorf("Close after CloseSoon: %v", err)
				}
				task.Wait()
				wantClosed(t, name, err)
				wantPeer(t, l, peer, "last")
				wantPeerEOF(t, l, peer)
			})
			pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
				var err error
				task := l.Go(func() { err = wait(c) })
				others(l)
				l.Offload(func(context.Context) error { c.CloseSoon(); return nil }) // as a goroutine
				wantPeerEOF(t, l, peer)
				task.Wait()
				wantClosed(t, name, err)
			})
		}
		new(sock.Conn).CloseSoon()
	})
}

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

// The smallest rings under load: the submission queue is full, the completion queue
// overflows, buffers run out, and every byte arrives all the same.
func TestTinyRings(t *testing.T) {
	t.Parallel()
	handlers := map[string]func(*ringo.Loop, *sock.Listener) error{
		"io.Copy":  perConn(func(c *sock.Conn) { io.Copy(c, c) }),
		"requests": perRequest(&sock.Handler{Request: frames}),
		"leases": perConn(func(c *sock.Conn) {
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
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Entries, cfg.Buffers, cfg.BufferSize, cfg.Leases, cfg.Budget = 2, 2, 512, 1, 3
		var total stats.Loop
		lends := false
		for name, fn := range handlers {
			t.Run(name, func(t *testing.T) {
				s := serve(t, cfg, fn)
				var wg sync.WaitGroup
				for i := range 40 {
					peer := s.dial()
					wg.Go(func() {
						sizes := make([]int, 30)
						for j := range sizes {
							sizes[j] = (i*j*37 + j) % 5000
						}
						msg := framed(sizes...)
						sent := make(chan error, 1)
						go func() {
							_, err := peer.Write(msg)
							peer.CloseWrite()
							sent <- err
						}()
						got, err := io.ReadAll(peer)
						if err != nil || string(got) != string(msg) {
							t.Errorf("%d bytes of %d came back: %v", len(got), len(msg), err)
						}
						if err := <-sent; err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				lends = s.loops[0].Info().Lends
				st := s.stats()
				total.Driver.Overflows += st.Driver.Overflows
				total.Driver.NoBuffers += st.Driver.NoBuffers
			})
		}
		t.Logf("completion queue overflows %d, buffers missing %d", total.Driver.Overflows, total.Driver.NoBuffers)
		if lends && total.Driver.NoBuffers == 0 { // TestQueuesFull is about the other
			t.Error("no buffer was ever missing: the test did not test")
		}
	})
}

// More ops begin in one turn than the submission queue has room for, and more end
// in one than the completion queue has.
func TestQueuesFull(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Entries = 2
		onLoop(t, cfg, func(l *ringo.Loop) {
			if n := l.Info().Entries; cfg.Driver == "uring" && n > 2 {
				t.Fatalf("the submission queue has %d entries", n)
			}
			ln := listen(t, l)
			defer ln.Close()
			const conns = 100
			var tasks []*ringo.Task
			var peers []tcpPeer
			var open []*sock.Conn
			got := 0
			for range conns {
				c, peer := accept(t, ln)
				defer peer.Close()
				open, peers = append(open, c), append(peers, peer)
			}
			for _, c := range open {
				tasks = append(tasks, l.Go(func() {
					defer c.Close()
					wantAll(t, c, "all at once")
					got++
				}))
			}
			others(l)
			for _, peer := range peers {
				send(t, peer, "all at once")
			}
			for _, task := range tasks {
				task.Wait()
			}
			if got != conns {
				t.Errorf("%d of %d connections got their bytes", got, conns)
			}
			s := l.Stats().Driver
			t.Logf("%d ops in %d enters, %d overflows", s.Submitted, s.Enters, s.Overflows)
			if cfg.Driver == "uring" && s.Overflows == 0 {
				t.Error("the completion queue did not overflow: the test did not test")
			}
		})
	})
}

// TLS is computed on a goroutine where it is dear, in the handshake, and spoken in a
// task from then on; both ends are connections of a loop.
func TestTLS(t *testing.T) {
	cert, roots := selfsigned.Must(selfsigned.Loopback())
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const size = 300_000
		s := serve(t, cfg, perConn(func(raw *sock.Conn) {
			c := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{cert}})
			if err := raw.Loop().Compute(c.HandshakeContext); err != nil {
				t.Error("the server's handshake:", err)
				return
			}
			io.Copy(c, c)
			c.Close()
		}))
		onLoop(t, cfg, func(l *ringo.Loop) {
			raw, err := sock.Dial(l, "tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			c := tls.Client(raw, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"})
			if err := l.Offload(func(ctx context.Context) error { return c.HandshakeContext(ctx) }); err != nil {
				t.Fatal("the client's handshake:", err)
			}
			sent := make([]byte, size)
			pattern(sent, 0)
			writing := l.Go(func() {
				if _, err := c.Write(sent); err != nil {
					t.Error(err)
				}
			})
			got := make([]byte, size)
			if _, err := io.ReadFull(c, got); err != nil || mismatch(got, 0) >= 0 {
				t.Errorf("wrong byte at %d, %v", mismatch(got, 0), err)
			}
			writing.Wait()
		})
		s.stop()
	})
}
