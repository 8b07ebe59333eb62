//go:build linux

package sockhttp_test

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
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
