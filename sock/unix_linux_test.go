//go:build linux

package sock_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"ringo"
	"ringo/sock"
)

// A byEach is where a caller runs.
type byEach struct {
	name string
	run  func(l *ringo.Loop, fn func() error) (wait func() error)
}

// inTask and inGoroutine start fn and give a way to wait for its end, for a task.
var callers = []byEach{
	{"task", func(l *ringo.Loop, fn func() error) func() error {
		var err error
		t := l.Go(func() { err = fn() })
		return func() error { return errors.Join(t.Wait(), err) }
	}},
	{"goroutine", func(l *ringo.Loop, fn func() error) func() error {
		done := make(chan error, 1)
		go func() { done <- fn() }()
		return func() error { return l.Offload(func(context.Context) error { return <-done }) }
	}},
}

// eachCallers runs f with every choice of who reads and who writes.
func eachCallers(t *testing.T, f func(t *testing.T, reader, writer byEach)) {
	for _, reader := range callers {
		for _, writer := range callers {
			t.Run(reader.name+" from "+writer.name, func(t *testing.T) { f(t, reader, writer) })
		}
	}
}

func TestUnixEcho(t *testing.T) {
	eachUnix(t, func(t *testing.T, cfg ringo.Config, network string) {
		eachCallers(t, func(t *testing.T, reader, writer byEach) {
			ringoPair(t, cfg, network, func(l *ringo.Loop, c, d *sock.Conn) {
				const rounds, size = 200, 3000
				echo := reader.run(l, func() error {
					p := make([]byte, size)
					for range rounds {
						if _, err := io.ReadFull(c, p); err != nil {
							return err
						}
						if _, err := c.Write(p); err != nil {
							return err
						}
					}
					_, err := c.Read(p)
					if err != io.EOF {
						return fmt.Errorf("after the last: %v, want EOF", err)
					}
					return c.CloseWrite()
				})
				ask := writer.run(l, func() error {
					got := make([]byte, size)
					for i := range rounds {
						p := bytes.Repeat([]byte{byte(i)}, size)
						if _, err := d.Write(p); err != nil {
							return err
						}
						if _, err := io.ReadFull(d, got); err != nil {
							return err
						}
						if !bytes.Equal(p, got) {
							return fmt.Errorf("round %d: got other bytes", i)
						}
					}
					if err := d.CloseWrite(); err != nil {
						return err
					}
					if n, err := d.Read(got); n != 0 || err != io.EOF {
						return fmt.Errorf("after CloseWrite: %d, %v", n, err)
					}
					return nil
				})
				if err := errors.Join(ask(), echo()); err != nil {
					t.Error(err)
				}
			})
		})
	})
}

// Bytes go through a stream as they are, also more than the socket holds.
func TestUnixBulk(t *testing.T) {
	p := make([]byte, 5<<20)
	pattern(p, 0)
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		eachCallers(t, func(t *testing.T, reader, writer byEach) {
			ringoPair(t, cfg, "unix", func(l *ringo.Loop, c, d *sock.Conn) {
				write := writer.run(l, func() error {
					_, err := d.Write(p)
					return errors.Join(err, d.Close())
				})
				var got bytes.Buffer
				read := reader.run(l, func() error {
					_, err := got.ReadFrom(struct{ io.Reader }{c})
					return err
				})
				if err := errors.Join(read(), write()); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got.Bytes(), p) {
					t.Errorf("%d bytes came, not as they went", got.Len())
				}
			})
		})
	})
}

func TestUnixAddresses(t *testing.T) {
	eachUnix(t, func(t *testing.T, cfg ringo.Config, network string) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			path, own := socketPath(t), socketPath(t)
			for _, c := range []struct {
				name  string
				local *net.UnixAddr
			}{
				{path, nil},
				{abstractName(), nil},
				{path, &net.UnixAddr{Name: own, Net: network}},
				{"", &net.UnixAddr{Net: network}},
			} {
				ln := listenUnix(t, l, network, c.name)
				addr := ln.Addr().(*net.UnixAddr)
				if addr.Net != network || c.name != "" && addr.Name != c.name || c.name == "" && len(addr.Name) < 2 {
					t.Errorf("listening on %q: %q of %s", c.name, addr.Name, addr.Net)
				}
				dialer := sock.Dialer{}
				want := "@"
				if c.local != nil {
					dialer.LocalAddr = c.local
					want = cmp.Or(c.local.Name, want)
				}
				d, err := dialer.Dial(l, network, addr.Name)
				if err != nil {
					t.Fatal(err)
				}
				a, err := ln.AcceptConn()
				if err != nil {
					t.Fatal(err)
				}
				for what, got := range map[string][2]net.Addr{
					"the dialled end": {d.LocalAddr(), &net.UnixAddr{Name: want, Net: network}},
					"its peer":        {d.RemoteAddr(), addr}, "the accepted end": {a.LocalAddr(), addr},
					"the dialler": {a.RemoteAddr(), &net.UnixAddr{Name: want, Net: network}},
				} {
					if got[0].(*net.UnixAddr) == nil || *got[0].(*net.UnixAddr) != *got[1].(*net.UnixAddr) {
						t.Errorf("%s: %v, want %v", what, got[0], got[1])
					}
				}
				a.Close()
				d.Close()
				ln.Close()
			}
		})
	})
}

func TestUnixServe(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		path := socketPath(t)
		set, err := sock.Reserve("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cfg.Loops = 2
		h := &sock.Handler{Request: func(c *sock.Conn) error {
			p, _ := c.Peek(c.Buffered())
			if _, err := c.Write(p); err != nil {
				return err
			}
			_, err := c.Discard(len(p))
			return err
		}}
		ended := make(chan error, 1)
		go func() {
			ended <- ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
				ln, err := set.Listen(l)
				if err != nil {
					return err
				}
				return sock.Serve(l, ln, h)
			})
		}()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				c := dialUnix(t, "unix", path)
				defer c.Close()
				p, got := make([]byte, 20000), make([]byte, 20000)
				pattern(p, 0)
				for range 20 {
					if _, err := c.Write(p); err != nil {
						t.Error(err)
						return
					}
					if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(p, got) {
						t.Errorf("echo: %v", err)
						return
					}
				}
			})
		}
		within(patience, "clients", all.Wait)
		cancel()
		within(patience, "the server's end", func() {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		set.Close()
	})
}
