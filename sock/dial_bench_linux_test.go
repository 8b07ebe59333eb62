//go:build linux

package sock_test

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// BenchmarkDial is a dial and a close: of a number, of a number by package net, of a
// name that a DNS server on this machine answers, and of a number while 50 names hang,
// with the longest turn of the loop meanwhile.
func BenchmarkDial(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.Read(make([]byte, 1))
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	server := newNameServer(b, map[string][]netip.Addr{"a.test": addrsOf("127.0.0.1")})
	d := sock.Dialer{Resolver: server.resolver()}
	onOne := func(b *testing.B, body func(l *ringo.Loop)) {
		err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			body(l)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	dial := func(b *testing.B, l *ringo.Loop, address string) {
		b.ReportAllocs()
		for b.Loop() {
			c, err := d.Dial(l, "tcp", address)
			if err != nil {
				b.Fatal(err)
			}
			c.SetLinger(0)
			c.Close()
		}
	}
	b.Run("number", func(b *testing.B) {
		onOne(b, func(l *ringo.Loop) { dial(b, l, "127.0.0.1:"+port) })
	})
	b.Run("net", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err != nil {
				b.Fatal(err)
			}
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	})
	b.Run("name", func(b *testing.B) {
		onOne(b, func(l *ringo.Loop) { dial(b, l, "a.test.:"+port) })
	})
	b.Run("name by net", func(b *testing.B) {
		b.ReportAllocs()
		std := net.Dialer{Resolver: server.resolver()}
		for b.Loop() {
			c, err := std.Dial("tcp", "a.test.:"+port)
			if err != nil {
				b.Fatal(err)
			}
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	})
	b.Run("offload", func(b *testing.B) {
		onOne(b, func(l *ringo.Loop) {
			for b.Loop() {
				l.Offload(func(context.Context) error { return nil })
			}
		})
	})
	b.Run("number while names hang", func(b *testing.B) {
		onOne(b, func(l *ringo.Loop) {
			silent := newNameServer(b, nil)
			defer silent.hold(typeA)()
			defer silent.hold(typeAAAA)()
			hanging := sock.Dialer{Resolver: silent.resolver()}
			var tasks []*ringo.Task
			for range 50 {
				tasks = append(tasks, l.Go(func() { hanging.Dial(l, "tcp", "hangs.test.:1") }))
			}
			for silent.questions() < 2 {
				l.Sleep(time.Millisecond)
			}
			before := l.Stats()
			dial(b, l, "127.0.0.1:"+port)
			after := l.Stats()
			b.ReportMetric(float64(after.Stalls-before.Stalls), "stalls")
			b.ReportMetric(float64(after.Longest.Microseconds()), "longest-turn-µs")
			for _, t := range tasks {
				t.Cancel()
			}
		})
	})
}
