//go:build linux

package sock_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ringo"
	"ringo/internal/race"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/sock"
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
	path := filepath.Join(t.TempDir(), "s")
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

// matrixPart is of how many cells one is played.
func matrixPart() int {
	if testmain.Long() {
		return 1
	}
	return 4
}

// The same in simulated worlds, where tasks of Ringo's are on both sides.
func TestMatrixInWorlds(t *testing.T) {
	worlds := 1
	if testmain.Long() {
		worlds = 20
	}
	socktest.RunWorlds(t, worlds, matrixPart())
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
