//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
)

// logged are the lines of an access log, each as an object.
func logged(t *testing.T, name string) (all []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var one map[string]any
		if err := json.Unmarshal(line, &one); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, one)
	}
	return all
}

// wantLogged wants one line, with these fields; nil: it must not have such a field. Its times must make sense.
func wantLogged(t *testing.T, name string, want map[string]any) {
	t.Helper()
	all := logged(t, name)
	if len(all) != 1 {
		t.Errorf("the lines are %v, want one", all)
		return
	}
	got := all[0]
	for field, value := range want {
		if fmt.Sprint(got[field]) != fmt.Sprint(value) {
			t.Errorf("%s is %v, want %v, in %v", field, got[field], value, got)
		}
	}
	when, err := time.Parse(time.RFC3339, fmt.Sprint(got["time"]))
	if err != nil || when.IsZero() {
		t.Errorf("the time is %v: %v", got["time"], err)
	}
	last := 0.0
	for _, field := range []string{"wait_us", "first_us", "total_us"} {
		if us, ok := got[field].(float64); ok && us < last {
			t.Errorf("%s comes before what was earlier, in %v", field, got)
		} else if ok {
			last = us
		}
	}
}

// TestProxyLog: a line for each connection says whose it was, what it has moved, and who has ended it.
func TestProxyLog(t *testing.T) {
	talks := func(c *net.TCPConn) {
		c.Write([]byte("hello"))
		io.Copy(io.Discard, c)
		c.CloseWrite()
	}
	resets := func(c *net.TCPConn) {
		io.ReadFull(c, make([]byte, 3))
		c.SetLinger(0)
	}
	for _, c := range []struct {
		name   string
		args   string
		back   func(c *net.TCPConn)
		client func(c *net.TCPConn)
		want   map[string]any
	}{
		{"done", "", talks, func(c *net.TCPConn) {
			c.Write([]byte("abc"))
			c.CloseWrite()
			io.Copy(io.Discard, c)
		}, map[string]any{"end": "done", "bytes_in": 3, "bytes_out": 5, "tries": 1, "error": nil, "method": nil}},
		{"client", "", talks, func(c *net.TCPConn) {
			io.ReadFull(c, make([]byte, 5))
			c.SetLinger(0)
		}, map[string]any{"end": "client", "bytes_in": 0, "bytes_out": 5}},
		{"upstream", "", resets, func(c *net.TCPConn) {
			c.Write([]byte("abc"))
			io.Copy(io.Discard, c)
		}, map[string]any{"end": "upstream", "bytes_in": 3, "bytes_out": 0}},
		{"refused", "-accept-proxy", talks, func(c *net.TCPConn) {
			c.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
			io.Copy(io.Discard, c)
		}, map[string]any{"end": "refused", "upstream": nil, "wait_us": nil, "tries": nil}},
		{"timeout", "-accept-proxy -header 200ms", talks, func(c *net.TCPConn) { io.Copy(io.Discard, c) },
			map[string]any{"end": "timeout", "upstream": nil}},
		{"named", "-accept-proxy", talks, func(c *net.TCPConn) {
			c.Write([]byte("PROXY TCP4 192.0.2.1 192.0.2.2 1024 80\r\n"))
			c.CloseWrite()
			io.Copy(io.Discard, c)
		}, map[string]any{"end": "done", "client": "192.0.2.1:1024", "bytes_in": 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, driver string) {
				name := filepath.Join(t.TempDir(), "log")
				p, addr := startProxy(t, c.back, append(strings.Fields(c.args), "-driver", driver, "-log", name)...)
				conn := dial(t, addr)
				if c.want["client"] == nil {
					c.want["client"] = conn.LocalAddr()
					defer delete(c.want, "client")
				}
				c.client(conn)
				conn.Close()
				p.finish()
				wantLogged(t, name, c.want)
			})
		})
	}
}

// TestProxyLogNobody: the line of a connection that found no upstream names the last one, and the cause.
func TestProxyLogNobody(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		to, name := socktest.Refusing(t), filepath.Join(t.TempDir(), "log")
		p, addr := startProxyTo(t, to, "-to", "unix:///nowhere", "-driver", driver, "-log", name)
		if c, err := net.Dial("tcp", addr); err == nil { // else the reset was as quick as that
			c.Close()
		}
		p.line("connection of")
		p.finish()
		wantLogged(t, name, map[string]any{"end": "dial", "tries": 2, "wait_us": nil})
		why := fmt.Sprint(logged(t, name)[0]["error"])
		if !strings.Contains(why, to) || !strings.Contains(why, "/nowhere") {
			t.Errorf("the error is %q", why)
		}
	})
}

