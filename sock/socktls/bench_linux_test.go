//go:build linux

package socktls_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
	"ringo/sock/socktls"
)

// ends are both ends of a connection, in tasks of one loop: of crypto/tls, of which each is one task's, and of this
// package.
var ends = []struct {
	name   string
	client func(c net.Conn, config *tls.Config) halfCloser
	server func(c net.Conn, config *tls.Config) halfCloser
}{
	{"crypto", func(c net.Conn, config *tls.Config) halfCloser { return tls.Client(c, config) },
		func(c net.Conn, config *tls.Config) halfCloser { return tls.Server(c, config) }},
	{"socktls", func(c net.Conn, config *tls.Config) halfCloser { return socktls.Client(c, config) },
		func(c net.Conn, config *tls.Config) halfCloser { return socktls.Server(c, config) }},
}

// tasks runs a client as the benchmark and a server, of each kind, for each connection that dial makes.
func tasks(b *testing.B, serve func(c halfCloser), client func(b *testing.B, dial func() halfCloser)) {
	for _, end := range ends {
		b.Run("conn="+end.name, func(b *testing.B) {
			b.ReportAllocs()
			err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
				ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				defer ln.Close()
				config := serverConfig()
				l.Go(func() {
					for {
						c, err := ln.Accept()
						if err != nil {
							return
						}
						l.Go(func() {
							secured := end.server(c, config)
							serve(secured)
							secured.Close()
						})
					}
				})
				own := clientConfig()
				client(b, func() halfCloser {
					c, err := sock.Dial(l, "tcp", ln.Addr().String())
					if err != nil {
						b.Error(err)
					}
					return end.client(c, own)
				})
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}

// measure calls f as often as is to be measured. The program's time on processors is told as well, which others on the
// machine disturb less.
func measure(b *testing.B, f func()) {
	before := onProcessors(b)
	b.ResetTimer()
	for range b.N {
		f()
	}
	b.StopTimer()
	b.ReportMetric(float64(onProcessors(b)-before)/float64(b.N), "cpu-ns/op")
}

func onProcessors(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func echo(c halfCloser) {
	p := make([]byte, 1<<14)
	for {
		n, err := c.Read(p)
		if err != nil {
			return
		}
		if _, err := c.Write(p[:n]); err != nil {
			return
		}
	}
}

// BenchmarkEcho is 64 bytes there and back.
func BenchmarkEcho(b *testing.B) {
	tasks(b, echo, func(b *testing.B, dial func() halfCloser) {
		c := dial()
		defer c.Close()
		p := make([]byte, 64)
		trip := func() {
			if _, err := c.Write(p); err != nil {
				b.Error(err)
			}
			if _, err := io.ReadFull(c, p); err != nil {
				b.Error(err)
			}
		}
		for range 2000 { // past the records that are small because they are the first
			trip()
		}
		measure(b, trip)
	})
}

// BenchmarkBulk is pieces of 64 KiB, one way.
func BenchmarkBulk(b *testing.B) {
	tasks(b, func(c halfCloser) { io.Copy(io.Discard, c) }, func(b *testing.B, dial func() halfCloser) {
		c := dial()
		defer c.Close()
		p := make([]byte, 1<<16)
		b.SetBytes(int64(len(p)))
		for range 50 {
			c.Write(p)
		}
		measure(b, func() {
			if _, err := c.Write(p); err != nil {
				b.Error(err)
			}
		})
	})
}

// BenchmarkPieces is 16 KiB there and back.
func BenchmarkPieces(b *testing.B) {
	tasks(b, echo, func(b *testing.B, dial func() halfCloser) {
		c := dial()
		defer c.Close()
		p := make([]byte, 1<<14)
		b.SetBytes(2 * int64(len(p)))
		trip := func() {
			if _, err := c.Write(p); err != nil {
				b.Error(err)
			}
			if _, err := io.ReadFull(c, p); err != nil {
				b.Error(err)
			}
		}
		for range 200 {
			trip()
		}
		measure(b, trip)
	})
}

// BenchmarkHandshake is a connection, a whole handshake of TLS 1.3 (ECDSA P-256) and a message.
func BenchmarkHandshake(b *testing.B) {
	tasks(b, echo, func(b *testing.B, dial func() halfCloser) {
		p := make([]byte, 64)
		measure(b, func() {
			c := dial()
			if _, err := c.Write(p); err != nil {
				b.Error(err)
			}
			if _, err := io.ReadFull(c, p); err != nil {
				b.Error(err)
			}
			c.Close()
		})
	})
}

// BenchmarkBystander is 64 bytes there and back on a plain connection, beside connections that are made, secured, and
// used or abused by two peers, one after the other. Each has a task that reads and one that writes.
func BenchmarkBystander(b *testing.B) {
	for _, peers := range []string{"honest", "hostile"} {
		b.Run("peers="+peers, func(b *testing.B) {
			err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
				ln, err := socktls.Listen(l, "tcp", "127.0.0.1:0", serverConfig())
				if err != nil {
					return err
				}
				defer ln.Close()
				l.Go(func() {
					for {
						c, err := ln.AcceptConn()
						if err != nil {
							return
						}
						l.Go(func() { used(l, c) })
					}
				})
				by, leave := stand(b, l)
				defer leave()
				var stop atomic.Bool
				var all sync.WaitGroup
				for range 2 {
					all.Go(func() {
						for i := 0; !stop.Load(); i++ {
							a := attacks[i%len(attacks)]
							if err := once(ln.Addr().String(), peers == "hostile", a); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				took := make([]time.Duration, b.N)
				by.peer.SetDeadline(time.Time{})
				b.ResetTimer()
				err = l.Offload(func(context.Context) error {
					for i := range took {
						before := time.Now()
						if err := by.trip(); err != nil {
							return err
						}
						took[i] = time.Since(before)
					}
					return nil
				})
				b.StopTimer()
				stop.Store(true)
				l.Offload(func(context.Context) error { all.Wait(); return nil })
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
				b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}

// used reads what comes, and writes as much as the peer takes, for a moment.
func used(l *ringo.Loop, c *socktls.Conn) {
	defer c.Close()
	if c.Handshake() != nil {
		return
	}
	c.SetDeadline(time.Now().Add(20 * time.Millisecond))
	l.Go(func() {
		for p := make([]byte, 1<<14); ; {
			if _, err := c.Write(p); err != nil {
				return
			}
		}
	})
	readAll(c)
}

// once is a peer of used, that attacks it or just reads.
func once(address string, hostile bool, a attack) error {
	raw, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer raw.Close()
	f, err := forge(raw)
	if err != nil {
		return err
	}
	if hostile {
		a.do(f)
		raw.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		io.Copy(io.Discard, raw) // to the server's end
	} else {
		io.Copy(io.Discard, raw)
	}
	return nil
}
