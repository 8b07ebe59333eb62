//go:build linux

package main

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
)

// TestProxyIdleTime: a connection on which nothing moves is reset to either side, counted and logged, and so is one
// whose server says nothing at all, or too late. What happens in time, package proxy tests in worlds.
func TestProxyIdleTime(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		for silent := range 2 {
			idles(t, driver, silent)
		}
	})
}

// idles plays TestProxyIdleTime with a server that says nothing on the first connections.
func idles(t *testing.T, driver string, silent int) {
	t.Helper()
	var served atomic.Int64
	name, ended := filepath.Join(t.TempDir(), "log"), make(chan error, 100)
	p, addr := startProxy(t, func(c *net.TCPConn) {
		var err error
		if served.Add(1) > int64(silent) {
			_, err = c.Write([]byte("hello")) // which meets the reset, and no read then, if it is late
		}
		if err == nil {
			_, err = io.Copy(io.Discard, c)
		}
		ended <- err
	}, "-driver", driver, "-idle", "200ms", "-log", name, "-metrics", "0", "-stats", "20ms")
	c, before := dialInTime(t, addr)
	for {
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
	if before < silent {
		t.Errorf("%d connections were reset, want %d at least", before, silent)
	}
	if _, err := io.Copy(io.Discard, c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client's end is %v, want a reset", err)
	}
	for range before + 1 {
		if err := patience.Recv(t, "the server's end", ended); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the server's end is %v, want a reset", err)
		}
	}
	line := p.line("connection of " + c.LocalAddr().String())
	if !strings.HasSuffix(line, "nothing has moved for 200ms") {
		t.Errorf("the line is %q", line)
	}
	all := int(p.scrape()["ringo_proxy_idled_total"])
	if all < before+1 { // or more: package net dials again without a word if it finds a new connection reset
		t.Errorf("%d connections were idle, want %d", all, before+1)
	}
	socktest.Eventually(t, "stats of all", func() bool { return p.sum("idled") >= all })
	p.finish()
	if n := p.sum("idled"); n != all {
		t.Errorf("stats tell of %d, and metrics of %d", n, all)
	}
	if all == 1 {
		wantLogged(t, name, map[string]any{"end": "idle", "bytes_in": 0, "bytes_out": 5})
	}
}

// sum is that of a number over the lines of stats so far, each of which has what is new.
func (p *process) sum(name string) (sum int) {
	p.t.Helper()
	for line := range strings.Lines(p.log.text()) {
		_, number, ok := strings.Cut(line, " "+name+"=")
		if !ok || !strings.HasPrefix(line, "stats ") {
			continue
		}
		n, err := strconv.Atoi(strings.Fields(number)[0])
		if err != nil {
			p.t.Errorf("%q: %v", line, err)
		}
		sum += n
	}
	return sum
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