// TestProxyLogDrain: what the grace has ended has a line that says so, and a request an answer that does not blame its
// client, also one whose body was still to come.
func TestProxyLogDrain(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		for _, c := range []struct{ args, text string }{
			{"", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
			{"-http", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
			{"-http", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc"},
		} {
			name, came := filepath.Join(t.TempDir(), "log"), make(chan struct{})
			p, addr := startProxy(t, func(c *net.TCPConn) {
				io.ReadFull(c, make([]byte, 3))
				close(came)
				io.Copy(io.Discard, c)
			}, append(strings.Fields(c.args), "-driver", driver, "-grace", "20ms", "-log", name)...)
			conn := dial(t, addr)
			io.WriteString(conn, c.text)
			patience.Recv(t, "the request", came)
			want := map[string]any{"end": "drain"}
			if p.finish(); c.args != "" {
				want["status"] = 502
				if a, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || a.StatusCode != 502 {
					t.Errorf("%.4s: the answer is %v, %v", c.text, a, err)
				}
			}
			wantLogged(t, name, want)
		}
	})
}

// TestProxyLogMax: what waits for -max when the grace is over is reset, and has a line that says so.
func TestProxyLogMax(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		name := filepath.Join(t.TempDir(), "log")
		p, addr := startProxy(t, echoes, "-driver", driver, "-max", "1", "-loops", "1", "-grace", "0s", "-stats",
			"20ms", "-log", name)
		first := holdConn(t, addr)
		waiting := dial(t, addr)
		p.waits("1")
		p.finish()
		for _, c := range []net.Conn{first, waiting} {
			if _, err := io.Copy(io.Discard, c); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the end of %v is %v, want a reset", c.LocalAddr(), err)
			}
		}
		ends := map[string]any{}
		for _, line := range logged(t, name) {
			ends[fmt.Sprint(line["client"])] = line["end"]
		}
		want := map[string]any{first.LocalAddr().String(): "drain", waiting.LocalAddr().String(): "drain"}
		if !maps.Equal(ends, want) {
			t.Errorf("the log has %v, want %v", ends, want)
		}
	})
}

// TestProxyHTTPLog: a line for each request, that no request can forge, says what has come of it.
func TestProxyHTTPLog(t *testing.T) {
	answers := func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", "5")
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, "12345")
	}
	const host = " HTTP/1.1\r\nHost: h\r\n"
	for _, c := range []struct {
		name, text string
		back       http.HandlerFunc
		want       map[string]any
	}{
		{"GET", "GET /a?b=\"\\\xff" + host + "\r\n", answers, map[string]any{"end": "done", "status": 404,
			"method": "GET", "uri": "/a?b=\"\\\ufffd", "host": "h", "proto": "HTTP/1.1",
			"bytes_in": 0, "bytes_out": 5, "tries": 1}},
		{"HEAD", "HEAD /" + host + "\r\n", answers, map[string]any{"end": "done", "status": 404, "bytes_out": 0}},
		{"POST", "POST /" + host + "Content-Length: 3\r\n\r\nabc", answers,
			map[string]any{"end": "done", "bytes_in": 3, "bytes_out": 5}},
		{"late", "GET /" + host + "\r\n", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			map[string]any{"end": "timeout", "status": 504, "first_us": nil}},
		{"torn", "GET /" + host + "\r\n", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "abc")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, map[string]any{"end": "upstream", "status": 200, "bytes_out": 3, "error": "unexpected EOF"}},
		{"none", "POST /" + host + "Content-Length: 1\r\n\r\nx", func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		}, map[string]any{"end": "upstream", "status": 502}},
		{"CONNECT", "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n", answers,
			map[string]any{"end": "refused", "status": 405, "upstream": nil}},
		{"nonsense", "nonsense\r\n\r\n", answers,
			map[string]any{"end": "refused", "status": 400, "upstream": nil, "method": nil}},
		{"417", "GET /" + host + "Expect: x\r\n\r\n", answers,
			map[string]any{"end": "refused", "status": 417, "upstream": nil, "method": "GET"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, driver string) {
				name := filepath.Join(t.TempDir(), "log")
				args := []string{"-driver", driver, "-log", name}
				if c.name == "late" {
					args = append(args, "-answer", "100ms")
				}
				p, addr, _ := startWeb(t, c.back, args...)
				conn := dial(t, addr)
				io.WriteString(conn, c.text)
				readAnswer(bufio.NewReader(conn), strings.Fields(c.text)[0])
				at := conn.LocalAddr().String()
				conn.Close()
				p.finish()
				wantLogged(t, name, c.want)
				if got := logged(t, name)[0]["client"]; got != at {
					t.Errorf("the client is %v, want %s", got, at)
				}
			})
		})
	}
}

