//go:build linux

package sockclient_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/sock"
	"ringo/sock/sockclient"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// onTwo runs body on the first of two loops, for each driver.
func onTwo(t *testing.T, body func(l *ringo.Loop)) {
	t.Helper()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		end := ringo.NewChan[bool](0)
		cfg.Loops = 2
		err := socktest.RunLoops(t, context.Background(), &cfg, func(l *ringo.Loop) error {
			if l.Index() == 0 {
				defer end.Close()
				body(l)
				return nil
			}
			if _, err := end.Recv(); err != ringo.ErrClosed {
				return err
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// onOne runs body on a loop, for each driver.
func onOne(t *testing.T, body func(l *ringo.Loop)) {
	t.Helper()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) { socktest.OnLoop(t, cfg, body) })
}

// served runs a server of lines: it calls answer with all that are there. Its end is stop.
func served(t *testing.T, l *ringo.Loop, answer func(c *sock.Conn, lines []string)) (addr string, stop func()) {
	t.Helper()
	ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all ringo.WaitGroup
	open := map[*sock.Conn]bool{}
	all.Go(func() {
		for {
			c, err := ln.AcceptConn()
			if err != nil {
				return
			}
			open[c] = true
			all.Go(func() {
				defer delete(open, c)
				defer c.Close()
				r := bufio.NewReader(c)
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					lines := []string{strings.TrimSuffix(line, "\n")}
					for r.Buffered() > 0 {
						more, _ := r.Peek(r.Buffered())
						if !strings.Contains(string(more), "\n") {
							break
						}
						line, _ := r.ReadString('\n')
						lines = append(lines, strings.TrimSuffix(line, "\n"))
					}
					answer(c, lines)
				}
			})
		}
	})
	return ln.Addr().String(), func() {
		ln.Close()
		for c := range open {
			c.Close()
		}
		all.Wait()
	}
}

// echo answers each line with itself.
func echo(c *sock.Conn, lines []string) {
	c.Write([]byte(strings.Join(lines, "\n") + "\n"))
}

// dialed is a connection.
func dialed(t *testing.T, l *ringo.Loop, addr string) *sock.Conn {
	t.Helper()
	c, err := sock.Dial(l, "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// lines is a protocol of lines in order.
func lines() sockclient.Protocol[string] {
	return sockclient.Protocol[string]{Read: func(r *bufio.Reader) (string, error) {
		line, err := r.ReadString('\n')
		return strings.TrimSuffix(line, "\n"), err
	}}
}

// wantLost wants the error of a connection that has ended.
func wantLost(t *testing.T, err error, sent bool, why error) {
	t.Helper()
	var lost *sockclient.LostError
	if !errors.As(err, &lost) || lost.Sent != sent || !errors.Is(err, why) {
		t.Errorf("Call() = %v, want one that was sent (%v), and lost by %v", err, sent, why)
	}
}

// elsewhere runs f on a goroutine, and waits for it.
func elsewhere(f func()) {
	done := ringo.NewChan[bool](0)
	go func() {
		defer done.Close()
		f()
	}()
	done.Recv()
}

// until waits until something holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	l, _ := ringo.Current()
	patience.UntilBy(t, what, func() { socktest.Pause(l) }, holds)
}

func dialTo(addr string) func(context.Context, *ringo.Loop) (net.Conn, error) {
	return func(ctx context.Context, l *ringo.Loop) (net.Conn, error) {
		c, err := new(sock.Dialer).DialContext(ctx, l, "tcp", addr)
		if err != nil {
			return nil, err
		}
		return c, nil
	}
}
