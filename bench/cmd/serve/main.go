package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"ringo"
	"ringo/sock"
)

// The handlers, as -handler names them.
const (
	perConn      = "conn"
	perGoroutine = "goroutine"
)

// onNet is the -on that means package net and no driver.
const onNet = "net"

// options is the command line.
type options struct {
	program, on, handler string
	listen, to, dir      string
	size                 int
	file                 string
	reads                int
	loops                int
	tls                  bool
}

// program is a server. It has conn, listener, or both; or one of the others.
type program struct {
	// conn serves a connection to its end.
	conn func(net.Conn)
	// listener serves on goroutines, as the server's package does; without it each connection gets a goroutine for
	// conn.
	listener func(net.Listener) error
	// sharded serves a connection in a task of one of several loops; start makes the state that it needs on each loop.
	sharded func(*sock.Conn)
	start   func(*ringo.Loop) error
	// onLoop serves a listener on its loop.
	onLoop func(*sock.Listener) error
	// datagrams serves a UDP socket.
	datagrams func(udpConn) error
	// packets serves a UDP socket of Ringo in a task.
	packets func(*sock.PacketConn) error
	// whole runs a server that has its own listeners and loops.
	whole func(ctx context.Context, o *options, ready announced) error
	// beside starts other work at the same time, on the loop if there is one.
	beside func(ctx context.Context, l *ringo.Loop) error
}

// announced is called once peers may connect, with the address and what the program runs on.
type announced = func(addr net.Addr, on string)

var programs = map[string]func(o *options) (*program, error){
	"bulkrecv":     newBulkRecv,
	"bulksend":     newBulkSend,
	"echo":         newEcho,
	"fasthttp":     newFasthttp,
	"files":        newFiles,
	"hertz":        newHertz,
	"hertznetpoll": newHertzNetpoll,
	"http":         newHTTP,
	"https":        newHTTPS,
	"proxy":        newProxy,
	"redis":        newRedis,
	"reverse":      newReverse,
	"shards":       newShards,
	"sockhttp":     newSockHTTP,
	"sockhttps":    newSockHTTPS,
	"tls":          newTLS,
	"udp":          newUDP,
	"udpbatch":     newUDPBatch,
	"udpserve":     newUDPServe,
}

func parse(args []string) (*options, error) {
	o := new(options)
	f := flag.NewFlagSet("serve", flag.ContinueOnError)
	names := slices.Sorted(maps.Keys(programs))
	f.StringVar(&o.program, "program", "http", "`name`: "+strings.Join(names, ", "))
	f.StringVar(&o.on, "on", onNet, "net, or the `driver` of Ringo to run on")
	f.StringVar(&o.handler, "handler", perGoroutine,
		"what serves a connection: goroutine, or conn, a task (not on net)")
	f.StringVar(&o.listen, "listen", "127.0.0.1:7000", "`address` to serve on")
	f.StringVar(&o.to, "to", "", "`address` that a proxy connects to (proxy, reverse)")
	f.BoolVar(&o.tls, "tls", false, "clients speak TLS 1.3 (proxy)")
	f.StringVar(&o.dir, "dir", "", "`directory` whose files are served (files)")
	f.StringVar(&o.file, "file", "", "`file` that is read beside (echo)")
	f.IntVar(&o.reads, "reads", 0,
		"4 KiB reads of it a second, at random places, by tasks of the loop, or by goroutines on net")
	f.IntVar(&o.size, "size", 13,
		"`bytes` of an answer's body (what speaks HTTP), of a buffer (echo) or of a datagram (bulksend)")
	f.IntVar(&o.loops, "loops", 1, "`number` of loops (shards)")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	var errs []error
	check := func(ok bool, format string, v ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, v...))
		}
	}
	check(f.NArg() == 0, "unexpected arguments %q", f.Args())
	check(programs[o.program] != nil, "-program %q is none of %s", o.program, strings.Join(names, ", "))
	check(o.handler == perGoroutine || o.handler == perConn, "-handler %q is neither %s nor %s",
		o.handler, perGoroutine, perConn)
	check(o.handler == perGoroutine || o.on != onNet, "-handler %s needs a driver of Ringo in -on", o.handler)
	check(!o.tls || o.program == "proxy", "-tls is for -program proxy")
	check((o.dir != "") == (o.program == "files"), "-dir is for -program files, which needs it")
	check((o.file != "") == (o.reads > 0), "-file and -reads are for each other")
	check(o.reads == 0 || o.program == "echo", "-reads is for -program echo")
	check(o.loops == 1 || o.program == "shards", "-loops is for -program shards")
	check(o.loops > 0, "-loops is %d, want at least 1", o.loops)
	check(o.size > 0, "-size is %d, want at least 1", o.size)
	err := errors.Join(errs...)
	if err != nil {
		fmt.Fprintln(f.Output(), err)
	}
	return o, err
}

func main() {
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	if err != nil {
		os.Exit(2)
	}
	p, err := programs[o.program](o)
	if err == nil {
		err = p.run(context.Background(), o, announce)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func announce(addr net.Addr, on string) {
	fmt.Fprintf(os.Stderr, "listening %s://%v driver=%s\n", addr.Network(), addr, on)
}

// run serves until ctx ends or it fails. It calls ready once peers may connect.
func (p *program) run(ctx context.Context, o *options, ready announced) error {
	if p.whole != nil {
		return p.whole(ctx, o, ready)
	}
	if o.on != onNet {
		return runRingo(ctx, o, p, ready)
	}
	if p.datagrams != nil {
		return runUDPNet(ctx, o, p, ready)
	}
	if p.packets != nil || p.sharded != nil || p.onLoop != nil {
		return fmt.Errorf("-program %s is for sockets of Ringo and tasks", o.program)
	}
	ln, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { ln.Close() })
	if p.beside != nil {
		if err := p.beside(ctx, nil); err != nil {
			return err
		}
	}
	ready(ln.Addr(), onNet)
	return p.onGoroutines(ln)
}

func runUDPNet(ctx context.Context, o *options, p *program, ready func(addr net.Addr, on string)) error {
	at, err := netip.ParseAddrPort(o.listen)
	if err != nil {
		return err
	}
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { c.Close() })
	ready(c.LocalAddr(), onNet)
	return p.datagrams(c)
}

// onGoroutines serves the connections of a listener of package net or of Ringo, on goroutines.
func (p *program) onGoroutines(ln net.Listener) error {
	if p.listener != nil {
		return p.listener(ln)
	}
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go p.conn(c)
	}
}
