package sockhttp_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/internal/invariant"
	"ringo/internal/test/patience"
	"ringo/sock/sockhttp"
)

// A scenario is a handler and what a client says to it; what the client gets has to be what net/http gives it.
type scenario struct {
	name    string
	handler http.HandlerFunc
	client  func(t *testing.T, c *net.TCPConn) string // nil: it sends request, and what comes is compared
	request string
}

// until reads up to a text.
func until(t *testing.T, r *bufio.Reader, end string) string {
	t.Helper()
	var b strings.Builder
	for !strings.HasSuffix(b.String(), end) {
		c, err := r.ReadByte()
		if err != nil {
			t.Errorf("after %q: %v", b.String(), err)
			return b.String()
		}
		b.WriteByte(c)
	}
	return b.String()
}

var scenarios = []scenario{
	{name: "nothing", handler: func(http.ResponseWriter, *http.Request) {}, request: get("")},
	{name: "a status alone", handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) },
		request: get("")},
	{name: "no known status", handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(799) },
		request: get("")},
	{name: "204", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "x/y")
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(204)
		_, err := w.Write([]byte("x"))
		if err != http.ErrBodyNotAllowed {
			panic(err)
		}
	}, request: get("")},
	{name: "304", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "x/y")
		w.Header().Set("Etag", `"1"`)
		w.WriteHeader(304)
	}, request: get("")},
	{name: "HEAD of a length", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "7")
	}, request: "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + next},
	{name: "HEAD of a body", handler: func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "body") },
		request: "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + next},
	{name: "HEAD of much", handler: func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1<<16)) },
		request: "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + next},
	{name: "less than its length", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "7")
		io.WriteString(w, "short")
	}, request: get("") + next},
	{name: "more than its length", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "3")
		if _, err := io.WriteString(w, "longer"); err != http.ErrContentLength {
			panic(err)
		}
	}, request: get("") + next},
	{name: "no length", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "x")
		io.WriteString(w, "body")
	}, request: get("") + next},
	{name: "length and coding", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "4")
		w.Header().Set("Transfer-Encoding", "chunked")
		io.WriteString(w, "body")
	}, request: get("") + next},
	{name: "identity", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Transfer-Encoding", "identity")
		io.WriteString(w, "body")
	}, request: get("") + next},
	{name: "flushed", handler: func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "a")
		w.(http.Flusher).Flush()
		io.WriteString(w, "bc")
		http.NewResponseController(w).Flush()
	}, request: get("") + next},
	{name: "flushed in 1.0", handler: func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "a")
		w.(http.Flusher).Flush()
	}, request: "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + next},
	{name: "fields set late", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X", "1")
		w.WriteHeader(201)
		w.Header().Set("Y", "2")
		io.WriteString(w, "a")
	}, request: get("") + next},
	{name: "fields that are none", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["A b"] = []string{"1"}
		w.Header()["C"] = []string{"x\r\ny", " z "}
		w.Header()["Date"] = nil
		w.Header()["Content-Type"] = nil
		io.WriteString(w, "<html>")
	}, request: get("") + next},
	{name: "sniffed", handler: func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/next" {
			w.Header().Set("Content-Encoding", "x")
		}
		io.WriteString(w, "<html>")
	}, request: get("") + next},
	{name: "trailers", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X, Content-Length, Y")
		io.WriteString(w, "a")
		w.Header().Set("X", "1")
		w.Header().Set("Content-Length", "9")
		w.Header().Set(http.TrailerPrefix+"Z", "3")
	}, request: get("") + next},
	{name: "hints", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a>")
		w.WriteHeader(103)
		w.WriteHeader(102)
		w.Header().Del("Link")
		io.WriteString(w, "a")
	}, request: get("") + next},
	{name: "hints before leave to send", handler: func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(103)
		io.Copy(w, r.Body)
	}, request: post("Expect: 100-continue\r\nContent-Length: 3\r\n", "abc") + next},
	{name: "leave by hand", handler: func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(100)
		io.Copy(w, r.Body)
	}, request: post("Expect: 100-continue\r\nContent-Length: 3\r\n", "abc") + next},
	{name: "close", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
	}, request: get("") + next},
	{name: "keep-alive of 1.0", handler: func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "a")
	}, request: "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + next},
	{name: "panic", handler: func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "a")
		panic("a mistake")
	}, request: get("") + next},
	{name: "abort behind a flush", handler: func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "a")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}, request: get("") + next},
	{name: "body unread", handler: func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "a") },
		request: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000) + next},
	{name: "chunks unread", handler: func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "a") },
		request: chunked("4\r\nabcd\r\n0\r\n\r\n") + next},
	{name: "body closed", handler: func(w http.ResponseWriter, r *http.Request) {
		r.Body.Close()
		if _, err := r.Body.Read(make([]byte, 1)); err != http.ErrBodyReadAfterClose {
			panic(err)
		}
	}, request: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + next},
	{name: "read behind the answer", handler: func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "a")
		w.(http.Flusher).Flush()
		_, err := r.Body.Read(make([]byte, 1))
		fmt.Fprint(w, err)
	}, request: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + next},
	{name: "expected and refused", handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(413) },
		request: "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"},
	{name: "expected", handler: func(w http.ResponseWriter, r *http.Request) {
		p, _ := io.ReadAll(r.Body)
		w.Write(p)
	}, client: func(t *testing.T, c *net.TCPConn) string {
		io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
		r := bufio.NewReader(c)
		got := until(t, r, "\r\n\r\n")
		io.WriteString(c, "abc"+get("Connection: close\r\n"))
		rest, _ := io.ReadAll(r)
		return got + string(rest)
	}},
	{name: "both ways at once", handler: func(w http.ResponseWriter, r *http.Request) {
		ctl := http.NewResponseController(w)
		if err := ctl.EnableFullDuplex(); err != nil {
			panic(err)
		}
		lines := bufio.NewReader(r.Body)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			io.WriteString(w, strings.ToUpper(line))
			ctl.Flush()
		}
	}, client: func(t *testing.T, c *net.TCPConn) string {
		io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
		r := bufio.NewReader(c)
		got := ""
		for _, line := range []string{"one\n", "two\n", "three\n"} {
			fmt.Fprintf(c, "%x\r\n%s\r\n", len(line), line)
			got += until(t, r, strings.ToUpper(line)+"\r\n")
		}
		io.WriteString(c, "0\r\n\r\n"+get("Connection: close\r\n"))
		rest, _ := io.ReadAll(r)
		return got + string(rest)
	}},
	{name: "HTTP/2 by prior knowledge", handler: func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Method, r.RequestURI, r.Proto)
	}, request: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
}

