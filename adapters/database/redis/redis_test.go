package ringoredis_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"ringo"
	ringoredis "ringo/adapters/database/redis"
	"ringo/sim"
	"ringo/sock"
	"ringo/sock/sockclient"
)

// ping has a session with what the options say.
func ping(l *ringo.Loop, options redis.Options) error {
	options.ReadTimeout, options.WriteTimeout = -2, -2 // which are of the clock
	p := &sockclient.Pool{Dial: ringoredis.Dial(&options), Max: 1}
	defer p.Shutdown(context.Background())
	return ringoredis.Do(context.Background(), p, func(ctx context.Context, c *redis.Client) error {
		return c.Ping(ctx).Err()
	})
}

// answer answers a client, which it has speak RESP2.
func answer(c *sock.Conn) {
	defer c.Close()
	for r := bufio.NewReader(c); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		var n int
		fmt.Sscanf(line, "*%d", &n)
		said := "+PONG\r\n"
		for range 2 * n {
			if line, _ = r.ReadString('\n'); strings.EqualFold(line, "hello\r\n") {
				said = "-ERR unknown command\r\n"
			}
		}
		io.WriteString(c, said)
	}
}

// Where a server is that has no address, and what a path is, are as with go-redis' own client.
func TestDialDefaults(t *testing.T) {
	for _, c := range []struct{ network, at, addr string }{
		{"tcp", ":6379", ""}, {"unix", "/redis.sock", "/redis.sock"}, {"tcp", ":7000", "localhost:7000"},
	} {
		t.Run(c.addr, func(t *testing.T) {
			sim.Run(t, 1, func(w *sim.World) {
				w.Check(w.Wait(w.Host("here").Run(nil, func(l *ringo.Loop) error {
					ln, err := sock.Listen(l, c.network, c.at)
					if err != nil {
						return err
					}
					defer ln.Close()
					l.Go(func() {
						if c, err := ln.AcceptConn(); err == nil {
							answer(c)
						}
					})
					return ping(l, redis.Options{Addr: c.addr})
				})))
			})
		})
	}
}

// A server that does not answer has DialTimeout, five seconds by default.
func TestDialTimeout(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Second} {
		t.Run(timeout.String(), func(t *testing.T) {
			sim.Run(t, 1, func(w *sim.World) {
				here, away := w.Host("here"), w.Host("away")
				w.Cut(here, away)
				w.Check(w.Wait(here.Run(nil, func(l *ringo.Loop) error {
					begun := l.Now()
					err := ping(l, redis.Options{Addr: "away:6379", DialTimeout: timeout})
					want := timeout
					if want == 0 {
						want = 5 * time.Second
					}
					if took := l.Now().Sub(begun); err == nil || took.Round(time.Second) != want {
						w.Errorf("it gives up after %v, want %v: %v", took, want, err)
					}
					return nil
				})))
			})
		})
	}
}
