//go:build linux

package sock_test

import (
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// Another process on the port counts, although it would share.
func TestListenBesideAnotherProcess(t *testing.T) {
	c := startChild(t, "hold")
	addr := c.line()
	_, err := sock.Reserve("tcp", addr)
	wantInUse(t, "Reserve beside another process", err)
	shared := &sock.ListenConfig{AllowShared: true}
	set, err := shared.Reserve("tcp", addr)
	if err != nil {
		t.Fatalf("Reserve with AllowShared beside another process: %v", err)
	}
	set.Close()
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			_, err := sock.Listen(l, "tcp", addr)
			wantInUse(t, "Listen beside another process", err)
		})
	})
}

type counters struct {
	backoffs, turns uint64
	cpu             time.Duration
}

func countersOf(t *testing.T, c *child) (n counters) {
	t.Helper()
	var micros int64
	if text := c.ask("counters"); true {
		if _, err := fmt.Sscan(text, &n.backoffs, &n.turns, &micros); err != nil {
			t.Fatalf("the child's counters are %q: %v", text, err)
		}
	}
	n.cpu = time.Duration(micros) * time.Microsecond
	return n
}

// A server that runs out of descriptors serves on with those it has, asks again
// only now and then, and takes the others in when there is room.
func TestAcceptWaitsOutEMFILE(t *testing.T) {
	const limit, peers = 60, 80
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		c := startChild(t, "echo", "RINGO_SOCK_DRIVER="+cfg.Driver, fmt.Sprint("RINGO_SOCK_FILES=", limit))
		addr := c.line()
		var conns [peers]*net.TCPConn
		var served [peers]atomic.Bool
		count := func() (n int) {
			for i := range served {
				if served[i].Load() {
					n++
				}
			}
			return n
		}
		for i := range conns {
			conns[i] = dial(t, addr)
			defer conns[i].Close()
			send(t, conns[i], "x")
			go func() {
				if _, err := io.ReadFull(conns[i], make([]byte, 1)); err == nil {
					served[i].Store(true)
				}
			}()
		}
		eventually(t, "a shortage", func() bool { return countersOf(t, c).backoffs > 0 })
		eventually(t, "as many served as there are descriptors", func() bool { return count() > limit/2 })
		first := count()
		if first > limit {
			t.Fatalf("%d connections served with %d descriptors", first, limit)
		}

		before := countersOf(t, c)
		const quiet = 400 * time.Millisecond
		time.Sleep(quiet)
		after := countersOf(t, c)
		if n := after.backoffs - before.backoffs; n > 20 {
			t.Errorf("%d attempts in %v of shortage: it spins", n, quiet)
		}
		if n := after.turns - before.turns; n > 200 {
			t.Errorf("%d turns in %v of shortage", n, quiet)
		}
		if used := after.cpu - before.cpu; used > quiet/4 {
			t.Errorf("%v of processor time in %v of shortage", used, quiet)
		}

		for i := range conns { // those inside are served as ever
			if served[i].Load() {
				echo(t, conns[i], 5000)
			}
		}
		for i := range conns {
			if served[i].Load() {
				conns[i].Close()
			}
		}
		eventually(t, "the others are served when there is room", func() bool { return count() == peers })
		for i := range conns {
			conns[i].Close()
		}
		if n := countersOf(t, c).backoffs; n > 200 {
			t.Errorf("%d back-offs in all", n)
		}
	})
}
