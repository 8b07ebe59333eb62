//go:build linux

package sock_test

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/buf"
	"ringo/file"
	"ringo/internal/race"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/sock"
	"ringo/sock/socktls"
)

// Nothing of this package panics or hangs that is given no loop, or the zero Loop: the error says so.
func TestNilLoop(t *testing.T) {
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conn := dial(t, ln.Addr().String())
	defer conn.Close()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(pair[1])
	unixgram := os.NewFile(uintptr(pair[0]), "unixgram")
	defer unixgram.Close()
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	packets, err := sock.ReservePackets("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	path := socketPath(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	d, lc, ac := new(sock.Dialer), new(sock.ListenConfig), new(sock.AdoptConfig)
	second := func(_ any, err error) error { return err }
	calls := map[string]func(l *ringo.Loop) error{
		"Dial":         func(l *ringo.Loop) error { return second(sock.Dial(l, "tcp", ln.Addr().String())) },
		"DialPacket":   func(l *ringo.Loop) error { return second(sock.DialPacket(l, "udp", "127.0.0.1:9")) },
		"DialUnixgram": func(l *ringo.Loop) error { return second(sock.DialUnixgram(l, path)) },
		"Listen":       func(l *ringo.Loop) error { return second(sock.Listen(l, "tcp", "127.0.0.1:0")) },
		"Pipe": func(l *ringo.Loop) error {
			_, _, err := sock.Pipe(l)
			return err
		},
		"ListenPacket":   func(l *ringo.Loop) error { return second(sock.ListenPacket(l, "udp", "127.0.0.1:0")) },
		"ListenUnixgram": func(l *ringo.Loop) error { return second(sock.ListenUnixgram(l, path)) },
		"Adopt":          func(l *ringo.Loop) error { return second(sock.Adopt[*sock.Conn](l, conn, nil)) },
		"AdoptListener": func(l *ringo.Loop) error {
			return second(sock.Adopt[*sock.Listener](l, ln, nil))
		},
		"AdoptPacket": func(l *ringo.Loop) error {
			return second(sock.Adopt[*sock.PacketConn](l, udp, nil))
		},
		"AdoptUnixgram": func(l *ringo.Loop) error {
			return second(sock.Adopt[*sock.UnixPacketConn](l, unixgram, nil))
		},
		"AdoptIP": func(l *ringo.Loop) error {
			return second(sock.Adopt[*sock.IPConn](l, udp, nil))
		},
		"Poll":  func(l *ringo.Loop) error { return second(sock.Poll(l, unixgram)) },
		"Serve": func(l *ringo.Loop) error { return sock.Serve(l, new(sock.Listener), new(sock.Handler)) },

		"Dialer.Dial":        func(l *ringo.Loop) error { return second(d.Dial(l, "unix", path)) },
		"Dialer.DialContext": func(l *ringo.Loop) error { return second(d.DialContext(ctx, l, "tcp", "localhost:9")) },
		"Dialer.DialPacket":  func(l *ringo.Loop) error { return second(d.DialPacket(l, "udp", "localhost:9")) },
		"Dialer.DialPacketContext": func(l *ringo.Loop) error {
			return second(d.DialPacketContext(ctx, l, "udp", "localhost:9"))
		},
		"Dialer.DialUnixgram": func(l *ringo.Loop) error { return second(d.DialUnixgram(l, path)) },
		"Dialer.Func":         func(l *ringo.Loop) error { return second(d.Func(l)(ctx, "tcp", "127.0.0.1:9")) },

		"ListenConfig.Listen":         func(l *ringo.Loop) error { return second(lc.Listen(l, "unix", path)) },
		"ListenConfig.ListenPacket":   func(l *ringo.Loop) error { return second(lc.ListenPacket(l, "udp", ":0")) },
		"ListenConfig.ListenUnixgram": func(l *ringo.Loop) error { return second(lc.ListenUnixgram(l, path)) },
		"ListenerSet.Listen":          func(l *ringo.Loop) error { return second(set.Listen(l)) },
		"PacketSet.Listen":            func(l *ringo.Loop) error { return second(packets.Listen(l)) },
		"ServePackets": func(l *ringo.Loop) (err error) {
			onPacket(t, ringo.Config{Driver: "poll"}, func(_ *ringo.Loop, c *sock.PacketConn, _ *net.UDPConn) {
				err = sock.ServePackets(l, c, &sock.PacketHandler{Packet: func(*sock.Packet) {}})
			})
			return err
		},

		"AdoptConfig.Adopt": func(l *ringo.Loop) error {
			return second(sock.Adopt[*sock.Conn](l, conn, ac))
		},
		"AdoptConfig.AdoptListener": func(l *ringo.Loop) error {
			return second(sock.Adopt[*sock.Listener](l, ln, ac))
		},
		"AdoptConfig.AdoptPacket": func(l *ringo.Loop) error {
			return second(sock.Adopt[*sock.PacketConn](l, udp, ac))
		},
		"AdoptConfig.AdoptUnixgram": func(l *ringo.Loop) error {
			return second(sock.Adopt[*sock.UnixPacketConn](l, unixgram, ac))
		},
		"AdoptConfig.AdoptIP": func(l *ringo.Loop) error {
			return second(sock.Adopt[*sock.IPConn](l, udp, ac))
		},

		"Conn.MoveTo": func(l *ringo.Loop) (err error) {
			onLoop(t, ringo.Config{Driver: "poll"}, func(here *ringo.Loop) {
				c, peer := connect(t, here)
				defer peer.Close()
				defer c.Close()
				_, err = c.MoveTo(l)
			})
			return err
		},
	}
	for _, name := range takeLoops(t) {
		if calls[name] == nil {
			t.Errorf("%s takes a loop, and is not tried with none", name)
		}
	}
	for name, call := range calls {
		for what, l := range map[string]*ringo.Loop{"nil": nil, "the zero Loop": new(ringo.Loop)} {
			patience.Within(name, func() {
				defer func() {
					if v := recover(); v != nil {
						t.Errorf("%s: %s panics: %v", what, name, v)
					}
				}()
				var oe *net.OpError
				var pe *fs.PathError
				err := call(l)
				shaped := errors.As(err, &oe) || errors.As(err, &pe) || name == "Serve" // of a zero Listener
				if err == nil || l == nil && !errors.Is(err, syscall.EINVAL) || !shaped {
					t.Errorf("%s: %s: %v; want an error in net's shape", what, name, err)
				}
			})
		}
	}
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Errorf("what was not adopted is not as before: %v", err)
	}
}

