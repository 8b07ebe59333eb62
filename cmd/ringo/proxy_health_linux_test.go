//go:build linux

package main

import (
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
)

// listenNamed is a backend of startNamed at a Unix socket, whose name belongs to the test while it does not listen.
func listenNamed(t *testing.T, path string, number int) net.Listener {
	t.Helper()
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	backend(t, ln, func(c net.Conn) {
		fmt.Fprint(c, number)
		io.Copy(io.Discard, c)
	})
	return ln
}

// TestProxyOut: an upstream that fails is left out, tried again, and used again.
func TestProxyOut(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		gone := filepath.Join(t.TempDir(), "gone")
		p, addr, _ := startNamed(t, 1, "-driver", driver, "-to", "unix://"+gone, "-fall", "2", "-out", "20ms",
			"-loops", "2", "-grace", "0s", "-stats", "20ms")
		visit := func() (number int) {
			c, number := wantWhose(t, addr, "127.0.0.1")
			c.Close()
			return number
		}
		out := func() bool { visit(); return p.says("upstream unix://" + gone + " is out: 2 connections in a row") }
		socktest.Eventually(t, "the upstream to be out", out)
		p.word("out=1")
		listenNamed(t, gone, 7)
		socktest.Eventually(t, "the upstream to be used again", func() bool { return visit() == 7 })
		p.line("upstream unix://" + gone + " is in again")
		if log := p.finish(); strings.Contains(log, "is reset") || strings.Contains(log, "all upstreams") {
			t.Errorf("stderr:\n%s", log)
		}
	})
}

// TestProxyBackup: a backup is used while checks find no other, and no longer.
func TestProxyBackup(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		main, spare := filepath.Join(t.TempDir(), "main"), filepath.Join(t.TempDir(), "spare")
		listenNamed(t, spare, 7)
		p, addr := startProxyTo(t, "unix://"+main, "-driver", driver, "-to", "unix://"+spare+"?backup=true", "-check",
			"10ms", "-loops", "2", "-grace", "0s")
		visit := func() (number int) {
			c, number := wantWhose(t, addr, "127.0.0.1")
			c.Close()
			return number
		}
		p.line("all upstreams but backups are out: connections go to these")
		for range 10 {
			if n := visit(); n != 7 {
				t.Errorf("a connection has gone to %d, want the backup", n)
			}
		}
		ln := listenNamed(t, main, 1)
		p.line("upstream unix://" + main + " is in again")
		for range 10 {
			if n := visit(); n != 1 {
				t.Errorf("a connection has gone to %d, want the one that is in again", n)
			}
		}
		ln.Close()
		for range 10 { // it is tried in vain, until checks have found that it is out
			if n := visit(); n != 7 {
				t.Errorf("a connection has gone to %d, want the backup", n)
			}
		}
		if log := p.finish(); strings.Contains(log, "is reset") {
			t.Errorf("stderr:\n%s", log)
		}
	})
}

// says reports whether a line begins so by now.
func (p *process) says(prefix string) bool {
	for line := range strings.Lines(p.log.text()) {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}

// word waits for a line of stats that has a word.
func (p *process) word(word string) {
	p.t.Helper()
	if _, ok := p.find(func(line string) bool {
		return strings.HasPrefix(line, "stats ") && strings.Contains(line+" ", " "+word+" ")
	}); !ok {
		p.t.Fatalf("the process has ended, and no line of stats has %s", word)
	}
}

// TestProxyAllOut: when all are out, connections go to any of them.
func TestProxyAllOut(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		dir := t.TempDir()
		p := start(t, tool(t, "proxy", "-listen", anyPort, "-driver", driver, "-fall", "1", "-out", "1h", "-grace",
			"0s", "-to", "unix://"+filepath.Join(dir, "0"), "-to", "unix://"+filepath.Join(dir, "1")))
		addr := p.addr()
		for range 3 {
			if _, number, err := whose(t, addr, "127.0.0.1"); err == nil {
				t.Fatalf("upstream %d answers, which does not listen", number)
			}
		}
		p.line("all upstreams are out")
		listenNamed(t, filepath.Join(dir, "1"), 1)
		for range 5 {
			if _, number := wantWhose(t, addr, "127.0.0.1"); number != 1 {
				t.Errorf("upstream %d answers", number)
			}
		}
		p.line("upstream unix://" + filepath.Join(dir, "1") + " is in again")
		if log := p.finish(); strings.Count(log, "all upstreams are out") != 1 || strings.Count(log, "is out:") != 2 {
			t.Errorf("not each state is told once, stderr:\n%s", log)
		}
	})
}

