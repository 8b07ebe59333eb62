//go:build linux

package sock_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// unixNetworks are the networks of connections between Unix sockets.
var unixNetworks = []string{"unix", "unixpacket"}

// eachUnix runs f for each driver and Unix network.
func eachUnix(t *testing.T, f func(t *testing.T, cfg ringo.Config, network string)) {
	t.Helper()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, network := range unixNetworks {
			t.Run(network, func(t *testing.T) { f(t, cfg, network) })
		}
	})
}

// socketPath is a name in a folder of its own, short enough for a socket.
func socketPath(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

var abstractNames atomic.Int64

// abstractName is a name that nobody else uses.
func abstractName() string { return fmt.Sprintf("@sock-%d-%d", os.Getpid(), abstractNames.Add(1)) }

// listenUnix listens on a path.
func listenUnix(t testing.TB, l *ringo.Loop, network, name string) *sock.Listener {
	t.Helper()
	ln, err := sock.Listen(l, network, name)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// dialUnix connects as package net does, with a deadline for all that follows.
func dialUnix(t testing.TB, network, name string) *net.UnixConn {
	t.Helper()
	c, err := net.DialTimeout(network, name, patience)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patience))
	return c.(*net.UnixConn)
}

// unixPair runs body as a task that has one accepted connection and its peer, a
// connection of package net. Both are closed behind it.
func unixPair(t *testing.T, cfg ringo.Config, network string,
	body func(l *ringo.Loop, c *sock.Conn, peer *net.UnixConn)) {
	t.Helper()
	onLoop(t, cfg, func(l *ringo.Loop) {
		ln := listenUnix(t, l, network, abstractName())
		peer := dialUnix(t, network, ln.Addr().String())
		defer peer.Close()
		c, err := ln.AcceptConn()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ln.Close()
		body(l, c, peer)
	})
}

// ringoPair runs body as a task that has both ends of a connection, the accepted and
// the dialled one.
func ringoPair(t *testing.T, cfg ringo.Config, network string, body func(l *ringo.Loop, c, d *sock.Conn)) {
	t.Helper()
	onLoop(t, cfg, func(l *ringo.Loop) {
		ln := listenUnix(t, l, network, abstractName())
		d, err := sock.Dial(l, network, ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		c, err := ln.AcceptConn()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ln.Close()
		body(l, c, d)
	})
}
