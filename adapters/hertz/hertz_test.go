package ringohertz_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
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

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/app/middlewares/server/recovery"
	"github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/hertz/pkg/network"
	"github.com/cloudwego/hertz/pkg/protocol/http1/resp"

	"ringo"
	ringohertz "ringo/adapters/hertz"
	"ringo/internal/test/patience"
)

// routes are those of most tests.
func routes(h *server.Hertz) {
	h.GET("/ping", func(_ context.Context, ctx *app.RequestContext) { ctx.String(http.StatusOK, "pong") })
	h.GET("/bytes/:n", func(_ context.Context, ctx *app.RequestContext) {
		var n int
		fmt.Sscan(ctx.Param("n"), &n)
		ctx.Write(pattern(n))
	})
	h.POST("/echo", func(_ context.Context, ctx *app.RequestContext) { ctx.Write(ctx.Request.Body()) })
	h.POST("/sum", func(_ context.Context, ctx *app.RequestContext) {
		sum := sha256.New()
		if _, err := io.Copy(sum, ctx.RequestBodyStream()); err != nil {
			ctx.AbortWithError(http.StatusBadRequest, err)
			return
		}
		fmt.Fprintf(ctx, "%x", sum.Sum(nil))
	})
	h.GET("/stream/:n", func(_ context.Context, ctx *app.RequestContext) {
		var n int
		fmt.Sscan(ctx.Param("n"), &n)
		ctx.SetBodyStream(bytes.NewReader(pattern(n)), -1) // by chunks
	})
	h.GET("/hijack", func(_ context.Context, ctx *app.RequestContext) {
		ctx.Hijack(func(c network.Conn) { io.Copy(c, c) })
	})
}

// pattern is n bytes that are not the same over and over.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i>>16) ^ byte(i>>8) ^ byte(i)
	}
	return p
}

// ask makes a request, and returns the answer's body.
func ask(t testing.TB, c *http.Client, method, url string, body io.Reader) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(patience.Context(t), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	p, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s, %d bytes, %v", method, url, r.Status, len(p), err)
	}
	return p
}

// Requests and answers of any size go both ways, on connections that are kept.
func TestSizes(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		s := serve(t, cfg, routes, server.WithMaxRequestBodySize(16<<20))
		c := client(t)
		for _, n := range []int{0, 1, 13, 4000, 4095, 4096, 4097, 16 << 10, 70000, 1 << 20, 5<<20 + 7} {
			want := pattern(n)
			if got := ask(t, c, "GET", fmt.Sprintf("http://%s/bytes/%d", s.addr, n), nil); !bytes.Equal(got, want) {
				t.Errorf("GET of %d: %d bytes", n, len(got))
			}
			if got := ask(t, c, "GET", fmt.Sprintf("http://%s/stream/%d", s.addr, n), nil); !bytes.Equal(got, want) {
				t.Errorf("GET of %d by chunks: %d bytes", n, len(got))
			}
			if got := ask(t, c, "POST", "http://"+s.addr+"/echo", bytes.NewReader(want)); !bytes.Equal(got, want) {
				t.Errorf("POST of %d: %d bytes", n, len(got))
			}
			chunked := struct{ io.Reader }{bytes.NewReader(want)}
			if got := ask(t, c, "POST", "http://"+s.addr+"/echo", chunked); !bytes.Equal(got, want) {
				t.Errorf("POST of %d by chunks: %d bytes", n, len(got))
			}
		}
	})
}

// A handler reads a body that comes while it runs, of known length and by chunks.
func TestBodyStreams(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		s := serve(t, cfg, routes, server.WithStreamBody(true), server.WithMaxRequestBodySize(64<<20))
		c := client(t)
		for _, n := range []int{1, 9000, 100000, 9 << 20} {
			want := fmt.Sprintf("%x", sha256.Sum256(pattern(n)))
			chunked := struct{ io.Reader }{bytes.NewReader(pattern(n))}
			for _, r := range []io.Reader{bytes.NewReader(pattern(n)), chunked} {
				if got := ask(t, c, "POST", "http://"+s.addr+"/sum", r); string(got) != want {
					t.Errorf("%d bytes: %s, want %s", n, got, want)
				}
			}
			// What a handler does not read is skipped.
			if got := ask(t, c, "GET", "http://"+s.addr+"/ping", bytes.NewReader(pattern(n))); string(got) != "pong" {
				t.Errorf("behind a body that was not read: %q", got)
			}
		}
	})
}

