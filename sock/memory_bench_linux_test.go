//go:build linux

package sock_test

import (
	"runtime"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// What an idle connection keeps of the Go heap and stacks, once it has echoed 64
// bytes: with a task each, with a task that used 4 KiB of its stack before, and
// with handlers per request. The stack of a parked task shrinks again in the next
// collection, if it uses less than a quarter of it. bench/idle shows the whole
// process.
func BenchmarkIdleMemory(b *testing.B) {
	const conns = 4000
	needFiles(b, 2*conns+200)
	for _, driver := range []string{"uring", "epoll"} {
		for _, c := range []struct {
			name   string
			server func(*ringo.Loop, *sock.Listener) error
		}{
			{"task", perConn(echoByTask)},
			{"task, 4 KiB of stack used", perConn(func(c *sock.Conn) {
				useStack(0)
				echoByTask(c)
			})},
			{"requests", echoes["requests"]},
		} {
			b.Run(driver+"/"+c.name, func(b *testing.B) {
				if err := available(driver); err != nil {
					b.Skip(err)
				}
				for b.Loop() {
					s := serve(b, ringo.Config{Driver: driver, Loops: 1, Grace: 5 * time.Second}, c.server)
					measureIdle(b, s, conns)
					s.stop()
				}
			})
		}
	}
}

func measureIdle(b *testing.B, s *server, conns int) {
	inUse := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapInuse + m.StackInuse)
	}
	before := inUse()
	p := make([]byte, 64)
	clients := make([]raw, conns)
	for i := range clients {
		c, err := rawDial(s.addr)
		if err != nil {
			b.Fatal(err)
		}
		clients[i] = c
		if err := c.write(p); err != nil {
			b.Fatal(err)
		}
		if err := c.read(p); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((inUse()-before)/float64(conns), "B/conn")
	for i := range clients {
		clients[i].reset()
	}
	runtime.KeepAlive(clients)
}

func echoByTask(c *sock.Conn) {
	for {
		lease, err := c.Next()
		if err != nil {
			return
		}
		_, err = c.Write(lease.Bytes())
		lease.Release()
		if err != nil {
			return
		}
	}
}

// useStack uses a little over 4 KiB of stack.
//
//go:noinline
func useStack(x byte) byte {
	var p [4096]byte
	for i := range p {
		p[i] = x + byte(i)
	}
	return p[len(p)/2] + p[x]
}
