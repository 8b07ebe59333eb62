//go:build linux

package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/bench/internal/sample"
)

// serve runs an echo server in this process whose connections are served by echo.
func serve(t *testing.T, echo func(c *net.TCPConn)) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				echo(c.(*net.TCPConn))
			}()
		}
	}()
	return ln.Addr().String()
}

func honest(c *net.TCPConn) { io.Copy(c, c) }

// damage echoes through a function that sees each piece with its position in the stream.
func damage(f func(at int, b []byte) []byte) func(c *net.TCPConn) {
	return func(c *net.TCPConn) {
		b := make([]byte, 4096)
		for at := 0; ; {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			if _, err := c.Write(f(at, b[:n])); err != nil {
				return
			}
			at += n
		}
	}
}

// flip changes one bit of the byte at position pos.
func flip(pos int) func(at int, b []byte) []byte {
	return func(at int, b []byte) []byte {
		if pos >= at && pos < at+len(b) {
			b[pos-at] ^= 0x10
		}
		return b
	}
}

func sampled(t *testing.T, addr string, args ...string) (*sample.Sample, error) {
	t.Helper()
	c, err := parse(append([]string{"-addr", addr, "-seconds", "0.1", "-warmup", "0.02", "-patience", "0.5"}, args...))
	if err != nil {
		t.Fatal(err)
	}
	return run(c)
}

func TestHonestServerHasNoErrors(t *testing.T) {
	cases := []struct{ name, args string }{
		{"one at a time", "-conns 1"},
		{"single bytes", "-conns 3 -size 1 -depth 5"},
		{"odd sizes", "-conns 7 -size 1237 -depth 3"},
		{"larger than all buffers", "-conns 2 -size 6000001 -depth 2 -seconds 0.3"},
		{"many connections", "-conns 600 -size 64"},
		{"churn", "-mode churn -conns 20"},
		{"slow", "-mode slow -conns 2 -peers 5 -peer-bytes 2000000"},
		{"paced", "-mode paced -conns 7 -size 100 -rate 20000"},
		{"crowd", "-mode crowd -conns 40 -active 3"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, err := sampled(t, serve(t, honest), strings.Fields(c.args)...)
			if err != nil {
				t.Fatal(err)
			}
			if s.Errors != 0 || s.Mismatches != 0 || s.Requests == 0 {
				t.Errorf("%d requests, %d errors, %d mismatches", s.Requests, s.Errors, s.Mismatches)
			}
			if s.P50 <= 0 || s.P50 > s.P99 || s.P99 > s.P999 || s.P999 > s.Max {
				t.Errorf("latencies %v, %v, %v, %v are not in order", s.P50, s.P99, s.P999, s.Max)
			}
		})
	}
}

// TestPaceIsKept: what is due at an instant and when a message is due agree, round after round, and the mean is the
// rate.
func TestPaceIsKept(t *testing.T) {
	const rate, conns = 5000, 3
	p := newPace(rate, conns)
	p.begin = time.Second
	for k := range uint64(3 * gaps) {
		if due := p.due(k); p.until(due) < k || p.until(due-1) > k {
			t.Fatalf("message %d is due at %v, when %d are, and %d before", k, due, p.until(due), p.until(due-1))
		}
	}
	if got := p.dueOn(2, 5); got != p.due(5*conns+2) {
		t.Errorf("message 5 on connection 2 is due at %v, want %v", got, p.due(5*conns+2))
	}
	if mean := p.after[gaps].Seconds() / gaps * rate; mean < 0.97 || mean > 1.03 {
		t.Errorf("the mean wait is %.3f of what it should be", mean)
	}
}

// TestLateRepliesCount: a server that stands still is seen by all that was due meanwhile.
func TestLateRepliesCount(t *testing.T) {
	const still = 50 * time.Millisecond
	first := new(atomic.Bool)
	addr := serve(t, func(c *net.TCPConn) {
		b := make([]byte, 4096)
		for turn := 0; ; turn++ {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			if turn > 10 && first.CompareAndSwap(false, true) {
				time.Sleep(still)
			}
			if _, err := c.Write(b[:n]); err != nil {
				return
			}
		}
	})
	s, err := sampled(t, addr, strings.Fields("-mode paced -conns 1 -rate 2000 -seconds 0.3")...)
	if err != nil {
		t.Fatal(err)
	}
	if limit := micros(still) / 2; s.Errors != 0 || s.P99 < limit || s.Max < micros(still) {
		t.Errorf("%d errors, p99 %.0f us and at most %.0f, for a server that stood still for %v",
			s.Errors, s.P99, s.Max, still)
	}
}

func TestIdleMeasuresMemory(t *testing.T) {
	// Each connection pins this much in the server, which is this process.
	const each = 256 << 10
	addr := serve(t, func(c *net.TCPConn) {
		// A heap would give memory that this process has already; and what is freed late would count against the next
		// run.
		b, err := unix.Mmap(-1, 0, each, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			return
		}
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{c}, b)
	})
	c, err := parse([]string{"-addr", addr, "-mode", "idle", "-conns", "100", "-seconds", "0.05", "-pid", "1"})
	if err != nil {
		t.Fatal(err)
	}
	c.pid = os.Getpid()
	s, err := run(c)
	if err != nil {
		t.Fatal(err)
	}
	if s.RSSPerConn < 0.8*each || s.RSSPerConn > 2*each {
		t.Errorf("%.0f bytes a connection, want about %d", s.RSSPerConn, each)
	}
	if s.Errors != 0 || s.AllTime != 100 {
		t.Errorf("%d errors, %d requests, want 0 and 100", s.Errors, s.AllTime)
	}
}

