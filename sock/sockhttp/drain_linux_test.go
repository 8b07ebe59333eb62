//go:build linux

package sockhttp_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/sim"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

// A drain waits five seconds for those who have connected and said nothing, by TLS too. Whose handshake has ended may
// send a request meanwhile.
func TestDrainAwaitsThoseWhoHaveConnected(t *testing.T) {
	config, trusting := certified(t)
	trusted := trusting.Transport.(*http.Transport).TLSClientConfig
	trusted.ServerName = "example.com"
	for _, way := range []string{"clear", "TLS", "handshake"} {
		t.Run(way, func(t *testing.T) {
			sim.Run(t, 1, func(w *sim.World) {
				h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "answered") })
				s := &sockhttp.Server{Handler: sockhttp.Task(h), TLSConfig: config,
					ErrorLog: slog.New(slog.DiscardHandler)}
				server := w.Host("a").Run(&ringo.Config{Loops: 1, Grace: time.Minute}, func(l *ringo.Loop) error {
					ln, err := sock.Listen(l, "tcp", "a:7000")
					if err != nil {
						return err
					}
					if way == "clear" {
						err = s.Serve(ln)
					} else {
						err = s.ServeTLS(ln, "", "")
					}
					if err != http.ErrServerClosed {
						return err
					}
					return nil
				})
				client := w.Host("b").Run(nil, func(l *ringo.Loop) error {
					l.Sleep(time.Second)
					conn, err := sock.Dial(l, "tcp", "a:7000")
					if err != nil {
						return err
					}
					defer conn.Close()
					if way == "handshake" {
						c := tls.Client(conn, trusted.Clone())
						if err := c.Handshake(); err != nil {
							return err
						}
						l.Sleep(2*time.Second - w.Elapsed())
						server.Drain()
						l.Sleep(time.Second)
						io.WriteString(c, get("Connection: close\r\n"))
						if got, err := io.ReadAll(c); err != nil || len(got) == 0 {
							w.Errorf("the request is answered %q, %v", got, err)
						}
						return nil
					}
					l.Sleep(2*time.Second - w.Elapsed())
					server.Drain()
					_, err = conn.Read(make([]byte, 1))
					if at := w.Elapsed(); err != io.EOF || at < 5*time.Second || at > 8*time.Second {
						w.Errorf("the connection ends after %v: %v", at, err)
					}
					return nil
				})
				w.Check(w.Wait(client))
				w.Check(w.Wait(server))
			})
		})
	}
}

// Who asks for nothing more, or for nothing, has Linger, but no more than half of Grace, so that the drain ends in
// order.
func TestLingerEndsBeforeGrace(t *testing.T) {
	config, trusting := certified(t)
	trusted := trusting.Transport.(*http.Transport).TLSClientConfig
	trusted.ServerName = "example.com"
	for _, c := range []struct{ linger, want time.Duration }{
		{3 * time.Second, 3 * time.Second}, {time.Hour, 10 * time.Second},
	} {
		for _, way := range []string{"clear", "clear, silent", "TLS", "TLS, silent", "handshake"} {
			t.Run(fmt.Sprint(c.linger, " ", way), func(t *testing.T) {
				sim.Run(t, 1, func(w *sim.World) {
					s := &sockhttp.Server{Handler: sockhttp.Task(http.NotFoundHandler()), TLSConfig: config,
						Linger: c.linger, ReadHeaderTimeout: time.Minute, ErrorLog: slog.New(slog.DiscardHandler)}
					server := w.Host("a").Run(&ringo.Config{Loops: 1, Grace: time.Minute}, func(l *ringo.Loop) error {
						ln, err := sock.Listen(l, "tcp", "a:7000")
						if err != nil {
							return err
						}
						l.SetGrace(20 * time.Second)
						if strings.HasPrefix(way, "clear") {
							err = s.Serve(ln)
						} else {
							err = s.ServeTLS(ln, "", "")
						}
						if err != http.ErrServerClosed {
							return err
						}
						return nil
					})
					client := w.Host("b").Run(nil, func(l *ringo.Loop) error {
						l.Sleep(9 * time.Second)
						conn, err := sock.Dial(l, "tcp", "a:7000")
						if err != nil {
							return err
						}
						defer conn.Close()
						var nc net.Conn = conn
						if strings.HasPrefix(way, "TLS") {
							secure := tls.Client(conn, trusted.Clone())
							if err := secure.Handshake(); err != nil {
								return err
							}
							nc = secure
						}
						if way == "clear" || way == "TLS" {
							io.WriteString(nc, get(""))
							if _, err := io.ReadAtLeast(nc, make([]byte, 4096), 10); err != nil {
								return err
							}
						}
						l.Sleep(10*time.Second - w.Elapsed())
						server.Drain()
						_, err = io.Copy(io.Discard, nc)
						took := w.Elapsed() - 10*time.Second
						if err != nil || took < c.want || took > c.want+time.Second {
							w.Errorf("the connection ends after %v, want %v: %v", took, c.want, err)
						}
						return nil
					})
					w.Check(w.Wait(client))
					w.Check(w.Wait(server))
				})
			})
		}
	}
}
