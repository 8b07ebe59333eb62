package sockhttp_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

// Sockets of several networks are served on all loops, and at the end a request that is under way on one, where the
// other has none: the one that ends first does not end the other.
func TestServeSets(t *testing.T) {
	config, trusting := certified(t)
	client := trusting.Transport.(*http.Transport).TLSClientConfig.Clone()
	client.ServerName = "example.com"
	for _, way := range []string{"task", "goroutine", "TLS"} {
		for last, end := range []string{"of the context", "by Shutdown"} {
			t.Run(way+", end "+end, func(t *testing.T) {
				socktestEach(t, func(t *testing.T, cfg ringo.Config) {
					cfg.Loops = 2
					var sets []*sock.ListenerSet
					for _, at := range [][2]string{{"tcp", "127.0.0.1:0"}, {"unix", filepath.Join(t.TempDir(), "s")}} {
						set, err := sock.Reserve(at[0], at[1])
						if err != nil {
							t.Fatal(err)
						}
						sets = append(sets, set)
					}
					h := waiting{make(chan struct{}, 1), ringo.NewChan[struct{}](0)}
					mux := http.NewServeMux()
					mux.Handle("/waits", h)
					mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
						fmt.Fprint(w, r.Context().Value(http.LocalAddrContextKey).(net.Addr).Network())
					})
					s := &sockhttp.Server{Handler: mux, TLSConfig: config, ErrorLog: slog.New(slog.DiscardHandler)}
					if way == "task" {
						s.Handler = sockhttp.Task(mux)
					}
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					ended := make(chan error, 1)
					go func() {
						if way == "TLS" {
							ended <- s.ServeSetsTLS(ctx, &cfg, sets, "", "")
						} else {
							ended <- s.ServeSets(ctx, &cfg, sets)
						}
					}()
					// connected connects to a socket, and returns where the answer to its request comes.
					connected := func(set *sock.ListenerSet, path string) *bufio.Reader {
						c, err := net.Dial(set.Addr().Network(), set.Addr().String())
						if err != nil {
							t.Fatal(err)
						}
						t.Cleanup(func() { c.Close() })
						c.SetDeadline(patience.Deadline())
						if way == "TLS" {
							c = tls.Client(c, client)
						}
						if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
							t.Fatal(err)
						}
						return bufio.NewReader(c)
					}
					for _, set := range sets {
						_, body, err := readAnswer(connected(set, "/"), "GET")
						if err != nil || body != set.Addr().Network() {
							t.Errorf("%q, %v from %v", body, err, set.Addr())
						}
					}
					waits := connected(sets[last], "/waits")
					patience.Recv(t, "the request", h.in)
					shut := make(chan error, 1)
					want := error(nil)
					if end == "by Shutdown" {
						want = http.ErrServerClosed
						go func() { shut <- s.Shutdown(context.Background()) }()
					} else {
						cancel()
						shut <- nil
					}
					for _, set := range sets {
						patience.Until(t, "the end of accepts", func() bool {
							c, err := net.Dial(set.Addr().Network(), set.Addr().String())
							if err == nil {
								c.Close()
							}
							return err != nil
						})
					}
					select {
					case err := <-ended:
						t.Fatalf("it has not waited: %v", err)
					default:
					}
					h.goes.Close()
					if _, body, err := readAnswer(waits, "GET"); err != nil || body != "answered" {
						t.Errorf("at the end: %q, %v from %v", body, err, sets[last].Addr())
					}
					if err := patience.Recv(t, "Shutdown", shut); err != nil {
						t.Error(err)
					}
					if err := patience.Recv(t, "its end", ended); err != want {
						t.Errorf("ServeSets: %v, want %v", err, want)
					}
				})
			})
		}
	}
}

// What can't be served is an error that says why, and the sockets are closed then, too.
func TestServeSetsMisuse(t *testing.T) {
	s := &sockhttp.Server{Handler: http.NotFoundHandler()}
	reserve := func() *sock.ListenerSet {
		set, err := sock.Reserve("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	plain := func(sets ...*sock.ListenerSet) error { return s.ServeSets(t.Context(), nil, sets) }
	inTask := func(sets ...*sock.ListenerSet) (err error) {
		one := &ringo.Config{Loops: 1}
		why := ringo.Run(t.Context(), one, func(*ringo.Loop) error { err = plain(sets...); return nil })
		return errors.Join(err, why)
	}
	closed := reserve()
	closed.Close()
	for _, c := range []struct {
		want  string
		serve func(sets ...*sock.ListenerSet) error
		more  []*sock.ListenerSet
	}{
		{"or with a nil one", plain, []*sock.ListenerSet{nil}},
		{"from inside a task", inTask, nil},
		{"the certificate", func(sets ...*sock.ListenerSet) error {
			return s.ServeSetsTLS(t.Context(), nil, sets, "", "")
		}, nil},
		{net.ErrClosed.Error(), plain, []*sock.ListenerSet{closed}},
	} {
		set := reserve()
		err := c.serve(append([]*sock.ListenerSet{set}, c.more...)...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
		if k, err := net.Dial("tcp", set.Addr().String()); err == nil {
			t.Errorf("behind the error %q the set is not closed", c.want)
			k.Close()
			set.Close()
		}
	}
	if err := plain(); err == nil || !strings.Contains(err.Error(), "without a ListenerSet") {
		t.Error(err)
	}
}