// takeLoops names the exported functions and methods of the package that are given a loop.
func takeLoops(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("the sources are not here")
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.IsExported() {
				if on := receiverName(f); ast.IsExported(on) && takesLoop(f) {
					names = append(names, strings.TrimPrefix(on+"."+f.Name.Name, "Func."))
				}
			}
		}
	}
	if len(names) < 20 {
		t.Fatalf("found only %q", names)
	}
	return names
}

// receiverName is the type that a method is of; "Func" for a function.
func receiverName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return "Func"
	}
	typ := f.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

func takesLoop(f *ast.FuncDecl) bool {
	return slices.ContainsFunc(f.Type.Params.List, func(p *ast.Field) bool {
		star, ok := p.Type.(*ast.StarExpr)
		if !ok {
			return false
		}
		sel, ok := star.X.(*ast.SelectorExpr)
		return ok && sel.Sel.Name == "Loop"
	})
}

// Every method, by every kind of caller, while something happens to the call, its handle or its
// loop: see package socktest.
func TestMatrix(t *testing.T) {
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) { socktest.Run(t, cfg.Driver, matrixPart()) })
}

// matrixPart is of how many cells one is played: another one each day.
func matrixPart() int {
	if testmain.Long() {
		return 1
	}
	return 8
}

// The same in simulated worlds, where tasks of Ringo's are on both sides.
func TestMatrixInWorlds(t *testing.T) {
	worlds := 1
	if testmain.Long() {
		worlds = 20
	}
	socktest.RunWorlds(t, worlds, matrixPart())
}

// The same by goroutines beside a world.
func TestMatrixGoroutines(t *testing.T) {
	worlds := 1
	if testmain.Long() {
		worlds = 20
	}
	socktest.RunGoroutines(t, worlds, matrixPart())
}

var stormSeed = flag.Uint64("storm", 1, "the `seed` of the storms, and of which cells of the matrix are in them")