// Requests in one piece are answered in order, and so is one that comes byte by byte.
func TestPipelineAndDrip(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		s := serve(t, cfg, routes)
		p := dial(t, "tcp", s.addr)
		const n = 300
		var all strings.Builder
		for i := range n {
			fmt.Fprintf(&all, "GET /bytes/%d HTTP/1.1\r\nHost: x\r\nX-Fill: %s\r\n\r\n", i, strings.Repeat("x", 150))
		}
		io.WriteString(p, all.String())
		for i := range n {
			r := p.answer(t)
			if got, err := io.ReadAll(r.Body); err != nil || !bytes.Equal(got, pattern(i)) {
				t.Fatalf("answer %d: %d bytes, %v", i, len(got), err)
			}
		}
		drip := "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
		for i := range drip {
			io.WriteString(p, drip[i:i+1])
		}
		if got, err := io.ReadAll(p.answer(t).Body); err != nil || string(got) != "hello" {
			t.Errorf("byte by byte: %q, %v", got, err)
		}
	})
}

// A client is asked to go on with its body.
func TestContinue(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		s := serve(t, cfg, routes)
		p := dial(t, "tcp", s.addr)
		io.WriteString(p, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
		if r := p.answer(t); r.StatusCode != http.StatusContinue {
			t.Fatal(r.Status)
		}
		io.WriteString(p, "hello")
		if got, err := io.ReadAll(p.answer(t).Body); err != nil || string(got) != "hello" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// A peer that does not read holds up itself alone.
func TestSlowReader(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		cfg.Run.Loops = 1
		s := serve(t, cfg, routes)
		slow := dial(t, "tcp", s.addr)
		const n = 24 << 20
		fmt.Fprintf(slow, "GET /bytes/%d HTTP/1.1\r\nHost: x\r\n\r\n", n)
		c := client(t)
		for range 50 {
			ask(t, c, "GET", "http://"+s.addr+"/ping", nil)
		}
		if got, err := io.ReadAll(slow.answer(t).Body); err != nil || !bytes.Equal(got, pattern(n)) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}

// A hijacked connection is the handler's, with what came behind the request.
func TestHijack(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		s := serve(t, cfg, routes)
		p := dial(t, "tcp", s.addr)
		io.WriteString(p, "GET /hijack HTTP/1.1\r\nHost: x\r\n\r\nahead")
		p.answer(t)
		got := make([]byte, 5)
		if _, err := io.ReadFull(p, got); err != nil || string(got) != "ahead" {
			t.Fatalf("%q, %v", got, err)
		}
		want := pattern(1 << 20)
		go func() {
			p.Write(want)
			p.Conn.(*net.TCPConn).CloseWrite()
		}()
		if got, err := io.ReadAll(p); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes came back, %v", len(got), err)
		}
	})
}

// An answer is sent piece by piece while its handler runs.
func TestFlushWhileHandling(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		goOn := ringo.NewChan[struct{}](1)
		s := serve(t, cfg, func(h *server.Hertz) {
			h.GET("/", func(_ context.Context, ctx *app.RequestContext) {
				ctx.SetBodyStream(&steps{goOn: goOn}, -1)
			})
		})
		p := dial(t, "tcp", s.addr)
		io.WriteString(p, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		r := p.answer(t)
		for range 3 {
			got := make([]byte, 4)
			if _, err := io.ReadFull(r.Body, got); err != nil || string(got) != "step" {
				t.Fatalf("%q, %v", got, err)
			}
			goOn.Send(struct{}{})
		}
		if rest, err := io.ReadAll(r.Body); err != nil || len(rest) != 0 {
			t.Errorf("%q, %v", rest, err)
		}
	})
}

