package sock_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

func TestDial(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		std, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer std.Close()
		go func() {
			for {
				c, err := std.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					io.Copy(c, c)
				}()
			}
		}()
		addr := std.Addr().String()
		_, port, _ := net.SplitHostPort(addr)
		onLoop(t, cfg, func(l *ringo.Loop) {
			for _, c := range []struct{ network, address string }{
				{"tcp", addr}, {"tcp4", addr}, {"tcp", ":" + port}, {"tcp4", "localhost:" + port},
				{"tcp", "localhost:" + port},
				{"tcp", "[::ffff:127.0.0.1]:" + port},
			} {
				for _, timeout := range []time.Duration{0, patience, 1<<63 - 1} {
					d := sock.Dialer{Timeout: timeout}
					conn, err := d.Dial(l, c.network, c.address)
					if err != nil {
						t.Errorf("Dial(%s, %s) within %v: %v", c.network, c.address, timeout, err)
						continue
					}
					if got := conn.RemoteAddr().String(); got != addr {
						t.Errorf("RemoteAddr() = %s, want %s", got, addr)
					}
					if conn.LocalAddr().(*net.TCPAddr).Port == 0 {
						t.Errorf("LocalAddr() = %s", conn.LocalAddr())
					}
					if _, err := conn.Write([]byte("hello")); err != nil {
						t.Error(err)
					}
					wantAll(t, conn, "hello")
					conn.Close()
				}
			}
		})
	})
}

// Two dials of one task, several at once, and what each costs is gone afterwards.
func TestDialMany(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Entries = 2
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			serving := l.Go(func() {
				for {
					c, err := ln.AcceptConn()
					if err != nil {
						return
					}
					l.Go(func() { defer c.Close(); io.Copy(c, c) })
				}
			})
			g := ringo.NewGroup(l)
			for i := range 200 {
				g.Go(func() error {
					c, err := sock.Dial(l, "tcp", ln.Addr().String())
					if err != nil {
						return err
					}
					defer c.Close()
					msg := make([]byte, 1+i*13)
					pattern(msg, i)
					if _, err := c.Write(msg); err != nil {
						return err
					}
					got := make([]byte, len(msg))
					if _, err := io.ReadFull(c, got); err != nil {
						return err
					}
					if bad := mismatch(got, i); bad >= 0 {
						t.Errorf("connection %d: wrong byte", i)
					}
					return nil
				})
			}
			if err := g.Wait(); err != nil {
				t.Error(err)
			}
			ln.Close()
			serving.Wait()
		})
	})
}

// Names that there are not.
func TestDialUnknownName(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			d := sock.Dialer{Timeout: 5 * time.Second}
			_, err := d.Dial(l, "tcp", "name-that-does-not-exist.invalid:80")
			var op *net.OpError
			if !errors.As(err, &op) || op.Op != "dial" {
				t.Errorf("Dial: %v, want an error of dial", err)
			}
			var dns *net.DNSError
			if !errors.As(err, &dns) && !os.IsTimeout(err) {
				t.Errorf("Dial: %v, want a *net.DNSError", err)
			}
		})
	})
}

// A dialing function in the shape of package net fails without a connection that is not
// nil.
func TestDialFunc(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			ln := listen(t, l)
			dial := new(sock.Dialer).Func(l)
			c, err := dial(context.Background(), "tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if c, err := dial(ctx, "tcp", ln.Addr().String()); c != nil || !errors.Is(err, context.Canceled) {
				t.Errorf("with a context that has ended: %v, %v", c, err)
			}
			ln.Close()
		})
	})
}