// A part of the same in storms.
func TestMatrixInStorms(t *testing.T) {
	storm := &socktest.Storm{Seed: *stormSeed, Part: 16}
	if testmain.Long() && !race.Enabled {
		storm.Part = 1
	}
	socktest.RunStorm(t, storm)
}

// Who is no task on a handle's host is refused in a world, whatever he calls.
func TestRefusedInWorlds(t *testing.T) { socktest.RefusedInWorlds(t) }

// Tests that don't run in worlds have a reason.
func TestExcusedFromWorlds(t *testing.T) { socktest.ExcusedFromWorlds(t, "sock") }

func TestMatrixIsComplete(t *testing.T) {
	socktest.Complete(t)
	socktest.OmittedComplete(t)
}

// Zero values of package net, and nil addresses in a Dialer, are errors and no panics.
func TestZeroValuesOfNet(t *testing.T) {
	nobody := abstractName()
	calls := map[string]func(l *ringo.Loop, c *sock.Conn) error{}
	for _, r := range []io.Reader{new(net.TCPConn), new(net.UDPConn), new(net.UnixConn), new(net.IPConn)} {
		calls[fmt.Sprintf("ReadFrom(%T)", r)] = func(_ *ringo.Loop, c *sock.Conn) error {
			_, err := c.ReadFrom(r)
			return err
		}
	}
	for _, w := range []io.Writer{new(net.TCPConn), new(net.UDPConn), new(net.UnixConn), new(net.IPConn)} {
		calls[fmt.Sprintf("WriteTo(%T)", w)] = func(_ *ringo.Loop, c *sock.Conn) error {
			_, err := c.WriteTo(w)
			return err
		}
	}
	for _, a := range []net.Addr{(*net.UnixAddr)(nil), (*net.TCPAddr)(nil), (*net.UDPAddr)(nil)} {
		d := &sock.Dialer{LocalAddr: a}
		calls[fmt.Sprintf("DialUnixgram from %T", a)] = func(l *ringo.Loop, _ *sock.Conn) error {
			_, err := d.DialUnixgram(l, nobody)
			return err
		}
		calls[fmt.Sprintf("Dial from %T", a)] = func(l *ringo.Loop, _ *sock.Conn) error {
			_, err := d.Dial(l, "unix", nobody)
			return err
		}
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, call := range calls {
			for _, by := range callers {
				t.Run(name+"/"+by.name, func(t *testing.T) {
					pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer tcpPeer) {
						send(t, peer, "x") // for WriteTo
						if err := by.run(l, func() (err error) {
							defer func() {
								if v := recover(); v != nil {
									t.Errorf("it panics: %v", v)
								}
							}()
							if err := call(l, c); err == nil {
								t.Error("no error")
							}
							return nil
						})(); err != nil {
							t.Error(err)
						}
					})
				})
			}
		}
	})
}

// bubble is what a goroutine in a bubble of testing/synctest needs, beside a loop that is outside of it.
type bubble struct {
	*testing.T
	l     *ringo.Loop
	other *ringo.Loop
	ln    *sock.Listener // to which nobody comes but by conn
}

// settle gives what was begun the time to get where it waits, by the clock outside. It is no synchronisation: what a
// case wants holds wherever the others are.
func (b *bubble) settle() {
	for range 3 {
		b.l.Go(func() { b.l.Sleep(200 * time.Microsecond) }).Wait()
	}
}

// both has a call wait and something else end the wait, both from the bubble.
func (b *bubble) both(wait, end func()) {
	done := make(chan struct{})
	go func() { defer close(done); wait() }()
	b.settle()
	end()
	<-done
}

// conn is a connection with its peer, both of the bubble.
func (b *bubble) conn() (c *sock.Conn, peer net.Conn) {
	b.Helper()
	peer, err := net.Dial("tcp", b.ln.Addr().String())
	b.ok(err)
	c, err = b.ln.AcceptConn()
	b.ok(err)
	b.Cleanup(func() { c.Close(); peer.Close() })
	return c, peer
}