// What a handler does reaches the client as from net/http, to the byte.
func TestScenarios(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, bytes.Repeat([]byte("0123456789"), 10000), 0o600); err != nil {
		t.Fatal(err)
	}
	files := scenario{name: "file",
		handler: func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) },
		request: get("") + get("Range: bytes=99990-\r\n")}
	for _, s := range append(scenarios, files) {
		t.Run(s.name, func(t *testing.T) {
			said := func(t *testing.T, addr string) string {
				if s.client == nil {
					return undated(exchange(t, addr, nil, s.request))
				}
				return undated(s.client(t, dial(t, addr)))
			}
			want := said(t, control(t, s.handler))
			everyWay(t, s.handler, func(t *testing.T, addr string) {
				if got := said(t, addr); got != want {
					t.Errorf("net/http and this:\n%.700q\n%.700q", want, got)
				}
			})
		})
	}
}

// wait waits for a context, in a task as well.
func wait(ctx context.Context) {
	ended := ringo.NewChan[bool](1)
	defer context.AfterFunc(ctx, func() { ended.TrySend(true) })()
	ended.Recv()
}

// The context of a request ends with its peer, with the handler, and not for what is sent behind the request.
func TestContext(t *testing.T) {
	for _, c := range []struct{ name, request string }{
		{"GET", get("")},
		{"a body that is read", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"},
		{"chunks", chunked("3\r\nabc\r\n0\r\n\r\n")},
	} {
		t.Run(c.name, func(t *testing.T) {
			contexts := make(chan context.Context, 1)
			ended := make(chan error, 1)
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				ctx, cancel := context.WithCancel(r.Context())
				defer cancel()
				contexts <- r.Context()
				wait(ctx)
				ended <- ctx.Err()
			})
			eachWay(t, h, nil, func(t *testing.T, addr string) {
				peer := dial(t, addr)
				io.WriteString(peer, c.request)
				ctx := patience.Recv(t, "the request", contexts)
				if err := ctx.Err(); err != nil {
					t.Errorf("the peer is there, and the context has ended: %v", err)
				}
				if s, ok := ctx.Value(http.ServerContextKey).(*http.Server); !ok || s == nil {
					t.Error("the context has no server")
				}
				if at, ok := ctx.Value(http.LocalAddrContextKey).(net.Addr); !ok || at.String() != addr {
					t.Errorf("the context's local address is %v, want %s", at, addr)
				}
				peer.Close()
				if err := patience.Recv(t, "the context's end", ended); err != context.Canceled {
					t.Errorf("ended by %v", err)
				}
			})
		})
	}
}

