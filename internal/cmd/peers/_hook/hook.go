// Package peers makes package net use Ringo's sockets. It compiles only in a copy of GOROOT whose package net asks some
// variables first; command peers makes that.
//
// A test binary that imports it is its own control: without RINGO_PEERS in the environment it leaves net alone. With
// "goroutines" tests use handles on their goroutines, with "tasks" streams are used in tasks. Package
// ringo/peers/server knows "server" and "others", and a copy of hertz "transport" and "tasktransport".
package peers

import (
	"context"
	"net"
	"os"
	"strings"
	"sync/atomic"

	"ringo"
	"ringo/sock"
)

// loops is how many loops a process has: more than one, so that the ends of a connection are on different loops.
const loops = 2

var (
	all  [loops]*ringo.Loop
	next atomic.Uint32
	made *os.File // gets a byte for each handle: its size shows that Ringo was used
)

func init() {
	if os.Getenv("RINGO_PEERS") == "" {
		return
	}
	if name := os.Getenv("RINGO_PEERS_MADE"); name != "" {
		var err error
		if made, err = os.OpenFile(name, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o666); err != nil {
			panic(err)
		}
	}
	switch os.Getenv("RINGO_PEERS") {
	case "others", "transport", "tasktransport": // the sockets are package net's
		return
	}
	start()
	net.RingoDial, net.RingoListen, net.RingoListenPacket, net.RingoMulticast = dial, listen, listenPacket, multicast
	net.RingoAccept = accept
}

// The handles that tests get in place of net's types.
var (
	_ net.RingoTCPConn      = (*sock.Conn)(nil)
	_ net.RingoUnixConn     = (*sock.Conn)(nil)
	_ net.RingoUnixgramConn = (*sock.UnixPacketConn)(nil)
	_ net.RingoUDPConn      = (*sock.PacketConn)(nil)
	_ net.RingoUnixListener = (*sock.Listener)(nil)
)

// start starts loops, which run for as long as the process.
func start() {
	started := make(chan *ringo.Loop)
	go func() {
		err := ringo.Run(context.Background(), &ringo.Config{Loops: loops}, func(l *ringo.Loop) error {
			started <- l
			return l.Offload(func(context.Context) error { select {} })
		})
		panic(err)
	}()
	for range all {
		l := <-started
		all[l.Index()] = l
	}
}

// Loop returns a loop for a new handle.
func Loop() *ringo.Loop {
	Count()
	return all[next.Add(1)%loops]
}

// listeners returns the loop of all that is bound. On several loops of a Run, sockets could share a port, which tests
// take for a mistake.
func listeners() *ringo.Loop {
	Count()
	return all[0]
}

// Count notes that Ringo was asked for a handle.
func Count() {
	if made != nil {
		made.Write([]byte{'.'})
	}
}

func dial(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error, bool) {
	if strings.HasPrefix(network, "ip") {
		return nil, nil, false // Ringo has no raw sockets
	}
	r := &sock.Dialer{Timeout: d.Timeout, Deadline: d.Deadline, LocalAddr: d.LocalAddr, FallbackDelay: d.FallbackDelay,
		Resolver: d.Resolver, Control: d.Control, ControlContext: d.ControlContext, KeepAlive: d.KeepAlive,
		KeepAliveConfig: d.KeepAliveConfig, MultipathTCP: d.MultipathTCP()}
	if d.Cancel != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		go func() {
			select {
			case <-d.Cancel:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	if err := ctx.Err(); err != nil && network == "unixgram" { // Ringo takes no context for it, since nothing waits
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}, true
	}
	switch {
	case strings.HasPrefix(network, "udp"):
		return some(r.DialPacketContext(ctx, Loop(), network, address))
	case network == "unixgram":
		return some(r.DialUnixgram(Loop(), address))
	}
	c, err := r.DialContext(ctx, Loop(), network, address)
	if err != nil {
		return nil, err, true
	}
	return stream(c), nil, true
}

// some returns a nil interface in place of a nil pointer.
func some[C interface {
	comparable
	net.Conn
}](c C, err error) (net.Conn, error, bool) {
	if err != nil {
		return nil, err, true
	}
	return c, nil, true
}

// listening returns the sock.ListenConfig for a net.ListenConfig.
func listening(lc *net.ListenConfig) *sock.ListenConfig {
	return &sock.ListenConfig{Control: lc.Control, KeepAlive: lc.KeepAlive, KeepAliveConfig: lc.KeepAliveConfig,
		MultipathTCP: lc.MultipathTCP() && os.Getenv("GODEBUG") != ""} // set by GODEBUG, and not by default
}

func listen(ctx context.Context, lc *net.ListenConfig, network, address string) (net.Listener, error, bool) {
	l := listeners()
	var ln *sock.Listener
	var err error
	r := listening(lc)
	if e := l.Go(func() { ln, err = r.Listen(l, network, address) }).Wait(); e != nil {
		err = e
	}
	if err != nil {
		return nil, err, true
	}
	if tasks {
		return &taskListener{ln, l}, nil, true
	}
	return ln, nil, true
}

// accept calls AcceptTCP or AcceptUnix, by the network.
func accept(ln net.Listener) (net.Conn, error) {
	l := ln.(interface {
		AcceptTCP() (*sock.Conn, error)
		AcceptUnix() (*sock.Conn, error)
	})
	call := l.AcceptTCP
	if ln.Addr().Network() != "tcp" {
		call = l.AcceptUnix
	}
	c, err := call()
	if err != nil {
		return nil, err
	}
	return stream(c), nil
}

func listenPacket(ctx context.Context, lc *net.ListenConfig, network, address string) (net.PacketConn, error, bool) {
	if strings.HasPrefix(network, "ip") {
		return nil, nil, false
	}
	r := listening(lc)
	if network == "unixgram" {
		c, err := r.ListenUnixgram(Loop(), address)
		if err != nil {
			return nil, err, true
		}
		return c, nil, true
	}
	c, err := r.ListenPacket(listeners(), network, address)
	if err != nil {
		return nil, err, true
	}
	return c, nil, true
}

// multicast does what net.ListenMulticastUDP does.
func multicast(network string, ifi *net.Interface, group *net.UDPAddr) (net.RingoUDPConn, error) {
	c, err := sock.ListenPacket(Loop(), network, group.String())
	if err != nil {
		return nil, err
	}
	if ifi != nil {
		err = c.SetMulticastInterface(ifi)
	}
	if err == nil {
		err = c.SetMulticastLoopback(false)
	}
	if err == nil {
		err = c.JoinGroup(ifi, group.AddrPort().Addr().Unmap())
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}