// touched is conn whose directions are the loop's.
func (b *bubble) touched() (c *sock.Conn, peer net.Conn) {
	c, peer = b.conn()
	b.ok(b.l.Go(func() {
		c.Peek(0)
		c.SetReadDeadline(time.Now().Add(time.Millisecond))
		wantTimeout(b.T, "Read in a task", read(c))
		c.SetReadDeadline(time.Time{})
		if _, err := c.Write([]byte("x")); err != nil {
			b.Error(err)
		}
	}).Wait())
	b.ok(peer.SetDeadline(patience.Deadline()))
	_, err := io.ReadFull(peer, make([]byte, 1))
	b.ok(err)
	return c, peer
}

func (b *bubble) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// full is a connection that takes no more.
func (b *bubble) full() (c *sock.Conn, peer net.Conn) {
	c, peer = b.conn()
	c.SetWriteBuffer(4096)
	c.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
	for p := make([]byte, 1<<20); ; {
		if _, err := c.Write(p); err != nil {
			wantTimeout(b.T, "Write to a full socket", err)
			break
		}
	}
	c.SetWriteDeadline(time.Time{})
	return c, peer
}

func (b *bubble) udp() *sock.PacketConn {
	b.Helper()
	c, err := sock.ListenPacket(b.l, "udp", "127.0.0.1:0")
	b.ok(err)
	b.Cleanup(func() { c.Close() })
	return c
}

// waits are the calls that wait on a connection for its peer; the peer sends "hello" to end them.
var connWaits = map[string]func(c *sock.Conn) error{
	"Read":    func(c *sock.Conn) error { return read(c) },
	"ReadV":   func(c *sock.Conn) error { _, err := c.ReadV([][]byte{make([]byte, 2), make([]byte, 8)}); return err },
	"Peek":    func(c *sock.Conn) error { _, err := c.Peek(5); return err },
	"Discard": func(c *sock.Conn) error { _, err := c.Discard(5); return err },
	"Next": func(c *sock.Conn) error {
		lease, err := c.Next()
		if err == nil {
			lease.Release()
		}
		return err
	},
	"WriteTo": func(c *sock.Conn) error { _, err := c.WriteTo(&untilHello{}); return only(err, errHello) },
	"RawConn": func(c *sock.Conn) error {
		raw, err := c.SyscallConn()
		if err != nil {
			return err
		}
		p := make([]byte, 8)
		return raw.Read(func(fd uintptr) bool {
			n, _, err := unix.Recvfrom(int(fd), p, unix.MSG_DONTWAIT)
			return n > 0 || err != unix.EAGAIN
		})
	},
}

var errHello = errors.New("hello")

// untilHello takes five bytes.
type untilHello struct{ n int }

func (u *untilHello) Write(p []byte) (int, error) {
	if u.n += len(p); u.n >= 5 {
		return len(p), errHello
	}
	return len(p), nil
}

// only is nil for the error that is wanted.
func only(err, want error) error {
	if errors.Is(err, want) {
		return nil
	}
	return err
}

var packetWaits = map[string]func(c *sock.PacketConn) error{
	"Read":        func(c *sock.PacketConn) error { _, err := c.Read(make([]byte, 8)); return err },
	"ReadFrom":    func(c *sock.PacketConn) error { _, _, err := c.ReadFrom(make([]byte, 8)); return err },
	"ReadFromUDP": func(c *sock.PacketConn) error { _, _, err := c.ReadFromUDP(make([]byte, 8)); return err },
	"ReadMsgUDP": func(c *sock.PacketConn) error {
		_, _, _, _, err := c.ReadMsgUDP(make([]byte, 8), nil)
		return err
	},
	"ReadBatch": func(c *sock.PacketConn) error {
		_, err := c.ReadBatch([]sock.Message{{Buffers: [][]byte{make([]byte, 8)}}})
		return err
	},
}