// TestProxyCheck: without any client, an upstream that does not listen is out, and in when it does. The drain does not
// wait for the checks.
func TestProxyCheck(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		path := filepath.Join(t.TempDir(), "checked")
		ln := listenNamed(t, path, 0)
		p := start(t, tool(t, "proxy", "-listen", anyPort, "-driver", driver, "-to", "unix://"+path, "-check", "10ms",
			"-out", "1h", "-grace", "1h", "-stats", "20ms"))
		p.word("out=0")
		ln.Close()
		line := p.line("upstream unix://" + path + " is out: 3 checks in a row have failed, the last: ")
		if !strings.HasSuffix(line, "no such file or directory") {
			t.Errorf("the line is %q", line)
		}
		p.word("out=1")
		listenNamed(t, path, 0)
		p.line("upstream unix://" + path + " is in again")
		p.finish()
	})
}

// TestProxyCheckHTTP: what counts is the status that the path has.
func TestProxyCheckHTTP(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var status, asked atomic.Int32
		status.Store(http.StatusFound) // which is not followed: elsewhere all is well
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != "GET" || r.URL.String() != "/health?of=all" || r.Host != ln.Addr().String() {
				t.Errorf("%s %v of %s is asked", r.Method, r.URL, r.Host)
			}
			asked.Add(1)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(int(status.Load()))
		})}
		go s.Serve(ln)
		t.Cleanup(func() { s.Close() })
		p := start(t, tool(t, "proxy", "-listen", anyPort, "-driver", driver, "-to", ln.Addr().String(), "-check",
			"10ms", "-check-http", "/health?of=all", "-fall", "2", "-rise", "3", "-stats", "20ms"))
		patience.Until(t, "checks", func() bool { return asked.Load() > 5 })
		p.word("out=0")
		if p.says("upstream") {
			t.Error("302 is no success")
		}
		status.Store(http.StatusServiceUnavailable)
		line := p.line("upstream tcp://" + ln.Addr().String() + " is out: 2 checks in a row have failed")
		if !strings.HasSuffix(line, "GET /health?of=all: 503 Service Unavailable") {
			t.Errorf("the line is %q", line)
		}
		status.Store(http.StatusNoContent)
		p.line("upstream tcp://" + ln.Addr().String() + " is in again")
		p.finish()
	})
}

// TestProxyZone: an upstream may be an address with a zone, of which it hears nothing, nor have certificates any. A
// check asks for its path to the letter.
func TestProxyZone(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		ln, err := net.Listen("tcp", "[::1]:0")
		if err != nil {
			t.Skip(err)
		}
		var asked atomic.Int32
		back := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.Host != ln.Addr().String() || r.RequestURI != "/" && r.RequestURI != "/health%23a" {
				t.Errorf("%s of %s is asked", r.RequestURI, r.Host)
			}
			asked.Add(1)
		}))
		back.Listener.Close()
		back.Listener = ln
		back.StartTLS()
		t.Cleanup(back.Close)
		ca := filepath.Join(t.TempDir(), "ca")
		put(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: back.Certificate().Raw})))
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		p, addr := startProxyTo(t, "[::1%lo]:"+port, "-http", "-driver", driver, "-to-tls", "-to-ca", ca, "-check",
			"10ms", "-check-http", "/health#a", "-fall", "1")
		patience.Until(t, "checks", func() bool { return asked.Load() > 5 || p.says("upstream") })
		if a, _ := askAt(t, addr, "GET", "GET / HTTP/1.0\r\n\r\n"); a.StatusCode != 200 {
			t.Errorf("a request gets %s", a.Status)
		}
		if log := p.finish(); strings.Contains(log, "is out") {
			t.Errorf("stderr:\n%s", log)
		}
	})
}
