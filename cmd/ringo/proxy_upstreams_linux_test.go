//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
)

// startNamed starts backends that each send their number to who connects, and go on until that one ends; and ringo
// proxy in front of them.
func startNamed(t *testing.T, backends int, args ...string) (p *process, addr string, lns []net.Listener) {
	t.Helper()
	return startOptions(t, make([]string, backends), args...)
}

// startOptions is startNamed with what is behind each upstream's address.
func startOptions(t *testing.T, options []string, args ...string) (p *process, addr string, lns []net.Listener) {
	t.Helper()
	for i, of := range options {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		backend(t, ln, func(c net.Conn) {
			fmt.Fprint(c, i)
			io.Copy(io.Discard, c)
		})
		lns = append(lns, ln)
		args = append(args, "-to", ln.Addr().String()+of)
	}
	p = start(t, tool(t, append([]string{"proxy", "-listen", anyPort}, args...)...))
	return p, p.addr(), lns
}

// whose connects from a host, and gives the number of the backend; the connection stays.
func whose(t *testing.T, addr, from string) (c net.Conn, number int, err error) {
	t.Helper()
	d := net.Dialer{Deadline: patience.Deadline(), LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	if c, err = d.Dial("tcp", addr); err != nil {
		return nil, 0, err
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(patience.Deadline())
	var b [1]byte
	_, err = io.ReadFull(c, b[:])
	return c, int(b[0]) - '0', err
}

// wantWhose is whose for a connection that must come.
func wantWhose(t *testing.T, addr, from string) (c net.Conn, number int) {
	t.Helper()
	c, number, err := whose(t, addr, from)
	if err != nil {
		t.Fatal(err)
	}
	return c, number
}

// TestProxyLeast: connections of all loops go where there are the fewest.
func TestProxyLeast(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr, _ := startNamed(t, 3, "-driver", driver, "-loops", "2", "-grace", "0s", "-stats", "50ms")
		conns := map[int][]net.Conn{}
		for range 12 {
			c, number := wantWhose(t, addr, "127.0.0.1")
			conns[number] = append(conns[number], c)
		}
		for number, its := range conns {
			if len(its) != 4 {
				t.Errorf("upstream %d has %d connections of 12, want 4", number, len(its))
			}
		}
		p.line("stats conns=12 ")
		for _, c := range conns[1] {
			c.Close()
		}
		all := false // were there: on the way there were 8, too
		if _, ok := p.find(func(line string) bool {
			all = !strings.HasPrefix(line, "listening") && (all || strings.HasPrefix(line, "stats conns=12 "))
			return all && strings.HasPrefix(line, "stats conns=8 ")
		}); !ok {
			t.Fatal("4 of 12 connections are closed, and the stats don't say so")
		}
		for range 4 {
			if _, number := wantWhose(t, addr, "127.0.0.1"); number != 1 {
				t.Errorf("a connection goes to upstream %d, want that which has fewer", number)
			}
		}
		p.finish()
	})
}

// TestProxyTwo: with two upstreams both are drawn.
func TestProxyTwo(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr, _ := startNamed(t, 2, "-driver", driver, "-balance", "two", "-grace", "0s")
		var got [2]int
		for range 10 {
			_, number := wantWhose(t, addr, "127.0.0.1")
			got[number]++
		}
		if got != [2]int{5, 5} {
			t.Errorf("the upstreams have %d of 10 connections", got)
		}
		p.finish()
	})
}

// TestProxyHash: a client stays with its upstream, whichever process passes it on.
func TestProxyHash(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr, lns := startNamed(t, 3, "-driver", driver, "-balance", "hash", "-loops", "2")
		args := []string{"proxy", "-listen", anyPort, "-driver", driver, "-balance", "hash"}
		for i := range lns {
			args = append(args, "-to", lns[len(lns)-1-i].Addr().String()) // their order says nothing
		}
		other := start(t, tool(t, args...))
		otherAddr := other.addr()
		used := map[int]bool{}
		for i := range 50 {
			from := fmt.Sprintf("127.0.1.%d", i+1)
			c, number := wantWhose(t, addr, from)
			c.Close()
			used[number] = true
			for _, at := range []string{addr, otherAddr} {
				c, again := wantWhose(t, at, from)
				c.Close()
				if again != number {
					t.Errorf("%s goes to %d, and to %d", from, number, again)
				}
			}
		}
		if len(used) != 3 {
			t.Errorf("50 clients use the upstreams %v", used)
		}
		p.finish()
		other.finish()
	})
}

// TestProxyNext: where one upstream refuses, another is tried, and no client sees that.
func TestProxyNext(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr, _ := startNamed(t, 1, "-driver", driver, "-to", socktest.Refusing(t), "-to", socktest.Refusing(t),
			"-grace", "0s", "-stats", "50ms")
		for range 20 {
			wantWhose(t, addr, "127.0.0.1")
		}
		if _, ok := p.find(func(line string) bool {
			return strings.HasPrefix(line, "stats") && !strings.Contains(line, " retried=0 ")
		}); !ok {
			t.Error("no line of stats says that connections went to another upstream")
		}
		if log := p.finish(); strings.Contains(log, "is reset") {
			t.Errorf("stderr:\n%s", log)
		}
	})
}

// TestProxyNextNobody: after three upstreams a connection is reset, by a line that has them.
func TestProxyNextNobody(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		args := []string{"proxy", "-listen", anyPort, "-driver", driver}
		for range 5 {
			args = append(args, "-to", socktest.Refusing(t))
		}
		p := start(t, tool(t, args...))
		if _, _, err := whose(t, p.addr(), "127.0.0.1"); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v, want a reset", err)
		}
		if line := p.line("connection of 127.0.0.1:"); strings.Count(line, "connection refused") != 3 {
			t.Errorf("the line is %q, want three that refuse", line)
		}
		p.finish()
	})
}
