//go:build linux

package gnet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	errorx "github.com/panjf2000/gnet/v2/pkg/errors"
	"golang.org/x/sys/unix"

	"ringo/adapters/gnet"
	"ringo/event"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
)

// Many clients have their bytes back, on one loop and several, by TCP and Unix sockets, behind OnOpen's.
func TestEcho(t *testing.T) {
	eachDriver(t, func(t *testing.T) {
		for network, addr := range map[string]string{"tcp": address(), "unix": filepath.Join(t.TempDir(), "s")} {
			for _, loops := range []int{1, 3} {
				s := serveAt(t, network, addr, &funcs{open: func(c gnet.Conn) ([]byte, gnet.Action) {
					if c.LocalAddr().Network() != network || c.RemoteAddr().Network() != network {
						t.Errorf("addresses %v, %v", c.LocalAddr(), c.RemoteAddr())
					}
					return []byte("hello\r\n"), gnet.None
				}}, gnet.WithNumEventLoop(loops))
				var all sync.WaitGroup
				for i := range 20 {
					c := s.dial(t)
					all.Go(func() {
						err := socktest.WantBytes(c, []byte("hello\r\n"))
						for _, n := range []int{1, 100 + i, 10_000, 300_000} {
							err = errors.Join(err, exchange(c, socktest.Prefix(n)))
						}
						if err != nil {
							t.Errorf("%s, %d loops: %v", network, loops, err)
						}
					})
				}
				all.Wait()
				if n := s.eng.CountConnections(); n != 20 {
					t.Errorf("%d connections are counted, of 20", n)
				}
				s.stop(t)
			}
		}
	})
}

// What was not read comes again, by whichever method, in order, and none is lost nor there twice.
func TestReads(t *testing.T) {
	eachDriver(t, func(t *testing.T) {
		stream := socktest.Prefix(400_000)
		read, done := 0, make(chan struct{})
		var rnd *rand.Rand
		s := serve(t, &funcs{
			open: func(gnet.Conn) ([]byte, gnet.Action) {
				rnd = rand.New(rand.NewPCG(1, 2))
				return nil, gnet.None
			},
			traffic: func(c gnet.Conn) gnet.Action {
				for range rnd.IntN(4) {
					has := c.InboundBuffered()
					n := rnd.IntN(has + 2)
					var got []byte
					var err error
					switch rnd.IntN(5) {
					case 0:
						got, err = c.Peek(n)
						got = bytes.Clone(got)
						if k, e := c.Discard(len(got)); err == nil && (k != len(got) || e != nil) {
							t.Errorf("Discard(%d) = %d, %v", len(got), k, e)
						} else if err != nil {
							read += k // of Discard(0), which is all
							continue
						}
					case 1:
						got, err = c.Next(n)
					case 2:
						got = make([]byte, n)
						n, err = c.Read(got)
						got = got[:n]
					case 3:
						var b bytes.Buffer
						k, _ := c.WriteTo(&b)
						got, n = b.Bytes(), int(k)
					case 4:
						if n, err = c.Discard(n); err != nil {
							t.Error(err)
						}
						got, n = stream[read:read+n], 0
					}
					switch {
					case err == io.ErrShortBuffer && n > has, err == io.ErrShortBuffer && has == 0:
					case err != nil || !bytes.Equal(got, stream[read:read+len(got)]) ||
						c.InboundBuffered() != has-len(got):
						t.Errorf("%d bytes of %d, asked for %d, then %d: %v", len(got), has, n, c.InboundBuffered(),
							err)
					default:
						read += len(got)
					}
				}
				if read+c.InboundBuffered() == len(stream) {
					c.Discard(-1)
					close(done)
				}
				return gnet.None
			}})
		c := s.dial(t)
		for p := stream; len(p) > 0; {
			n := min(len(p), 1+rand.IntN(30_000))
			if _, err := c.Write(p[:n]); err != nil {
				t.Fatal(err)
			}
			p = p[n:]
		}
		patience.Recv(t, "all is read", done)
		s.stop(t)
	})
}