// TestProxyHTTPLogGone: a client that goes before its answer, or while its body comes, has a line that says so.
func TestProxyHTTPLogGone(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		for text, status := range map[string]any{
			"GET / HTTP/1.1\r\nHost: h\r\n\r\n":                          nil,
			"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc": nil,
		} {
			came, name := make(chan struct{}, 1), filepath.Join(t.TempDir(), "log")
			p, addr, _ := startWeb(t, func(w http.ResponseWriter, r *http.Request) {
				came <- struct{}{}
				io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
			}, "-driver", driver, "-log", name, "-answer", "1h")
			conn := dial(t, addr)
			io.WriteString(conn, text)
			patience.Recv(t, "the request", came)
			conn.Close()
			p.finish()
			wantLogged(t, name, map[string]any{"end": "client", "first_us": status, "uri": "/"})
		}
	})
}

// TestProxyHTTPLogUpgrade: what passes after an upgrade counts.
func TestProxyHTTPLogUpgrade(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		name := filepath.Join(t.TempDir(), "log")
		p, addr, _ := startWeb(t, func(w http.ResponseWriter, r *http.Request) {
			c, buffered, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nhello")
			io.ReadFull(buffered, make([]byte, 3))
		}, "-driver", driver, "-log", name)
		c := dial(t, addr)
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nabc")
		io.Copy(io.Discard, c)
		c.Close()
		p.finish()
		wantLogged(t, name, map[string]any{"end": "done", "status": 101, "bytes_in": 3, "bytes_out": 5})
	})
}

// TestProxyLogRotate: a log that was renamed is left at SIGHUP, and has a line for each connection until then.
func TestProxyLogRotate(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		name := filepath.Join(t.TempDir(), "log")
		p, addr := startProxy(t, echoes, "-driver", driver, "-log", name)
		visit := func() {
			if err := exchange(addr, 10); err != nil {
				t.Error(err)
			}
		}
		visit()
		if err := os.Rename(name, name+".old"); err != nil {
			t.Fatal(err)
		}
		p.signal(syscall.SIGHUP)
		socktest.Eventually(t, "a new file", func() bool { _, err := os.Stat(name); return err == nil })
		visit()
		p.finish()
		if all := append(logged(t, name+".old"), logged(t, name)...); len(all) != 2 || len(logged(t, name)) == 0 {
			t.Errorf("%d lines, want 2, one of them in the new file", len(all))
		}
	})
}

// TestProxyLogBlocked: a log that nobody reads holds up no connection, and what was left out is told.
func TestProxyLogBlocked(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	p, addr, _ := startWeb(t, tellRequest, "-log", name, "-loops", "1")
	const requests = 1500
	c := dial(t, addr)
	answers := bufio.NewReader(c)
	text := "GET /" + strings.Repeat("x", 4000) + " HTTP/1.1\r\nHost: h\r\n\r\n"
	for range requests {
		io.WriteString(c, text)
		if a, _, err := readAnswer(answers, "GET"); err != nil || a.StatusCode != 200 {
			t.Fatalf("%v, %v", a, err)
		}
	}
	c.Close()
	lines := make(chan int, 1)
	go func() {
		n := 0
		for r := bufio.NewReader(reader); ; n++ {
			if line, err := r.ReadString('\n'); err != nil || line == "end\n" {
				lines <- n
				return
			}
		}
	}()
	var left int
	for line := range strings.Lines(p.finish()) {
		var n int
		if k, _ := fmt.Sscanf(line, "access log: %d lines were left out", &n); k == 1 {
			left += n
		}
	}
	io.WriteString(reader, "end\n")
	if said := patience.Recv(t, "the lines", lines); left == 0 || said+left != requests {
		t.Errorf("%d lines, %d left out, of %d", said, left, requests)
	}
}