// The peer's end ends what a task waits for in the request's context. Such a request is used again as any, since it has
// ended for the task, too.
func TestWithContext(t *testing.T) {
	config, trusting := certified(t)
	socktestEach(t, func(t *testing.T, cfg ringo.Config) {
		for way, client := range map[string]*http.Client{"task": nil, "reusing": nil, "tls": trusting} {
			t.Run(way, func(t *testing.T) {
				requests, ended := make(chan *http.Request, 3), make(chan error, 1)
				h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					requests <- r
					l, _ := ringo.Current()
					wait := func() error { return nil }
					if r.URL.Path == "/" {
						wait = func() error { return l.Sleep(time.Hour) }
					}
					err := l.WithContext(r.Context(), wait)
					if r.URL.Path == "/" {
						ended <- err
					}
				})
				s := &sockhttp.Server{Handler: sockhttp.Task(h), TLSConfig: config}
				if way == "reusing" {
					s.Handler = sockhttp.TaskReusing(h)
				}
				c, in := connect(t, serve(t, cfg, way, s), client, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
				until(t, in, "\r\n\r\n")
				io.WriteString(c, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
				until(t, in, "\r\n\r\n")
				io.WriteString(c, get(""))
				one, two := patience.Recv(t, "a request", requests), patience.Recv(t, "a request", requests)
				if reused := one == two; reused != (way == "reusing" && !invariant.Enabled) {
					t.Errorf("reused: %v", reused)
				}
				patience.Recv(t, "the last request", requests)
				c.Close()
				if err := patience.Recv(t, "the end of its wait", ended); err != context.Canceled {
					t.Errorf("it ended by %v", err)
				}
			})
		}
	})
}

// When the handler has returned its context has ended, and its ResponseWriter and body are of no use, whoever has kept
// them.
func TestKept(t *testing.T) {
	type kept struct {
		w http.ResponseWriter
		r *http.Request
	}
	all := make(chan kept, 1)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { all <- kept{w, r} })
	eachWay(t, h, nil, func(t *testing.T, addr string) {
		c := dial(t, addr)
		io.WriteString(c, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
		until(t, bufio.NewReader(c), "\r\n\r\n")
		k := patience.Recv(t, "the request", all)
		patience.Done(t, "the context's end", k.r.Context().Done())
		io.WriteString(c, "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\ndef")
		if n, err := k.r.Body.Read(make([]byte, 3)); n != 0 || err != http.ErrBodyReadAfterClose {
			t.Errorf("read %d bytes, %v", n, err)
		}
		if n, err := k.w.Write([]byte("late")); n != 0 || err == nil {
			t.Errorf("wrote %d bytes, %v", n, err)
		}
		if got := until(t, bufio.NewReader(c), "\r\n\r\n"); strings.Contains(got, "late") || k.r.URL.Path != "/a" {
			t.Errorf("answered %q, the first request is for %s", got, k.r.URL)
		}
		patience.Recv(t, "the second request", all)
	})
}