// Goroutines write, wake and close: callbacks come on the loop, in order, and a closed connection gives net.ErrClosed.
func TestAsync(t *testing.T) {
	eachDriver(t, func(t *testing.T) {
		conns, woken := make(chan gnet.Conn, 1), make(chan int, 1)
		s := serve(t, &funcs{
			open: func(c gnet.Conn) ([]byte, gnet.Action) { conns <- c; return nil, gnet.None },
			traffic: func(c gnet.Conn) gnet.Action {
				if n := c.InboundBuffered(); n >= 4 { // it stays for the Wake
					woken <- n
				}
				return gnet.None
			},
			close: func(_ gnet.Conn, err error) gnet.Action {
				if err != nil {
					t.Errorf("closed with %v", err)
				}
				return gnet.Shutdown
			}})
		peer := s.dial(t)
		c := patience.Recv(t, "OnOpen", conns)
		told := make(chan error)
		tell := func(_ gnet.Conn, err error) error { s.onLoop(true, "a callback"); told <- err; return nil }
		var sent []byte
		for i := range 100 {
			p := socktest.Prefix(1 + i*100)
			sent = append(sent, p...)
			var err error
			if i%2 == 0 {
				err = c.AsyncWrite(p, tell)
			} else {
				err = c.AsyncWritev([][]byte{p[:i], p[i:]}, tell)
			}
			if err := errors.Join(err, patience.Recv(t, "a callback", told)); err != nil {
				t.Fatal(err)
			}
		}
		if err := socktest.WantBytes(peer, sent); err != nil {
			t.Error(err)
		}
		peer.Write([]byte("four"))
		patience.Recv(t, "OnTraffic", woken)
		if err := errors.Join(c.Wake(tell), patience.Recv(t, "Wake's callback", told)); err != nil {
			t.Error(err)
		} else if n := patience.Recv(t, "OnTraffic of Wake", woken); n != 4 {
			t.Errorf("Wake has %d bytes", n)
		}
		blocked := make(chan struct{}) // so that all of it is behind the close, and before the end of the loop
		c.AsyncWrite(nil, func(gnet.Conn, error) error { <-blocked; return nil })
		err := errors.Join(c.CloseWithCallback(tell), c.AsyncWrite([]byte("late"), tell), c.Wake(tell), c.Close())
		close(blocked)
		for i, want := range []error{errorx.ErrEngineShutdown, net.ErrClosed, nil} {
			if got := patience.Recv(t, "callbacks behind the end", told); !errors.Is(got, want) {
				t.Errorf("callback %d: %v, want %v", i, got, want)
			}
		}
		if err != nil || socktest.WantEOF(peer) != nil {
			t.Errorf("calls behind the end: %v, %v", err, socktest.WantEOF(peer))
		}
		s.end(t)
		if c.AsyncWrite(nil, nil) == nil || c.Wake(nil) == nil || c.Close() == nil {
			t.Error("a call has no error behind the engine's end")
		}
	})
}

// A peer that never reads is not read any more, and loses nothing; one that is written to all the same is cut off.
func TestNeverReads(t *testing.T) {
	eachDriver(t, func(t *testing.T) {
		var most atomic.Int64
		s := serve(t, &funcs{traffic: func(c gnet.Conn) gnet.Action {
			echo(c)
			most.Store(max(most.Load(), int64(c.OutboundBuffered())))
			return gnet.None
		}})
		c := s.dial(t).(*net.TCPConn)
		c.SetReadBuffer(64 << 10)
		p := socktest.Prefix(6 * gnet.PauseAt) // the kernel takes some MiB
		sent := make(chan error, 1)
		go func() { _, err := c.Write(p); sent <- err }()
		patience.Until(t, "the bound", func() bool { return most.Load() >= gnet.PauseAt })
		if err := errors.Join(socktest.WantBytes(c, p), <-sent); err != nil {
			t.Error(err)
		}
		if n := most.Load(); n > gnet.PauseAt+1<<20 {
			t.Errorf("%d bytes waited", n)
		}
		s.stop(t)

		why := make(chan error, 1)
		s = serve(t, &funcs{
			open: func(c gnet.Conn) ([]byte, gnet.Action) {
				for range 2 * gnet.UnsentMax >> 20 {
					if n, err := c.Write(p[:1<<20]); err != nil {
						if n != 0 {
							t.Errorf("the write that failed took %d bytes", n)
						}
						return nil, gnet.None
					}
				}
				t.Error("there is no bound")
				return nil, gnet.None
			},
			close: func(c gnet.Conn, err error) gnet.Action {
				if n := c.OutboundBuffered(); n < gnet.UnsentMax || n > gnet.UnsentMax+1<<20 {
					t.Errorf("%d bytes waited", n)
				}
				why <- err
				return gnet.None
			}})
		c = s.dial(t).(*net.TCPConn)
		if err := patience.Recv(t, "OnClose", why); err != event.ErrFull {
			t.Errorf("closed with %v", err)
		}
		if n, err := io.Copy(io.Discard, c); n >= gnet.UnsentMax {
			t.Errorf("the peer got %d bytes: %v", n, err)
		}
		s.stop(t)
	})
}

