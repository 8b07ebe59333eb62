//go:build linux

package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// TestProxyWeights: upstreams get their weights' parts of the connections.
func TestProxyWeights(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr, _ := startOptions(t, []string{"?weight=3", ""}, "-driver", driver, "-loops", "2", "-grace", "0s")
		var got [2]int
		for range 12 {
			_, number := wantWhose(t, addr, "127.0.0.1")
			got[number]++
		}
		if got != [2]int{9, 3} {
			t.Errorf("upstreams of weights 3 and 1 have %d of 12 connections", got)
		}
		p.finish()
	})
}

// waits wants the process to say that so many wait.
func (p *process) waits(number string) {
	p.t.Helper()
	was := false
	if _, ok := p.find(func(line string) bool {
		is := strings.HasPrefix(line, "stats ") && strings.Contains(line, " waiting="+number+" ")
		was = !strings.HasPrefix(line, "listening") && (was || strings.Contains(line, " waiting=1 "))
		return is && was
	}); !ok {
		p.t.Errorf("no line of stats says that %s wait", number)
	}
}

// TestProxyMaxOfUpstream: at its max an upstream gets no more; what is more waits its turn, and leaves if its client
// has gone.
func TestProxyMaxOfUpstream(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr, _ := startOptions(t, []string{"?max=1"}, "-driver", driver, "-loops", "2", "-stats", "50ms",
			"-dial", "1h")
		first, _ := wantWhose(t, addr, "127.0.0.1")
		gone := dial(t, addr)
		io.WriteString(gone, "x")
		p.waits("1")
		gone.SetLinger(0)
		gone.Close()
		p.waits("0")
		next := dial(t, addr)
		first.Close()
		var b [1]byte
		if _, err := io.ReadFull(next, b[:]); err != nil || b[0] != '0' {
			t.Errorf("the next reads %q, %v when there is room", b, err)
		}
		next.Close()
		if log := p.finish(); strings.Contains(log, "is reset") {
			t.Errorf("stderr:\n%s", log)
		}
	})
}

// TestProxyMaxLate: who has waited for -dial is reset, with a line.
func TestProxyMaxLate(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		p, addr, _ := startOptions(t, []string{"?max=1", "?max=1"}, "-driver", driver, "-dial", "500ms", "-grace", "0s")
		_, one := wantWhose(t, addr, "127.0.0.1")
		if _, other := wantWhose(t, addr, "127.0.0.1"); other == one {
			t.Errorf("upstream %d has two connections, and 1 at most", one)
		}
		if _, _, err := whose(t, addr, "127.0.0.1"); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v, want a reset", err)
		}
		p.line("connection of 127.0.0.1:")
		if log := p.finish(); !strings.Contains(log, "all upstreams have their max, for 500ms") {
			t.Errorf("stderr:\n%s", log)
		}
	})
}

// TestProxyHTTPMax: requests wait likewise, get 503 if it takes too long, and leave when their clients go.
func TestProxyHTTPMax(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		came, goes := make(chan string), make(chan bool)
		back := func(w http.ResponseWriter, r *http.Request) {
			came <- r.URL.Path
			<-goes
		}
		p, addr, max := startMax(t, back, "-driver", driver, "-stats", "50ms", "-dial", "1h")
		const head = " HTTP/1.1\r\nHost: h\r\n\r\n"
		first := dial(t, addr)
		io.WriteString(first, "GET /first"+head)
		<-came
		gone := dial(t, addr)
		io.WriteString(gone, "GET /gone"+head)
		p.waits("1")
		gone.Close()
		p.waits("0")
		next := dial(t, addr)
		io.WriteString(next, "GET /next"+head)
		goes <- true
		if path := <-came; path != "/next" {
			t.Errorf("%s comes next", path)
		}
		goes <- true
		first.Close()
		next.Close()
		p.finish()

		p, addr = startProxyTo(t, max, "-http", "-driver", driver, "-dial", "500ms")
		first = dial(t, addr)
		io.WriteString(first, "GET /first"+head)
		<-came
		if answer, _ := get(t, addr, "/late"); answer.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("a request that has waited gets %s", answer.Status)
		}
		goes <- true
		first.Close()
		p.finish()
	})
}

// startMax starts ringo proxy -http before a server that gets one request at a time.
func startMax(t *testing.T, h http.HandlerFunc, args ...string) (p *process, addr, to string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	go s.Serve(ln)
	t.Cleanup(func() { s.Close() })
	to = ln.Addr().String() + "?max=1"
	p, addr = startProxyTo(t, to, append([]string{"-http"}, args...)...)
	return p, addr, to
}