// bubbleCases are what waits, or makes something, for a goroutine in a bubble.
func bubbleCases() map[string]func(b *bubble) {
	cases := map[string]func(b *bubble){
		"Accept": func(b *bubble) {
			b.both(func() {
				c, err := b.ln.Accept()
				b.ok(err)
				c.Close()
			}, func() {
				peer, err := net.Dial("tcp", b.ln.Addr().String())
				b.ok(err)
				peer.Close()
			})
		},
		"Accept, Close": func(b *bubble) {
			b.both(func() { wantClosed(b.T, "Accept", second(b.ln.Accept())) }, b.closeListener)
		},
		"2 Accepts, Close": (*bubble).acceptsClose,
		"Accept of the loop's": func(b *bubble) {
			loopAccepts(b.T, b.l, b.ln)
			b.both(func() { wantClosed(b.T, "Accept", second(b.ln.Accept())) }, b.closeListener)
		},
		"Dial":          func(b *bubble) { b.dials("tcp", b.ln.Addr().String()) },
		"Dial a name":   func(b *bubble) { b.dials("tcp", net.JoinHostPort("localhost", port(b.ln))) },
		"Dial, Timeout": (*bubble).dialTimeout,
		"Dial, refused": func(b *bubble) {
			_, err := sock.Dial(b.l, "tcp", socktest.Refusing(b.T))
			if !errors.Is(err, syscall.ECONNREFUSED) {
				b.Errorf("Dial: %v", err)
			}
		},
		"Dial, cancelled":     (*bubble).dialCanceled,
		"Dial a Unix socket":  (*bubble).dialUnix,
		"DialPacket":          (*bubble).dialPacket,
		"Read, Close in Read": func(b *bubble) { c, _ := b.conn(); b.closes(c, func() error { return read(c) }) },
		"Read of the loop's, Close": func(b *bubble) {
			c, _ := b.touched()
			b.closes(c, func() error { return read(c) })
		},
		"2 Reads, Close": func(b *bubble) {
			c, _ := b.conn()
			b.both(func() { b.closes(c, func() error { return read(c) }) }, func() { wantClosed(b.T, "Read", read(c)) })
		},
		"a task reads": func(b *bubble) {
			c, peer := b.conn()
			one := func() {
				if _, err := c.Read(make([]byte, 5)); err != nil {
					b.Error(err)
				}
			}
			t := b.l.Go(one)
			b.both(one, func() {
				b.say(peer)
				b.say(peer)
			})
			b.ok(t.Wait())
		},
		"Write": func(b *bubble) {
			c, peer := b.full()
			b.both(func() {
				_, err := c.Write(make([]byte, 1<<20))
				b.ok(err)
				b.ok(c.CloseWrite())
			}, func() {
				_, err := io.Copy(io.Discard, peer)
				b.ok(err)
			})
		},
		"Write, deadline": func(b *bubble) {
			c, _ := b.full()
			b.ok(c.SetWriteDeadline(time.Now().Add(5 * time.Millisecond)))
			_, err := c.Write(make([]byte, 1<<20))
			wantTimeout(b.T, "Write", err)
		},
		"Write, Close": func(b *bubble) {
			c, _ := b.full()
			b.closes(c, func() error { _, err := c.Write(make([]byte, 1<<20)); return err })
		},
		"WriteV, Close": func(b *bubble) {
			c, _ := b.full()
			b.closes(c, func() error { _, err := c.WriteV([][]byte{make([]byte, 1<<20), {1}}); return err })
		},
		"ReadFrom, Close": func(b *bubble) {
			c, _ := b.full()
			b.closes(c, func() error { _, err := c.ReadFrom(zeros{}); return err })
		},
		"Close, lingering": func(b *bubble) {
			c, peer := b.full()
			b.ok(c.SetLinger(10))
			b.both(func() { b.ok(c.Close()) }, func() { io.Copy(io.Discard, peer) })
		},
		"CloseWrite of what a task wrote": func(b *bubble) {
			c, peer := b.touched()
			b.ok(b.l.Go(func() { c.Write([]byte("hello")) }).Wait())
			b.ok(c.CloseWrite())
			p, err := io.ReadAll(peer)
			if b.ok(err); string(p) != "hello" {
				b.Errorf("the peer read %q", p)
			}
		},
		"File": func(b *bubble) {
			c, _ := b.touched()
			f, err := c.File()
			b.ok(err)
			b.ok(f.Close())
		},
		"DetachConn": func(b *bubble) {
			c, peer := b.touched()
			n, err := c.DetachConn()
			b.ok(err)
			b.say(peer)
			_, err = n.Read(make([]byte, 8))
			b.ok(err)
			b.ok(n.Close())
		},
		"MoveTo": func(b *bubble) {
			c, peer := b.touched()
			moved, err := c.MoveTo(b.other)
			b.ok(err)
			b.both(func() { b.ok(read(moved)) }, func() { b.say(peer) })
			b.ok(moved.Close())
		},
		"Adopt": func(b *bubble) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			b.ok(err)
			defer ln.Close()
			peer, err := net.Dial("tcp", ln.Addr().String())
			b.ok(err)
			defer peer.Close()
			n, err := ln.Accept()
			b.ok(err)
			c, err := sock.Adopt[*sock.Conn](b.l, n, nil)
			b.ok(err)
			b.both(func() { b.ok(read(c)) }, func() { b.say(peer) })
			b.ok(c.Close())
		},
		"Buffered": func(b *bubble) { c, _ := b.touched(); c.Buffered() },
		"Stats":    func(b *bubble) { b.l.Stats() },
		"UDP Write, 2 writers": func(b *bubble) {
			c, to := b.udp(), b.udp()
			send := func() {
				for range 100 {
					_, err := c.WriteTo([]byte("x"), to.LocalAddr())
					b.ok(err)
				}
			}
			b.both(send, send)
		},
		"UDP of a task": func(b *bubble) {
			c := b.udp()
			t := b.l.Go(func() { c.Read(make([]byte, 8)) })
			b.both(func() { wantClosed(b.T, "Read", second(c.Read(make([]byte, 8)))) }, func() { b.ok(c.Close()) })
			t.Wait()
		},
		"Unixgram":       (*bubble).unixgram,
		"Poll":           (*bubble).polls,
		"a pipe's file":  (*bubble).pipe,
		"a file":         (*bubble).file,
		"tasks and mail": (*bubble).meet,
	}
	for name, wait := range connWaits {
		cases[name] = func(b *bubble) {
			c, peer := b.conn()
			b.both(func() { b.ok(wait(c)) }, func() { b.say(peer) })
		}
		cases[name+" of the loop's"] = func(b *bubble) {
			c, peer := b.touched()
			b.both(func() { b.ok(wait(c)) }, func() { b.say(peer) })
		}
		cases[name+", deadline"] = func(b *bubble) {
			c, _ := b.conn()
			b.ok(c.SetReadDeadline(time.Now().Add(5 * time.Millisecond)))
			wantTimeout(b.T, name, wait(c))
			b.ok(c.SetReadDeadline(time.Now().Add(-time.Millisecond)))
			wantTimeout(b.T, name, wait(c))
		}
		cases[name+", deadline moved"] = func(b *bubble) {
			c, _ := b.touched()
			b.ok(c.SetReadDeadline(time.Now().Add(time.Hour)))
			b.both(func() { wantTimeout(b.T, name, wait(c)) }, func() { b.ok(c.SetReadDeadline(time.Now())) })
		}
		cases[name+", Close"] = func(b *bubble) { c, _ := b.conn(); b.closes(c, func() error { return wait(c) }) }
	}
	for name, wait := range packetWaits {
		cases["UDP "+name] = func(b *bubble) {
			c := b.udp()
			b.both(func() { b.ok(wait(c)) }, func() {
				peer, err := net.Dial("udp", c.LocalAddr().String())
				b.ok(err)
				b.say(peer)
				b.ok(peer.Close())
			})
		}
		cases["UDP "+name+", deadline"] = func(b *bubble) {
			c := b.udp()
			b.ok(c.SetReadDeadline(time.Now().Add(5 * time.Millisecond)))
			wantTimeout(b.T, name, wait(c))
		}
		cases["UDP "+name+", Close"] = func(b *bubble) { c := b.udp(); b.closes(c, func() error { return wait(c) }) }
	}
	return cases
}

