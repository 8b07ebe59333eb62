package sockhttp_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"ringo"
	"ringo/internal/hosted"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

func TestMain(m *testing.M) {
	hosted.Shared() // its rings stay, so they are there before the tests
	testmain.Main(m)
}

// ways are those in which a handler is served.
var ways = []string{"task", "goroutine", "listener"}

// eachWay runs f for a server of each way, on each driver.
func eachWay(t *testing.T, h http.Handler, set func(*sockhttp.Server), f func(t *testing.T, addr string)) {
	t.Helper()
	inWays(t, ways, h, set, f)
}

// everyWay is eachWay, and has tasks that reuse requests, too: it is for handlers that keep nothing.
func everyWay(t *testing.T, h http.Handler, f func(t *testing.T, addr string)) {
	t.Helper()
	inWays(t, append([]string{"reusing"}, ways...), h, nil, f)
}

func inWays(t *testing.T, ways []string, h http.Handler, set func(*sockhttp.Server),
	f func(t *testing.T, addr string)) {
	t.Helper()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, way := range ways {
			t.Run(way, func(t *testing.T) {
				s := &sockhttp.Server{Handler: h, ErrorLog: slog.New(slog.NewTextHandler(io.Discard, nil))}
				switch way {
				case "task":
					s.Handler = sockhttp.Task(h)
				case "reusing":
					s.Handler = sockhttp.TaskReusing(h)
				}
				if set != nil {
					set(s)
				}
				f(t, serve(t, cfg, way, s))
			})
		}
	})
}

// serve serves until the test ends, and returns where.
func serve(t *testing.T, cfg ringo.Config, way string, s *sockhttp.Server) string {
	t.Helper()
	cfg.Loops = 1
	ctx, cancel := context.WithCancel(context.Background())
	at := make(chan string, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- ringo.Run(ctx, &cfg, func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			at <- ln.Addr().String()
			if way == "tls" {
				err = s.ServeTLS(ln, "", "")
			} else if way == "listener" {
				err = l.Offload(func(context.Context) error {
					err := s.Serve(ln)
					<-ctx.Done() // the loop is there for connections that are still served
					return err
				})
			} else {
				err = s.Serve(ln)
			}
			if err != http.ErrServerClosed && ctx.Err() == nil {
				return fmt.Errorf("Serve: %w", err)
			}
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := patience.Recv(t, "the server's end", ended); err != nil {
			t.Error(err)
		}
	})
	select {
	case addr := <-at:
		return addr
	case err := <-ended:
		t.Fatal(err)
		return ""
	}
}

// socktestEach is for tests of one way.
func socktestEach(t *testing.T, f func(t *testing.T, cfg ringo.Config)) {
	t.Helper()
	socktest.EachDriver(t, f)
}

// place is where the caller runs.
func place() string {
	if l, _ := ringo.Current(); l != nil {
		return "task"
	}
	return "goroutine"
}

// dial connects, for as long as tests are patient.
func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(patience.Deadline())
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// exchange sends bytes, cut into pieces, ends its side, and returns all that comes.
func exchange(t testing.TB, addr string, cuts []int, sent string) string {
	t.Helper()
	c := dial(t, addr)
	defer c.Close()
	go func() {
		from := 0
		for _, cut := range append(cuts, len(sent)) {
			if _, err := io.WriteString(c, sent[from:cut]); err != nil {
				return // the server has seen enough
			}
			from = cut
		}
		c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil && len(got) == 0 {
		return err.Error()
	}
	return string(got)
}