// steps is a stream of three steps, each of which waits until the one before has been read.
type steps struct {
	goOn *ringo.Chan[struct{}]
	n    int
}

func (s *steps) Read(p []byte) (int, error) {
	if s.n > 0 {
		s.goOn.Recv()
	}
	if s.n == 3 {
		return 0, io.EOF
	}
	s.n++
	return copy(p, "step"), nil
}

// A file is sent from where it is.
func TestFiles(t *testing.T) {
	want := pattern(100000)
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, want, 0o600); err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		s := serve(t, cfg, func(h *server.Hertz) {
			h.GET("/", func(_ context.Context, ctx *app.RequestContext) {
				f, err := os.Open(name)
				if err != nil {
					ctx.AbortWithError(http.StatusInternalServerError, err)
					return
				}
				ctx.SetBodyStream(f, len(want))
			})
		})
		for range 2 {
			if got := ask(t, client(t), "GET", "http://"+s.addr+"/", nil); !bytes.Equal(got, want) {
				t.Errorf("%d bytes", len(got))
			}
		}
	})
}

// TLS, with the choice of a protocol.
func TestTLS(t *testing.T) {
	std := httptest.NewUnstartedServer(nil)
	std.StartTLS()
	defer std.Close()
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		s := serve(t, cfg, routes, server.WithTLS(std.TLS.Clone()), server.WithALPN(true),
			server.WithMaxRequestBodySize(16<<20))
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		defer c.CloseIdleConnections()
		for _, n := range []int{1, 5000, 1 << 20} {
			want := pattern(n)
			if got := ask(t, c, "POST", "https://"+s.addr+"/echo", bytes.NewReader(want)); !bytes.Equal(got, want) {
				t.Errorf("POST of %d: %d bytes", n, len(got))
			}
			if got := ask(t, c, "GET", fmt.Sprintf("https://%s/stream/%d", s.addr, n), nil); len(got) != n {
				t.Errorf("GET of %d: %d bytes", n, len(got))
			}
		}
	})
}

// A socket that the program made is taken over, of TCP and of Unix; and an address of Unix is listened on.
func TestListeners(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		path := filepath.Join(t.TempDir(), "sock")
		for _, c := range []struct{ network, addr string }{{"tcp", "127.0.0.1:0"}, {"unix", path}} {
			ln, err := net.Listen(c.network, c.addr)
			if err != nil {
				t.Fatal(err)
			}
			get(t, serve(t, cfg, routes, server.WithListener(ln)), c.network)
		}
		s := serve(t, cfg, routes, server.WithNetwork("unix"), server.WithHostPorts(filepath.Join(t.TempDir(), "s")))
		get(t, s, "unix")
		s = serve(t, cfg, routes, server.WithListenConfig(&net.ListenConfig{}))
		get(t, s, "tcp")
	})
}

func get(t *testing.T, s *served, network string) {
	t.Helper()
	p := dial(t, network, s.addr)
	io.WriteString(p, "GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if got, err := io.ReadAll(p.answer(t).Body); err != nil || string(got) != "pong" {
		t.Errorf("%s: %q, %v", network, got, err)
	}
}

// A listener of another kind is refused, with its type.
func TestForeignListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	h := server.New(server.WithTransport(ringohertz.NewTransporter), server.WithListener(struct{ net.Listener }{ln}))
	if err := h.Run(); err == nil || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Run: %v", err)
	}
}

// The program's hooks are called for each connection, and what they return is the context of its requests.
func TestHooks(t *testing.T) {
	type key string
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		s := serve(t, cfg, func(h *server.Hertz) {
			h.GET("/", func(c context.Context, ctx *app.RequestContext) {
				ctx.String(http.StatusOK, "%v %v", c.Value(key("accept")), c.Value(key("connect")))
			})
		}, server.WithOnAccept(func(c net.Conn) context.Context {
			return context.WithValue(context.Background(), key("accept"), c.RemoteAddr().Network())
		}), server.WithOnConnect(func(ctx context.Context, c network.Conn) context.Context {
			return context.WithValue(ctx, key("connect"), c.LocalAddr().String())
		}))
		if got := ask(t, client(t), "GET", "http://"+s.addr+"/", nil); string(got) != "tcp "+s.addr {
			t.Errorf("%q", got)
		}
	})
}