func (b *bubble) say(peer net.Conn) {
	_, err := peer.Write([]byte("hello"))
	b.ok(err)
}

func (b *bubble) closeListener() { b.ok(b.ln.Close()) }

// closes has Close end a call.
func (b *bubble) closes(c io.Closer, wait func() error) {
	b.both(func() { wantClosed(b.T, "what waits", wait()) }, func() { b.ok(c.Close()) })
}

func (b *bubble) acceptsClose() {
	accept := func() { wantClosed(b.T, "Accept", second(b.ln.Accept())) }
	b.both(accept, func() { b.both(accept, b.closeListener) })
}

func (b *bubble) dials(network, address string) {
	b.both(func() {
		c, err := sock.Dial(b.l, network, address)
		b.ok(err)
		b.ok(c.Close())
	}, func() {
		c, err := b.ln.Accept()
		b.ok(err)
		b.ok(c.Close())
	})
}

// fullUnix is the name of a listener whose queue is full.
func (b *bubble) fullUnix() string {
	name := filepath.Join(b.TempDir(), "s")
	fillBacklog(b.T, name)
	return name
}

func (b *bubble) dialTimeout() {
	name := b.fullUnix()
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Millisecond)
	defer cancel()
	_, err := new(sock.Dialer).DialContext(ctx, b.l, "unix", name)
	if !errors.Is(err, context.DeadlineExceeded) {
		b.Errorf("DialContext: %v", err)
	}
}