// A program that reads nothing has a bound, too.
func TestUnread(t *testing.T) {
	eachDriver(t, func(t *testing.T) {
		why := make(chan error, 1)
		s := serve(t, &funcs{
			traffic: func(gnet.Conn) gnet.Action { return gnet.None },
			close:   func(_ gnet.Conn, err error) gnet.Action { why <- err; return gnet.None }})
		c := s.dial(t)
		p := make([]byte, 1<<20)
		sent := 0
		for err := error(nil); err == nil && sent < 2*gnet.UnreadMax; sent += len(p) {
			_, err = c.Write(p)
		}
		if err := patience.Recv(t, "OnClose", why); err != event.ErrUnread || sent < gnet.UnreadMax {
			t.Errorf("closed with %v behind %d bytes", err, sent)
		}
		s.stop(t)
	})
}

// What was written before a close arrives, while the program has been told.
func TestUnsentAtClose(t *testing.T) {
	eachDriver(t, func(t *testing.T) {
		p := socktest.Prefix(8 << 20)
		closed := make(chan int, 1)
		s := serve(t, &funcs{
			traffic: func(c gnet.Conn) gnet.Action {
				n, err := c.ReadFrom(bytes.NewReader(p))
				if n != int64(len(p)) || err != nil || c.OutboundBuffered() == 0 {
					t.Errorf("ReadFrom: %d, %v; %d wait", n, err, c.OutboundBuffered())
				}
				return gnet.Close
			},
			close: func(c gnet.Conn, err error) gnet.Action {
				c.Write([]byte("bye")) // which is allowed yet
				closed <- c.OutboundBuffered()
				return gnet.None
			}})
		c := s.dial(t)
		c.Write([]byte("go"))
		if n := patience.Recv(t, "OnClose", closed); n < 1<<20 {
			t.Errorf("%d bytes wait at the close", n)
		}
		if n := s.eng.CountConnections(); n != 0 {
			t.Errorf("%d connections are counted", n)
		}
		if err := errors.Join(socktest.WantBytes(c, p), socktest.WantBytes(c, []byte("bye")),
			socktest.WantEOF(c)); err != nil {
			t.Error(err)
		}
		s.stop(t)
	})
}

// A peer that has ended its side gets its answers; one that resets ends its connection, and no other.
func TestHostile(t *testing.T) {
	eachDriver(t, func(t *testing.T) {
		why := make(chan error, 1)
		s := serve(t, &funcs{close: func(_ gnet.Conn, err error) gnet.Action { why <- err; return gnet.None }})
		good := s.dial(t)
		half := s.dial(t).(*net.TCPConn)
		half.Write([]byte("half"))
		half.CloseWrite()
		if err := errors.Join(socktest.WantBytes(half, []byte("half")), socktest.WantEOF(half)); err != nil {
			t.Error(err)
		}
		if err := patience.Recv(t, "OnClose", why); !errors.Is(err, io.EOF) {
			t.Errorf("the end of a side: %v", err)
		}
		reset := s.dial(t).(*net.TCPConn)
		if err := exchange(reset, []byte("reset")); err != nil {
			t.Error(err)
		}
		reset.SetLinger(0)
		reset.Close()
		if err := patience.Recv(t, "OnClose", why); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a reset: %v", err)
		}
		if err := exchange(good, socktest.Prefix(100_000)); err != nil {
			t.Error(err)
		}
		s.stop(t)
		if err := patience.Recv(t, "OnClose", why); err != nil {
			t.Errorf("the engine's end: %v", err)
		}
	})
}

