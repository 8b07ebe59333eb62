//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ringo/internal/test/patience"
)

// TestProxyIdleTime: a connection on which nothing moves is reset to either side, counted and logged. What happens in
// time, package proxy tests in worlds.
func TestProxyIdleTime(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		name, ended := filepath.Join(t.TempDir(), "log"), make(chan error, 100)
		p, addr := startProxy(t, func(c *net.TCPConn) {
			c.Write([]byte("hello"))
			_, err := io.Copy(io.Discard, c)
			ended <- err
		}, "-driver", driver, "-idle", "200ms", "-log", name, "-metrics", "0", "-stats", "20ms")
		c, before := dialInTime(t, addr)
		for { // until the server itself has not been late
			_, err := io.ReadFull(c, make([]byte, 5))
			if err == nil {
				break
			} else if !errors.Is(err, syscall.ECONNRESET) {
				t.Fatal(err)
			}
			var resets int
			c, resets = dialInTime(t, addr)
			before += 1 + resets
		}
		if _, err := io.Copy(io.Discard, c); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the client's end is %v, want a reset", err)
		}
		if err := patience.Recv(t, "the server's end", ended); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the server's end is %v, want a reset", err)
		}
		line := p.line("connection of " + c.LocalAddr().String())
		if !strings.HasSuffix(line, "nothing has moved for 200ms") {
			t.Errorf("the line is %q", line)
		}
		p.word(fmt.Sprintf("idled=%d", before+1))
		if n := p.scrape()["ringo_proxy_idled_total"]; n != float64(before+1) {
			t.Errorf("%v connections were idle, want %d", n, before+1)
		}
		p.finish()
		if before != 0 {
			return
		}
		wantLogged(t, name, map[string]any{"end": "idle", "bytes_in": 0, "bytes_out": 5})
	})
}

// TestProxyIdleHalf: also one of which a peer has ended its side, while what the other sends is not read any more.
func TestProxyIdleHalf(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		ended := make(chan error, 100)
		p, addr := startProxy(t, func(c *net.TCPConn) {
			_, err := io.Copy(io.Discard, c)
			for block := make([]byte, 1<<16); err == nil; {
				_, err = c.Write(block)
			}
			ended <- err
		}, "-driver", driver, "-idle", "200ms")
		c, _ := dialInTime(t, addr)
		c.CloseWrite()
		err := patience.Recv(t, "the server's end", ended)
		if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
			t.Errorf("the server's end is %v, want a reset", err)
		}
		p.line("connection of ")
		p.finish()
	})
}