func (b *bubble) dialCanceled() {
	name := b.fullUnix()
	ctx, cancel := context.WithCancel(b.Context())
	b.both(func() {
		_, err := new(sock.Dialer).DialContext(ctx, b.l, "unix", name)
		wantCanceled(b.T, "DialContext", err)
	}, cancel)
}

func (b *bubble) dialUnix() {
	name := filepath.Join(b.TempDir(), "s")
	ln, err := net.Listen("unix", name)
	b.ok(err)
	defer ln.Close()
	c, err := sock.Dial(b.l, "unix", name)
	b.ok(err)
	peer, err := ln.Accept()
	b.ok(err)
	b.both(func() {
		_, _, _, _, err := c.ReadMsgUnix(make([]byte, 8), make([]byte, 8))
		b.ok(err)
	}, func() { b.say(peer) })
	b.both(func() { _, _, err := c.RecvFiles(make([]byte, 8), 1); b.ok(err) }, func() { b.say(peer) })
	b.ok(peer.Close())
	b.ok(c.Close())
}

func (b *bubble) dialPacket() {
	to := b.udp()
	c, err := sock.DialPacket(b.l, "udp4", net.JoinHostPort("localhost", port(to)))
	b.ok(err)
	b.both(func() { b.ok(packetWaits["Read"](to)) }, func() { b.say(c) })
	b.ok(c.Close())
}

func (b *bubble) unixgram() {
	c, err := sock.ListenUnixgram(b.l, filepath.Join(b.TempDir(), "s"))
	b.ok(err)
	to, err := sock.DialUnixgram(b.l, c.LocalAddr().String())
	b.ok(err)
	b.both(func() { _, _, err := c.ReadFrom(make([]byte, 8)); b.ok(err) }, func() { b.say(to) })
	b.closes(c, func() error { _, err := c.Read(make([]byte, 8)); return err })
	b.ok(to.Close())
}

func (b *bubble) polls() {
	r, w, err := os.Pipe()
	b.ok(err)
	p, err := sock.Poll(b.l, r)
	b.ok(err)
	b.both(func() { _, err := p.Read(make([]byte, 8)); b.ok(err) }, func() { w.Write([]byte("hello")) })
	b.both(func() { _, err := p.Wait(sock.Readable); b.ok(err) }, func() { w.Write([]byte("hello")) })
	_, err = p.Read(make([]byte, 8))
	b.ok(err)
	b.ok(p.SetReadDeadline(time.Now().Add(5 * time.Millisecond)))
	_, err = p.Read(make([]byte, 8))
	wantTimeout(b.T, "Read", err)
	b.ok(p.SetReadDeadline(time.Time{}))
	b.closes(p, func() error { _, err := p.Read(make([]byte, 8)); return err })
	b.ok(w.Close())
	b.ok(r.Close())
}

func (b *bubble) pipe() {
	name := filepath.Join(b.TempDir(), "fifo")
	b.ok(unix.Mkfifo(name, 0o600))
	f, err := file.OpenFile(name, os.O_RDWR, 0)
	b.ok(err)
	b.both(func() { _, err := f.Read(make([]byte, 8)); b.ok(err) }, func() { f.Write([]byte("hello")) })
	b.both(func() {
		if _, err := f.Read(make([]byte, 8)); !errors.Is(err, os.ErrClosed) {
			b.Errorf("Read: %v", err)
		}
	}, func() { b.ok(f.Close()) })
}