// A request's context ends when its client leaves, and does not if it stays.
func TestSenseClientDisconnection(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		left := make(chan error, 1)
		s := serve(t, cfg, func(h *server.Hertz) {
			routes(h)
			h.GET("/wait", ringohertz.Goroutine, func(c context.Context, _ *app.RequestContext) {
				<-c.Done()
				left <- c.Err()
			})
		}, server.WithSenseClientDisconnection(true))
		c := client(t)
		for range 5 {
			ask(t, c, "GET", "http://"+s.addr+"/ping", nil)
		}
		p := dial(t, "tcp", s.addr)
		io.WriteString(p, "GET /ping HTTP/1.1\r\nHost: x\r\n\r\nGET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
		for range 2 {
			if got, err := io.ReadAll(p.answer(t).Body); err != nil || string(got) != "pong" {
				t.Errorf("%q, %v", got, err)
			}
		}
		p = dial(t, "tcp", s.addr)
		io.WriteString(p, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
		p.Close()
		if err := patience.Recv(t, "the end of the context", left); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// A handler sends pieces while the connection is watched and the client's next request comes.
func TestFlushWhileWatched(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		const pieces = 200
		s := serve(t, cfg, func(h *server.Hertz) {
			h.GET("/", func(_ context.Context, ctx *app.RequestContext) {
				ctx.Response.HijackWriter(resp.NewChunkedBodyWriter(&ctx.Response, ctx.GetWriter()))
				for range pieces {
					ctx.Write([]byte("piece"))
					if err := ctx.Flush(); err != nil {
						t.Error(err)
					}
				}
			})
		}, server.WithSenseClientDisconnection(true))
		for range 10 {
			p := dial(t, "tcp", s.addr)
			io.WriteString(p, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			for i := range 2 {
				r := p.answer(t) // of which the rest is still to come
				if i == 0 {
					io.WriteString(p, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				}
				if got, err := io.ReadAll(r.Body); err != nil || len(got) != pieces*len("piece") {
					t.Errorf("answer %d: %d bytes, %v", i, len(got), err)
				}
			}
			p.Close()
		}
	})
}

// The middleware Goroutine leaves the loop free, and hands panics on.
func TestGoroutine(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		cfg.Run.Loops = 1
		goOn := make(chan struct{})
		s := serve(t, cfg, func(h *server.Hertz) {
			routes(h)
			h.Use(recovery.Recovery(recovery.WithRecoveryHandler(func(_ context.Context, ctx *app.RequestContext,
				v interface{}, _ []byte) {
				ctx.String(http.StatusOK, "recovered")
			})))
			h.GET("/wait", ringohertz.Goroutine, func(_ context.Context, ctx *app.RequestContext) {
				<-goOn
				ctx.String(http.StatusOK, "waited")
			})
			h.GET("/panic", ringohertz.Goroutine, func(context.Context, *app.RequestContext) { panic("oh") })
		})
		p := dial(t, "tcp", s.addr)
		io.WriteString(p, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
		c := client(t)
		for range 3 {
			ask(t, c, "GET", "http://"+s.addr+"/ping", nil)
		}
		close(goOn)
		if got, err := io.ReadAll(p.answer(t).Body); err != nil || string(got) != "waited" {
			t.Errorf("%q, %v", got, err)
		}
		if got := ask(t, c, "GET", "http://"+s.addr+"/panic", nil); string(got) != "recovered" {
			t.Errorf("a panic is answered %q", got)
		}
	})
}

// Timeouts end connections: one that says nothing, one in a head, one between two requests.
func TestTimeouts(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		s := serve(t, cfg, routes, server.WithReadTimeout(50*time.Millisecond),
			server.WithIdleTimeout(50*time.Millisecond))
		for _, say := range []string{"", "GET /ping HT", "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"} {
			p := dial(t, "tcp", s.addr)
			io.WriteString(p, say)
			if _, err := io.ReadAll(p); err != nil {
				t.Errorf("after %q: %v", say, err)
			}
		}
	})
}