// Each action does what it says, wherever it is returned.
func TestActions(t *testing.T) {
	eachDriver(t, func(t *testing.T) {
		shut := serve(t, &funcs{tick: func() (time.Duration, gnet.Action) { return time.Hour, gnet.Shutdown }},
			gnet.WithTicker(true))
		shut.end(t)

		ticks := make(chan bool)
		open := serve(t, &funcs{
			open: func(gnet.Conn) ([]byte, gnet.Action) { return []byte("bye"), gnet.Close },
			tick: func() (time.Duration, gnet.Action) { ticks <- true; return time.Millisecond, gnet.None }},
			gnet.WithTicker(true))
		for range 3 {
			patience.Recv(t, "OnTick", ticks)
		}
		go func() {
			for range ticks {
			}
		}()
		c := open.dial(t)
		if err := errors.Join(socktest.WantBytes(c, []byte("bye")), socktest.WantEOF(c)); err != nil {
			t.Error(err)
		}
		open.stop(t)
		close(ticks)

		traffic := serve(t, &funcs{traffic: func(c gnet.Conn) gnet.Action { echo(c); return gnet.Shutdown }},
			gnet.WithNumEventLoop(2))
		others := []net.Conn{traffic.dial(t), traffic.dial(t), traffic.dial(t)}
		patience.Until(t, "all are open", func() bool { return traffic.opened.Load() == 3 })
		if err := errors.Join(exchange(others[0], []byte("x")), socktest.WantEOF(others[0]),
			socktest.WantEOF(others[1]), socktest.WantEOF(others[2])); err != nil {
			t.Error(err)
		}
		traffic.end(t)

		f := &funcs{t: t, boot: func(gnet.Engine) gnet.Action { return gnet.Shutdown }}
		if err := gnet.Run(f, "tcp://"+address()); err != nil || f.shutdown.Load() != 0 || !isShut(f.eng) {
			t.Errorf("OnBoot's Shutdown: %v", err)
		}

		early := make(chan error, 1) // Stop comes before there is a loop
		f = &funcs{t: t, boot: func(eng gnet.Engine) gnet.Action {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			early <- eng.Stop(ctx)
			return gnet.None
		}}
		if err := gnet.Run(f, "tcp://"+address(), gnet.WithNumEventLoop(3)); err != nil || f.shutdown.Load() != 1 {
			t.Errorf("a Stop in OnBoot: %v", err)
		}
		if err := <-early; err != context.Canceled {
			t.Errorf("Stop: %v", err)
		}
	})
}

// Options arrive at the sockets, and so does what is set later.
func TestOptions(t *testing.T) {
	eachDriver(t, func(t *testing.T) {
		get := func(c gnet.Conn, level, name int) (n int) {
			raw, err := gnet.Raw(c)
			if err == nil {
				err = raw.Control(func(fd uintptr) { n, err = unix.GetsockoptInt(int(fd), level, name) })
			}
			if err != nil {
				t.Error(err)
			}
			return n
		}
		all := func(c gnet.Conn) []int {
			return []int{get(c, unix.SOL_SOCKET, unix.SO_KEEPALIVE), get(c, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE),
				get(c, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL), get(c, unix.IPPROTO_TCP, unix.TCP_KEEPCNT),
				get(c, unix.IPPROTO_TCP, unix.TCP_NODELAY), get(c, unix.SOL_SOCKET, unix.SO_RCVBUF),
				get(c, unix.SOL_SOCKET, unix.SO_SNDBUF)}
		}
		got := make(chan []int, 2)
		open := func(c gnet.Conn) ([]byte, gnet.Action) {
			got <- all(c)
			if err := errors.Join(c.SetNoDelay(false), c.SetReadBuffer(10_000), c.SetWriteBuffer(11_000),
				c.SetLinger(1), c.Flush()); err != nil {
				t.Error(err)
			}
			got <- all(c)
			return nil, gnet.Close
		}
		s := serve(t, &funcs{open: open}, gnet.WithTCPKeepAlive(time.Minute), gnet.WithTCPNoDelay(gnet.TCPDelay),
			gnet.WithSocketRecvBuffer(20_000), gnet.WithSocketSendBuffer(30_000))
		c := s.dial(t)
		if n := patience.Recv(t, "options", got); !slices.Equal(n, []int{1, 60, 12, 5, 0, 40_000, 60_000}) {
			t.Errorf("options %v", n)
		}
		if n := patience.Recv(t, "options", got); !slices.Equal(n, []int{1, 60, 12, 5, 0, 20_000, 22_000}) {
			t.Errorf("options later: %v", n)
		}
		if err := socktest.WantEOF(c); err != nil {
			t.Error(err)
		}
		s.stop(t)
		s = serve(t, &funcs{open: open})
		s.dial(t)
		if n := patience.Recv(t, "options", got); n[0] != 0 || n[4] != 1 {
			t.Errorf("the defaults %v", n)
		}
		<-got
		s.stop(t)
	})
}