// A handler on a goroutine keeps none of another from running, however many calls of Loop.Offload may.
func TestManyHandlers(t *testing.T) {
	const many = 40
	socktestEach(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Offload = 1
		in := make(chan bool, many)
		out := make(chan bool)
		h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			in <- true
			<-out
		})
		addr := serve(t, cfg, "loop", &sockhttp.Server{Handler: h})
		var peers []net.Conn
		for range many {
			c := dial(t, addr)
			io.WriteString(c, get("Connection: close\r\n"))
			peers = append(peers, c)
		}
		for range many {
			patience.Recv(t, "a handler", in)
		}
		close(out)
		for _, c := range peers {
			if got, err := io.ReadAll(c); !strings.HasPrefix(string(got), "HTTP/1.1 200") || err != nil {
				t.Errorf("answered %q, %v", got, err)
			}
		}
	})
}

// BaseContext is given the listener that Serve was, and a request's context is made of what it returns.
func TestBaseContext(t *testing.T) {
	type key struct{}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Context().Value(key{})) })
	set := func(s *sockhttp.Server) {
		s.BaseContext = func(ln net.Listener) context.Context {
			return context.WithValue(context.Background(), key{}, fmt.Sprintf("%T", ln))
		}
	}
	eachWay(t, h, set, func(t *testing.T, addr string) {
		if got := exchange(t, addr, nil, get("")); !strings.HasSuffix(got, "\r\n\r\n*sock.Listener") {
			t.Errorf("answered %q", got)
		}
	})
}

// What a ServeMux puts into a request is there, wherever it was asked.
func TestPatterns(t *testing.T) {
	seen := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %q %q %s", place(), r.Pattern, r.PathValue("id"), r.PathValue("rest"))
	})
	routes := func(mark func(http.Handler) http.Handler) *http.ServeMux {
		mux := http.NewServeMux()
		for _, pattern := range []string{"/plain", "GET /got", "/tree/", "/of/{id}", "/all/{rest...}", "/end/{$}"} {
			mux.Handle(pattern, mark(seen))
		}
		return mux
	}
	paths := []string{"/plain", "/got", "/tree/a/b", "/tree", "/of/12", "/all/x/y", "/end/", "/end/x", "/none",
		"//plain"}
	ask := func(t *testing.T, url string) (all []string) {
		client := &http.Client{Transport: new(http.Transport),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		defer client.CloseIdleConnections()
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			for _, path := range append(paths, "*") {
				req, err := http.NewRequest(method, url, nil)
				if err != nil {
					t.Fatal(err)
				}
				req.URL.Opaque = path
				res, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				p, _ := io.ReadAll(res.Body)
				res.Body.Close()
				to := res.Header.Get("Location")
				all = append(all, fmt.Sprint(method, " ", path, ": ", res.StatusCode, " ", to, " ",
					strings.TrimPrefix(strings.TrimPrefix(string(p), "task "), "goroutine ")))
			}
		}
		return all
	}
	std := httptest.NewServer(routes(func(h http.Handler) http.Handler { return h }))
	want := ask(t, std.URL)
	std.Close()
	for name, mark := range map[string]func(http.Handler) http.Handler{
		"tasks":      sockhttp.Task,
		"goroutines": func(h http.Handler) http.Handler { return h },
	} {
		mux := routes(mark)
		mux.Handle("/task", sockhttp.Task(seen)) // so that it is asked
		t.Run(name, func(t *testing.T) {
			socktestEach(t, func(t *testing.T, cfg ringo.Config) {
				got := ask(t, "http://"+serve(t, cfg, "goroutine", &sockhttp.Server{Handler: mux}))
				for i := range want {
					if got[i] != want[i] {
						t.Errorf("%s, want %s", got[i], want[i])
					}
				}
			})
		})
	}
}