// An idle timeout of 0 is no limit, and does not end a connection behind its first answer.
func TestNoIdleTimeout(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		s := serve(t, cfg, routes, server.WithIdleTimeout(0), server.WithReadTimeout(0))
		p := dial(t, "tcp", s.addr)
		for range 3 {
			io.WriteString(p, "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
			if got, err := io.ReadAll(p.answer(t).Body); err != nil || string(got) != "pong" {
				t.Fatalf("%q, %v", got, err)
			}
		}
	})
}

// What was peeked at, of all sizes, stays as it is until Release, whatever is peeked at and read later.
func TestPeeked(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		result := ringo.NewChan[string](1)
		s := serve(t, cfg, func(h *server.Hertz) {
			h.GET("/", func(_ context.Context, ctx *app.RequestContext) {
				ctx.Hijack(func(c network.Conn) { result.Send(peekAll(c)) })
			})
		})
		p := dial(t, "tcp", s.addr)
		io.WriteString(p, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		p.answer(t)
		p.Write(pattern(200000))
		if got, _ := result.Recv(); got != "" {
			t.Error(got)
		}
	})
}

// peekAll reads the pattern in growing steps without a Release, and looks at all of it at the end.
func peekAll(c network.Conn) (wrong string) {
	var peeked [][]byte
	at := 0
	for n := 1; at+n < 200000; n = min(n*3, 5000) {
		p, err := c.Peek(n)
		if err != nil || len(p) != n {
			return fmt.Sprintf("Peek(%d): %d bytes, %v", n, len(p), err)
		}
		peeked = append(peeked, p)
		if err := c.Skip(n); err != nil {
			return err.Error()
		}
		at += n
	}
	if !bytes.Equal(bytes.Join(peeked, nil), pattern(at)) {
		return "what was peeked at has changed"
	}
	if err := c.Release(); err != nil {
		return err.Error()
	}
	if err := c.Skip(200000 - at - 1); err != nil {
		return err.Error()
	}
	if b, err := c.ReadByte(); err != nil || b != pattern(200000)[199999] {
		return fmt.Sprintf("the last byte is %d, %v", b, err)
	}
	return ""
}

// A peer that does not read is given up after the write timeout.
func TestWriteTimeout(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		failed := make(chan error, 1)
		s := serve(t, cfg, func(h *server.Hertz) {
			h.GET("/", func(_ context.Context, ctx *app.RequestContext) {
				ctx.Hijack(func(c network.Conn) {
					c.SetWriteTimeout(20 * time.Millisecond)
					var err error
					for err == nil {
						c.WriteBinary(pattern(1 << 20))
						err = c.Flush()
					}
					failed <- err
				})
			})
		})
		p := dial(t, "tcp", s.addr)
		io.WriteString(p, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if err := patience.Recv(t, "the end of the writes", failed); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	})
}

// A connection that ends with bytes that were not read gives its buffers back.
func TestLeases(t *testing.T) {
	each(t, func(t *testing.T, cfg *ringohertz.Config) {
		loops := make(chan *ringo.Loop, 2)
		cfg.Run.Start = func(l *ringo.Loop) error {
			loops <- l
			return nil
		}
		s := serve(t, cfg, func(h *server.Hertz) {
			h.GET("/", func(_ context.Context, ctx *app.RequestContext) {
				ctx.Hijack(func(c network.Conn) { c.Peek(5) })
			})
		})
		p := dial(t, "tcp", s.addr)
		io.WriteString(p, "GET / HTTP/1.1\r\nHost: x\r\n\r\nahead of it")
		io.ReadAll(p)
		for range 2 {
			l := patience.Recv(t, "a loop", loops)
			patience.Until(t, "the end of all leases", func() bool { return l.Stats().Leases == 0 })
		}
	})
}
