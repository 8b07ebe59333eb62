//go:build linux

package sock_test

import (
	"net"
	"runtime"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// A goroutine's calls allocate nothing, waiting or not.
func TestForeignAllocations(t *testing.T) {
	skipAllocs(t)
	const rounds = 200
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		detachedConns(t, cfg, func(l *ringo.Loop, next func() (*sock.Conn, *net.TCPConn)) {
			c, peer := next()
			defer peer.Close()
			defer c.Close()
			p, q := make([]byte, 64), make([]byte, 64)
			soon := time.Now().Add(patience)
			fail := func(err error) {
				if err != nil {
					t.Fatal(err)
				}
			}
			wantAllocs(t, "Write, and Read of what is there", 0, rounds, func() {
				_, err := c.Write(p)
				fail(err)
				_, err = peer.Read(q)
				fail(err)
				_, err = peer.Write(p)
				fail(err)
				_, err = c.Read(p)
				fail(err)
			})
			wantAllocs(t, "deadlines", 0, rounds, func() {
				fail(c.SetReadDeadline(soon))
				fail(c.SetWriteDeadline(soon))
				fail(c.SetDeadline(soon))
			})
			go func() { // echoes
				p := make([]byte, 64)
				for {
					n, err := peer.Read(p)
					if err != nil {
						return
					}
					peer.Write(p[:n])
				}
			}()
			wantAllocs(t, "Read that waits", 0, rounds, func() {
				_, err := c.Write(p)
				fail(err)
				_, err = c.Read(p)
				fail(err)
			})
		})
	})
}

// An Accept that finds a connection which the loop has made, and Close, allocate nothing.
func TestForeignAllocationsOfConnections(t *testing.T) {
	skipAllocs(t)
	const conns = 50
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		besideLoop(t, cfg, func(t *testing.T, l *ringo.Loop, ln *sock.Listener) {
			loopAccepts(t, l, ln)
			perConn := 1e9
			for tries := 0; tries < 10 && perConn > 0.1; tries++ {
				first := make(chan error, 1)
				go func() { // opens the accept queue
					c, err := ln.AcceptConn()
					if err == nil {
						err = c.Close()
					}
					first <- err
				}()
				var peers []*net.TCPConn
				for range conns {
					peers = append(peers, dial(t, ln.Addr().String()))
				}
				if err := <-first; err != nil {
					t.Fatal(err)
				}
				pause := time.NewTimer(20 * time.Millisecond) // the loop makes what it accepts
				<-pause.C
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				for range conns - 1 {
					c, err := ln.AcceptConn()
					if err == nil {
						err = c.Close()
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				runtime.ReadMemStats(&after)
				perConn = min(perConn, float64(after.Mallocs-before.Mallocs)/(conns-1))
				for _, peer := range peers {
					peer.Close()
				}
			}
			t.Logf("%.2f allocations an Accept and Close", perConn)
			if perConn > 0.1 {
				t.Errorf("%.2f allocations an Accept and Close, want 0", perConn)
			}
		})
	})
}
