//go:build linux

package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/cmd/ringo/internal/server"
	"ringo/file"
	"ringo/sim"
	"ringo/sock"
)

// TestServeBusyIsNotIdle: a connection that asks again and again is not idle, however short the time for that is; one
// that asks no more is, by then.
func TestServeBusyIsNotIdle(t *testing.T) {
	const idle = 900 * time.Millisecond
	sim.Explore(t, 10, func(w *sim.World) {
		here, far := w.Host("server"), w.Host("client")
		w.Link = sim.Link{Latency: time.Millisecond}
		p := serves(here, idle)
		w.RunFor(time.Second)
		c := asks(far, func(l *ringo.Loop, c *sock.Conn) error {
			r := bufio.NewReader(c)
			for range 100 {
				if err := wantAnswer(c, r); err != nil {
					return err
				}
				l.Sleep(idle * 3 / 4)
			}
			if err := wantAnswer(c, r); err != nil {
				return err
			}
			last := l.Now()
			_, err := r.ReadByte()
			if d := l.Now().Sub(last); err != io.EOF || d < idle*3/4 || d > idle+time.Second/10 {
				return fmt.Errorf("an idle connection ends with %v after %v, want EOF after %v at most", err, d, idle)
			}
			return nil
		})
		if err := w.Wait(c); err != nil {
			w.Errorf("%v", errors.Join(err, p.Err()))
		}
	})
}

// wantAnswer asks for the file.
func wantAnswer(c io.Writer, r *bufio.Reader) error {
	if _, err := io.WriteString(c, "GET /f HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		return err
	}
	a, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(a.Body)
	if a.StatusCode != http.StatusOK || a.Close || string(body) != "file" {
		return fmt.Errorf("%s, %q, and closes: %v", a.Status, body, a.Close)
	}
	return err
}

// asks calls a client's part with a connection to the server.
func asks(far *sim.Host, part func(l *ringo.Loop, c *sock.Conn) error) *sim.Program {
	return far.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		c, err := sock.Dial(l, "tcp", "server:8080")
		if err != nil {
			return err
		}
		defer c.Close()
		return part(l, c)
	})
}

// serves serves a file on a host.
func serves(here *sim.Host, idle time.Duration) *sim.Program {
	return here.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		if err := file.WriteFile("f", []byte("file"), 0o644); err != nil {
			return err
		}
		root, err := file.OpenRoot(".")
		if err != nil {
			return err
		}
		defer root.Close()
		ln, err := sock.Listen(l, "tcp", ":8080")
		if err != nil {
			return err
		}
		o := &options{files: 10, fresh: time.Minute, header: time.Minute, idle: idle}
		s := &server.Server{Context: context.Background(), Options: &o.Options}
		f := newFiles(s, o, root, nil, nil)
		defer f.handler.Close()
		return f.serveStreams(l, ln)
	})
}

// TestServeTakesNothing: a client that takes nothing of small answers is given up.
func TestServeTakesNothing(t *testing.T) {
	const idle = 4 * time.Second
	for _, request := range []string{"GET /none", "HEAD /f", "POST /f", "GET /f"} {
		t.Run(request, func(t *testing.T) {
			sim.Run(t, 1, func(w *sim.World) {
				here, far := w.Host("server"), w.Host("client")
				w.Link = sim.Link{Latency: time.Millisecond}
				p := serves(here, idle)
				w.RunFor(time.Second)
				c := asks(far, func(l *ringo.Loop, c *sock.Conn) (err error) {
					began, asked := l.Now(), strings.Repeat(request+" HTTP/1.1\r\nHost: h\r\n\r\n", 1000)
					for c.SetDeadline(began.Add(time.Hour)); err == nil; {
						_, err = io.WriteString(c, asked)
					}
					if d := l.Now().Sub(began); d > time.Minute {
						return fmt.Errorf("it ends after %v: %w", d, err)
					}
					return nil
				})
				if err := w.Wait(c); err != nil {
					w.Errorf("%v", errors.Join(err, p.Err()))
				}
			})
		})
	}
}