// Two engines share an address by ReusePort alone, and a Unix socket that was left is no obstacle; a file is.
func TestAddresses(t *testing.T) {
	addr := address()
	a := serveAt(t, "tcp", addr, new(funcs), gnet.WithReusePort(true))
	b := serveAt(t, "tcp4", addr, new(funcs), gnet.WithReusePort(true), gnet.WithLoadBalancing(gnet.SourceAddrHash))
	if err := gnet.Run(&funcs{t: t}, "tcp://"+addr); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a third: %v", err)
	}
	if err := exchange(a.dial(t), []byte("x")); err != nil {
		t.Error(err)
	}
	a.stop(t)
	b.stop(t)
	name := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
	s := serveAt(t, "unix", name, new(funcs))
	if err := exchange(s.dial(t), []byte("x")); err != nil {
		t.Error(err)
	}
	s.stop(t)
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]error{
		"unix://" + name: syscall.EADDRINUSE, "tulip://x:1": errorx.ErrUnsupportedProtocol,
		"x:1": errorx.ErrInvalidNetworkAddress, "tcp://": errorx.ErrInvalidNetworkAddress,
		"tcp://x:1/y": errorx.ErrInvalidNetworkAddress, "udp://:1": errorx.ErrUnsupportedOp} {
		f := &funcs{t: t, boot: func(gnet.Engine) gnet.Action { return gnet.Shutdown }} // if it gets there
		if err := gnet.Run(f, addr); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", addr, err, want)
		}
	}
	err = gnet.Run(&funcs{t: t}, "unix://"+name+"2", gnet.WithBindToDevice("lo"))
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a device of a Unix socket: %v", err)
	}
}

// What is not there says so.
func TestRefused(t *testing.T) {
	var none gnet.Engine
	if none.Validate() != errorx.ErrEmptyEngine || none.Stop(t.Context()) != errorx.ErrEmptyEngine ||
		none.CountConnections() != -1 {
		t.Error("there is an engine")
	}
	done := make(chan gnet.Conn, 1)
	s := serve(t, &funcs{open: func(c gnet.Conn) ([]byte, gnet.Action) {
		_, dup := c.Dup()
		_, sent := c.SendTo(nil, c.RemoteAddr())
		_, enroll := c.EventLoop().Enroll(t.Context(), nil)
		_, register := c.EventLoop().Register(t.Context(), nil)
		for i, err := range []error{dup, sent, enroll, register, c.EventLoop().Execute(t.Context(), nil),
			c.EventLoop().Schedule(t.Context(), nil, 0), c.SetDeadline(time.Now()), c.SetReadDeadline(time.Now()),
			c.SetWriteDeadline(time.Now()), c.SetKeepAlive(true, 1, 1, 1), c.SetKeepAlivePeriod(1)} {
			if err != errorx.ErrUnsupportedOp {
				t.Errorf("call %d: %v", i, err)
			}
		}
		if c.Fd() != -1 {
			t.Error("there is a descriptor")
		}
		done <- c
		return nil, gnet.None
	}})
	s.dial(t)
	c := patience.Recv(t, "OnOpen", done)
	if err := errors.Join(c.SetNoDelay(true), c.Flush()); !errors.Is(err, errorx.ErrUnsupportedOp) {
		t.Errorf("options from elsewhere: %v", err)
	}
	_, dup := s.eng.Dup()
	_, dupListener := s.eng.DupListener("tcp", "")
	_, register := s.eng.Register(t.Context())
	for i, err := range []error{dup, dupListener, register, gnet.Rotate(s.funcs, nil)} {
		if err != errorx.ErrUnsupportedOp {
			t.Errorf("call %d of the engine: %v", i, err)
		}
	}
	s.stop(t)
}
