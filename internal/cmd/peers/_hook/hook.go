// Package peers gives package net's sockets to Ringo. It compiles in a copy of GOROOT only, whose package net has
// variables that are asked first: command peers makes it.
//
// A test binary that imports it is its own control: without RINGO_PEERS in the environment it leaves net alone. With
// "goroutines" there handles are used as tests do, with "tasks" streams are used in tasks. Package ringo/peers/server
// knows "server" and "others", and a copy of hertz "transport" and "tasktransport".
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

// loops is how many loops a process has: enough that the ends of a connection are of two.
const loops = 2

var (
	all  [loops]*ringo.Loop
	next atomic.Uint32
	made *os.File // gets a byte for each handle, so that whoever counts knows that Ringo was asked
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

// What tests get in the place of net's types.
var (
	_ net.RingoTCPConn      = (*sock.Conn)(nil)
	_ net.RingoUnixConn     = (*sock.Conn)(nil)
	_ net.RingoUnixgramConn = (*sock.UnixPacketConn)(nil)
	_ net.RingoUDPConn      = (*sock.PacketConn)(nil)
	_ net.RingoUnixListener = (*sock.Listener)(nil)
)

// start has loops run for as long as the process.
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

// Loop is a loop for a new handle.
func Loop() *ringo.Loop {
	Count()
	return all[next.Add(1)%loops]
}

// listeners is the loop of all that is bound: the loops of a Run may share a port, which tests take for an error.
func listeners() *ringo.Loop {
	Count()
	return all[0]
}

// Count notes that Ringo was asked for something.
func Count() {
	if made != nil {
		made.Write([]byte{'.'})
	}
}

func dial(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error, bool) {
	if strings.HasPrefix(network, "ip") {
		return nil, nil, false // raw sockets are none of Ringo's
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
	if err := ctx.Err(); err != nil && network == "unixgram" { // for which Ringo takes no context: nothing waits
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

// some keeps a nil pointer from being a connection.
func some[C interface {
	comparable
	net.Conn
}](c C, err error) (net.Conn, error, bool) {
	if err != nil {
		return nil, err, true
	}
	return c, nil, true
}

// listening is what a net.ListenConfig says.
func listening(lc *net.ListenConfig) *sock.ListenConfig {
	return &sock.ListenConfig{Control: lc.Control, KeepAlive: lc.KeepAlive, KeepAliveConfig: lc.KeepAliveConfig,
		MultipathTCP: lc.MultipathTCP() && os.Getenv("GODEBUG") != ""} // which says more than the default
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

// accept calls the method that is named for the network.
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

// multicast is what net.ListenMulticastUDP does.
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
