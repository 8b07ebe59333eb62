//go:build linux

package sockhttp_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/sim"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

// In a world client and server run with virtual time: over a network that loses packets, to a server that crashes, GETs
// that are made again until they succeed do so, time-outs are those of the world's clock, and nothing is left.
func TestTransportInWorlds(t *testing.T)  { transportInWorlds(t, nil) }
func TestTransport2InWorlds(t *testing.T) { transportInWorlds(t, prior2()) }

func transportInWorlds(t *testing.T, protocols *http.Protocols) {
	sim.Explore(t, 20, func(w *sim.World) {
		w.Link = sim.Link{Latency: 10 * time.Millisecond, Loss: 0.05}
		server, client := w.Host("server"), w.Host("client")
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/never" {
				<-r.Context().Done()
			}
			body, _ := io.ReadAll(r.Body)
			w.Write(append(body, "!"...))
		})
		serve := func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", "server:8000")
			if err != nil {
				return err
			}
			mux := http.NewServeMux()
			mux.Handle("/", h)
			mux.Handle("/late", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.(http.Flusher).Flush()
				l.Sleep(5 * time.Second)
				io.WriteString(w, "late")
			}))
			mux.Handle("/never", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { l.Sleep(time.Hour) }))
			s := &sockhttp.Server{Handler: sockhttp.Task(mux), IdleTimeout: 3 * time.Second,
				Protocols: clear2(), ErrorLog: slog.New(slog.DiscardHandler)}
			if err := s.Serve(ln); err != http.ErrServerClosed {
				return err
			}
			return nil
		}
		server.Run(&ringo.Config{Loops: 1, Grace: time.Second}, serve)
		w.After(5*time.Second, func() {
			server.Crash()
			server.Restart()
		})
		c := client.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			tr := &sockhttp.Transport{IdleConnTimeout: 4 * time.Second, ResponseHeaderTimeout: 2 * time.Second,
				Protocols: protocols}
			hc := &http.Client{Transport: tr}
			for i := range 20 {
				for try := 0; ; try++ {
					if err := sayInWorld(hc, strings.Repeat("x", i*100)); err == nil {
						break
					} else if try > 20 {
						return err
					}
					l.Sleep(time.Second)
				}
				l.Sleep(time.Duration(i%4) * time.Second)
			}
			a, err := hc.Get("http://server:8000/late") // its head is in time
			if err != nil {
				return err
			}
			if got, err := io.ReadAll(a.Body); err != nil || string(got) != "late" {
				w.Errorf("%q, %v", got, err)
			}
			begun := l.Now()
			_, err = hc.Get("http://server:8000/never")
			var timed interface{ Timeout() bool }
			if d := l.Now().Sub(begun); !errors.As(err, &timed) || !timed.Timeout() || d < 2*time.Second {
				w.Errorf("after %v: %v", d, err)
			}
			tr.CloseIdleConnections()
			return nil
		})
		w.Check(w.Wait(c))
	})
}

func sayInWorld(c *http.Client, text string) error {
	a, err := c.Post("http://server:8000/", "text/plain", strings.NewReader(text))
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if got, err := io.ReadAll(a.Body); err != nil || string(got) != text+"!" {
		return errors.Join(err, errors.New("a wrong answer"))
	}
	return nil
}
