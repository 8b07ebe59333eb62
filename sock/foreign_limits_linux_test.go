//go:build linux

package sock_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// Deadlines of goroutines by any clock, near and far: before a call that need not wait, and before one that must.
func TestForeignDeadlinesByAnyClock(t *testing.T) {
	now := time.Now()
	limits := map[string]struct {
		at     time.Time
		passed bool
	}{
		"none":                        {time.Time{}, false},
		"a minute on":                 {now.Add(time.Minute), false},
		"a minute on, time of day":    {now.Add(time.Minute).Round(0), false},
		"a minute on, in UTC":         {now.Add(time.Minute).Round(0).UTC(), false},
		"as far as a Duration":        {now.Add(1<<63 - 1), false},
		"the year 9999":               {time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), false},
		"a minute ago":                {now.Add(-time.Minute), true},
		"a minute ago, time of day":   {now.Add(-time.Minute).Round(0), true},
		"before the process":          {now.Add(-1000 * time.Hour), true},
		"1970":                        {time.Unix(0, 0), true},
		"1970 and a nanosecond":       {time.Unix(0, 1), true},
		"the year 2":                  {time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC), true},
		"as far back as a Duration":   {now.Add(-1 << 63), true},
		"a nanosecond ago, this time": {now.Add(-1), true},
	}
	kinds := map[string]func(l *ringo.Loop, c *sock.Conn){
		"detached": func(*ringo.Loop, *sock.Conn) {},
		"attended": func(l *ringo.Loop, c *sock.Conn) {
			l.Go(func() { c.SetNoDelay(true) }).Wait()
		},
		"read by a task before": func(l *ringo.Loop, c *sock.Conn) {
			l.Go(func() { c.Read(make([]byte, 1)) }).Wait()
		},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for kind, before := range kinds {
			detachedConns(t, cfg, func(l *ringo.Loop, next func() (*sock.Conn, *net.TCPConn)) {
				c, peer := next()
				defer peer.Close()
				defer c.Close()
				want := func(name, call string, err error, passed bool) {
					t.Helper()
					if errors.Is(err, os.ErrDeadlineExceeded) != passed || err != nil && !passed {
						t.Errorf("%s, %s: %s: %v; passed: %v", kind, name, call, err, passed)
					}
				}
				p := make([]byte, 1)
				peer.Write(bytes.Repeat([]byte("x"), 1+2*len(limits)))
				before(l, c)
				for name, limit := range limits {
					if err := c.SetDeadline(limit.at); err != nil {
						t.Error(err)
					}
					n, err := c.Write(p)
					want(name, "write", err, limit.passed)
					if limit.passed && n != 0 {
						t.Errorf("%s, %s: %d bytes went out behind the deadline", kind, name, n)
					}
					if limit.passed { // and there is something to read
						_, err = c.Read(p)
						want(name, "read", err, true)
					} else {
						_, err = c.Read(p)
						want(name, "read", err, false)
						l.Go(func() { _, err = c.Read(p) }).Wait() // a task sees the same
						want(name, "a task's read", err, false)
					}
				}
				c.SetDeadline(time.Time{})
				for range 2 { // with a descriptor that waits, too
					c.SetReadDeadline(time.Now().Add(5 * time.Millisecond).Round(0))
					for err := error(nil); err == nil; {
						if _, err = c.Read(make([]byte, 100)); err != nil {
							want("5 ms on", "read", err, true)
						}
					}
				}
			})
		}
	})
}
