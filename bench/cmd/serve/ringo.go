package main

import (
	"context"
	"fmt"
	"net"

	"ringo"
	"ringo/sock"
)

// runRingo serves on one loop, or a sharded program on several.
func runRingo(ctx context.Context, o *options, p *program, ready func(addr net.Addr, on string)) error {
	if p.packets != nil && o.handler != perConn || p.listener != nil && p.conn == nil && o.handler == perConn {
		return fmt.Errorf("-program %s is not for -handler %s", o.program, o.handler)
	}
	if p.sharded != nil {
		return p.onLoops(ctx, o, ready)
	}
	cfg := &ringo.Config{Driver: o.on, Loops: 1}
	return ringo.Run(ctx, cfg, func(l *ringo.Loop) error {
		if p.datagrams != nil || p.packets != nil {
			return p.onPacketConn(ctx, l, o, ready)
		}
		ln, err := sock.Listen(l, "tcp", o.listen)
		if err != nil {
			return err
		}
		if p.beside != nil {
			if err := p.beside(ctx, l); err != nil {
				return err
			}
		}
		ready(ln.Addr(), l.Info().Name)
		switch {
		case p.onLoop != nil:
			return p.onLoop(ln)
		case o.handler == perConn:
			return p.inTasks(l, ln)
		}
		return l.Offload(func(context.Context) error { return p.onGoroutines(ln) })
	})
}

// onLoops serves on several loops. Each connection is served by a task of the loop that accepted it.
func (p *program) onLoops(ctx context.Context, o *options, ready func(addr net.Addr, on string)) error {
	set, err := sock.Reserve("tcp", o.listen)
	if err != nil {
		return err
	}
	cfg := &ringo.Config{Driver: o.on, Loops: o.loops, Start: func(l *ringo.Loop) error {
		if l.Index() == 0 {
			ready(set.Addr(), l.Info().Name)
		}
		return p.start(l)
	}}
	return sock.ServeSets(ctx, cfg, []*sock.ListenerSet{set}, p.sharded)
}

func (p *program) inTasks(l *ringo.Loop, ln *sock.Listener) error {
	for {
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		if err := l.Post(func() { p.conn(c) }); err != nil {
			return err
		}
	}
}

func (p *program) onPacketConn(ctx context.Context, l *ringo.Loop, o *options,
	ready func(addr net.Addr, on string)) error {
	c, err := sock.ListenPacket(l, "udp", o.listen)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { c.Close() })
	ready(c.LocalAddr(), l.Info().Name)
	switch {
	case p.packets != nil:
		return p.packets(c)
	case o.handler == perConn:
		return p.datagrams(c)
	}
	return l.Offload(func(context.Context) error { return p.datagrams(c) })
}