// A body may be read when its handler has returned, as a client does that a proxy has given it to and that was answered
// early: the server does not read beside it, and is not held up by it.
func TestBodyIsReadBehindItsHandler(t *testing.T) {
	ended := make(chan error, 1)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			return
		}
		begun := ringo.NewChan[bool](1)
		go func() {
			var p [100]byte
			_, err := io.ReadFull(r.Body, p[:])
			begun.TrySend(true)
			for err == nil {
				_, err = r.Body.Read(p[:])
			}
			ended <- err
		}()
		begun.Recv()
	})
	eachWay(t, h, nil, func(t *testing.T, addr string) {
		for _, c := range []struct {
			name, fields, body string
			last               bool
		}{
			{"length", "Content-Length: 100000\r\n", strings.Repeat("x", 100_000), false},
			{"chunks", "Transfer-Encoding: chunked\r\n",
				strings.Repeat("a\r\n0123456789\r\n", 10_000) + "0\r\n\r\n", false},
			{"too long", "Content-Length: 1000000\r\n", strings.Repeat("x", 100_000), true},
			{"last", "Connection: close\r\nContent-Length: 100000\r\n", strings.Repeat("x", 50_000), true},
		} {
			for range 5 {
				text := post(c.fields, c.body)
				if !c.last {
					text += get("Connection: close\r\n")
				}
				want := map[bool]int{false: 2, true: 1}[c.last]
				if got := exchange(t, addr, nil, text); strings.Count(got, "HTTP/1.1 200") != want {
					t.Errorf("%s: answered %q, want %d answers", c.name, got, want)
				}
				patience.Recv(t, "the reader", ended)
			}
		}
	})
}

// One may read the body while another answers: 100 Continue comes before the answer, or not at all.
func TestContinueBesideAnswer(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		read := ringo.NewChan[bool](1)
		go func() {
			io.Copy(io.Discard, r.Body)
			read.TrySend(true)
		}()
		http.NewResponseController(w).EnableFullDuplex()
		io.WriteString(w, "answer")
		http.NewResponseController(w).Flush()
		read.Recv()
	})
	text := post("Expect: 100-continue\r\nConnection: close\r\nContent-Length: 3\r\n", "abc")
	eachWay(t, h, nil, func(t *testing.T, addr string) {
		for range 50 {
			got := exchange(t, addr, nil, text)
			got = strings.TrimPrefix(got, "HTTP/1.1 100 Continue\r\n\r\n")
			if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || strings.Contains(got, "100 Continue") {
				t.Fatalf("%q", got)
			}
		}
	})
}

// Routes of a ServeMux are marked one by one; another router is marked as a whole, and its routes go elsewhere.
func TestWhere(t *testing.T) {
	where := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, place()) })
	mux := http.NewServeMux()
	mux.Handle("/task", sockhttp.Task(where))
	mux.Handle("/goroutine", where)
	router := http.NewServeMux()
	router.Handle("/task", where)
	router.Handle("/goroutine", sockhttp.Goroutine(where))
	hidden := http.HandlerFunc(router.ServeHTTP) // as one that nobody can look into
	for name, h := range map[string]http.Handler{"mux": mux, "router": sockhttp.Task(hidden)} {
		t.Run(name, func(t *testing.T) {
			socktestEach(t, func(t *testing.T, cfg ringo.Config) {
				addr := serve(t, cfg, "loop", &sockhttp.Server{Handler: h})
				for _, want := range []string{"task", "goroutine"} {
					got := exchange(t, addr, nil, "GET /"+want+" HTTP/1.1\r\nHost: a\r\n\r\n")
					if !strings.HasSuffix(got, "\r\n\r\n"+want) {
						t.Errorf("/%s runs elsewhere: %q", want, got)
					}
				}
			})
		})
	}
}

// Another goroutine may ask for the end of a request while its handler reads the body.
func TestContextAskedBesideBody(t *testing.T) {
	ended := make(chan bool)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		go func() {
			<-r.Context().Done()
			ended <- true
		}()
		io.Copy(io.Discard, r.Body)
	})
	body := strings.Repeat("x", 100000)
	eachWay(t, h, nil, func(t *testing.T, addr string) {
		tr := new(http.Transport)
		defer tr.CloseIdleConnections()
		for range 30 {
			res, err := (&http.Client{Transport: tr}).Post("http://"+addr, "x/y", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			patience.Recv(t, "the end of the context", ended)
		}
	})
}