// file reads from so many goroutines, past the page cache, that some would go by rings.
func (b *bubble) file() {
	name := filepath.Join(b.TempDir(), "f")
	b.ok(os.WriteFile(name, make([]byte, 8<<20), 0o600))
	f, err := file.OpenFile(name, os.O_RDWR|file.Direct, 0)
	if errors.Is(err, syscall.EINVAL) {
		b.Skip("no direct reads here: ", err)
	}
	b.ok(err)
	done := make(chan error)
	const readers = 64
	for i := range readers {
		go func() {
			_, err := f.ReadAt(buf.Aligned(1<<20, 4096), int64(i%8)<<20)
			done <- err
		}()
	}
	for range readers {
		b.ok(<-done)
	}
	b.ok(f.Close())
}

// meet is what callers of package ringo wait at for a task.
func (b *bubble) meet() {
	ch, answer := ringo.NewChan[int](0), ringo.NewChan[int](0)
	t := b.l.Go(func() {
		for v, err := ch.Recv(); err == nil; v, err = ch.Recv() {
			b.l.Sleep(time.Millisecond)
			answer.Send(v)
		}
	})
	for range 3 { // what waits is used again
		b.ok(ch.Send(1))
		var v int
		_, err := ringo.Select(ringo.RecvInto(answer, &v))
		b.ok(err)
	}
	ch.Close()
	b.ok(t.Wait())
	var m ringo.Mutex
	cond, ready := ringo.NewCond(&m), false
	m.Lock()
	t = b.l.Go(func() {
		m.Lock()
		ready = true
		m.Unlock()
		cond.Broadcast()
	})
	for !ready {
		cond.Wait()
	}
	m.Unlock()
	b.ok(t.Wait())
}

// port is that of a listener, or of a socket of datagrams.
func port(of any) string {
	var a net.Addr
	if ln, ok := of.(net.Listener); ok {
		a = ln.Addr()
	} else {
		a = of.(net.PacketConn).LocalAddr()
	}
	ap, _ := netip.ParseAddrPort(a.String())
	_, p, _ := net.SplitHostPort(ap.String())
	return p
}

// zeros has no end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// Goroutines in a bubble of testing/synctest use handles as they use those of package net: what ends their waits is
// outside, as the kernel is, so they are not durably blocked, and deadlines are as long as the time outside.
func TestBubble(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops, cfg.Grace = 2, -1
		s := serve(t, cfg, func(l *ringo.Loop, ln *sock.Listener) error {
			return l.Offload(func(ctx context.Context) error { <-ctx.Done(); return nil })
		})
		for name, f := range bubbleCases() {
			t.Run(name, func(t *testing.T) {
				l := s.loops[0]
				var ln *sock.Listener
				if err := l.Go(func() { ln = listen(t, l) }).Wait(); err != nil {
					t.Fatal(err)
				}
				patience.Within(t.Name(), func() {
					synctest.Test(t, func(t *testing.T) { f(&bubble{T: t, l: l, other: otherLoop(l), ln: ln}) })
				})
				ln.Close()
			})
		}
		s.stop()
	})
}

// What runs loops is refused in a bubble, at once, and the address is free afterwards.
func TestServeInABubble(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		name := filepath.Join(t.TempDir(), "s")
		tlsConfig := &tls.Config{Certificates: make([]tls.Certificate, 1)}
		synctest.Test(t, func(t *testing.T) {
			serve := func(*sock.Conn) { t.Error("there was somebody to serve") }
			refused := func(what string, err error) {
				if _, stat := os.Lstat(name); !errors.Is(err, ringo.ErrBubble) || !errors.Is(stat, os.ErrNotExist) {
					t.Errorf("%s: %v, want ErrBubble; of the socket: %v", what, err, stat)
				}
			}
			refused("ListenAndServe", sock.ListenAndServe(t.Context(), &cfg, "unix", name, serve))
			set, err := sock.Reserve("unix", name)
			if err != nil {
				t.Fatal(err)
			}
			refused("ServeSets", sock.ServeSets(t.Context(), &cfg, []*sock.ListenerSet{set}, serve))
			refused("socktls.ListenAndServe", socktls.ListenAndServe(t.Context(), &cfg, "unix", name, tlsConfig,
				func(*socktls.Conn) { t.Error("there was somebody to serve") }))
		})
	})
}