// A server has each kind of slow peers beside the honest ones: heads that never end, requests whose answers nobody
// reads, connections that are reset and come back.
func TestSlowPeersOfHTTP(t *testing.T) {
	var seen [kinds]atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Repeat(hello, 100))
	}))
	defer server.Close()
	relay := serve(t, func(c *net.TCPConn) {
		to, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			return
		}
		defer to.Close()
		go io.Copy(c, to)
		var all []byte
		b := make([]byte, 4096)
		for {
			n, err := c.Read(b)
			to.Write(b[:n])
			all = append(all, b[:n]...)
			switch {
			case len(all) > len(endless) && bytes.HasPrefix(all, []byte(endless)):
				seen[trickler].Add(1)
			case err != nil && string(all) == endless:
				seen[resetter].Add(1)
			case bytes.Count(all, []byte(httpRequest("/"))) > 1:
				seen[deaf].Add(1)
			}
			if err != nil {
				return
			}
		}
	})
	args := "-mode httpslow -path /honest -peers 7 -conns 2 -size 1300 -seconds 1 -warmup 0"
	s, err := sampled(t, relay, strings.Fields(args)...)
	if err != nil {
		t.Fatal(err)
	}
	if s.Errors != 0 || s.Mismatches != 0 || s.Starved != 0 || s.Requests == 0 {
		t.Errorf("%d requests, %d errors, %d mismatches, %d starved", s.Requests, s.Errors, s.Mismatches, s.Starved)
	}
	for kind, want := range []string{"heads without an end", "requests of the deaf", "resets"} {
		if seen[kind].Load() == 0 {
			t.Errorf("the server has seen no %s", want)
		}
	}
	if s.Figures["resets by peers"] == 0 {
		t.Errorf("figures %v", s.Figures)
	}
}

func TestWrongBytesAreNoticed(t *testing.T) {
	cases := []struct {
		name, args string
		f          func(at int, b []byte) []byte
	}{
		{"one bit", "-conns 3", flip(5000)},
		{"first byte", "-conns 3", flip(0)},
		{"lost byte", "-conns 1 -depth 8", func(at int, b []byte) []byte {
			if at > 0 {
				return b[1:]
			}
			return b
		}},
		{"extra byte", "-conns 3", func(at int, b []byte) []byte { return append(b, 0) }},
		{"repeated piece", "-conns 1 -depth 8", func(at int, b []byte) []byte { return append(b, b...) }},
		{"for peers that read late", "-mode slow -conns 1 -peers 2 -peer-bytes 400000", flip(300_000)},
		{"churn", "-mode churn -conns 2", flip(63)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e, cfg := engineFor(t, serve(t, damage(c.f)), c.args)
			runMode(e, cfg)
			if e.mismatches == 0 {
				t.Error("no mismatch was counted")
			}
		})
	}
}

// engineFor and runMode are run in two steps, for runs that end with an error and no sample.
func engineFor(t *testing.T, addr, args string) (*engine, *config) {
	t.Helper()
	c, err := parse(append([]string{"-addr", addr, "-seconds", "0.2", "-warmup", "0", "-patience", "0.5"},
		strings.Fields(args)...))
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEngine(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.shutdown)
	return e, c
}

func TestBrokenServersAreNoticed(t *testing.T) {
	t.Run("closes", func(t *testing.T) {
		addr := serve(t, func(c *net.TCPConn) { io.CopyN(c, c, 10_000) })
		e, c := engineFor(t, addr, "-conns 3 -size 64")
		runMode(e, c)
		if e.errors != 3 || e.mismatches != 0 {
			t.Errorf("%d errors, %d mismatches, want 3 and 0", e.errors, e.mismatches)
		}
	})
	t.Run("goes silent for one connection", func(t *testing.T) {
		var accepted atomic.Int32
		addr := serve(t, func(c *net.TCPConn) {
			if accepted.Add(1) == 1 {
				io.CopyN(c, c, 100)
				io.Copy(io.Discard, c)
			}
			io.Copy(c, c)
		})
		s, err := sampled(t, addr, "-conns", "3")
		if err != nil {
			t.Fatal(err)
		}
		if s.Errors != 1 || s.Starved != 1 {
			t.Errorf("%d errors, %d starved, want 1 and 1", s.Errors, s.Starved)
		}
	})
	t.Run("is not there", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := ln.Addr().String()
		ln.Close()
		if _, err := sampled(t, addr, "-conns", "3"); err == nil {
			t.Error("no error")
		}
	})
}

func TestUsageErrorsAreReportedTogether(t *testing.T) {
	_, err := parse([]string{"-mode", "fast", "-conns", "0", "-size", "-1", "extra"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"-mode", "-conns", "-size", "extra"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not name %s", err, want)
		}
	}
}
