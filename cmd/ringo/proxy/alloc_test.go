package proxy

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"ringo"
	"ringo/cmd/ringo/internal/server"
	"ringo/internal/race"
	"ringo/internal/test/alloctest"
)

// allocsMax is what a request without a body and its answer may cost: the transport's use of it with its answer, whose
// head is a text, a map and values. The server's part is not in it.
const allocsMax = 5

// ownContext is a request's, as a server has it.
type ownContext struct{ context.Context }

func (ownContext) AfterFunc(func()) (stop func() bool) { return func() bool { return true } }

// sink is a ResponseWriter for one answer after the other.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeld() error            { return nil }

// TestAllocs: a request costs no more than one to a single upstream without options.
func TestAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go answerGets(c)
		}
	}()
	for _, c := range []struct {
		name, to string
		keeps    *keeper
		max      float64
	}{
		{"plain", "", nil, allocsMax},
		{"options", "?weight=2&max=10", nil, allocsMax},
		{"a route", "?host=*.example&path=/", nil, allocsMax},
		{"visits", "", newKeeper(nil, true), allocsMax + 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &options{balance: balanceLeast, rise: 1, fall: 1, dial: time.Minute, answer: time.Minute, http: true}
			if err := o.to.Set(ln.Addr().String() + c.to); err != nil {
				t.Fatal(err)
			}
			r := &relay{Server: &server.Server{Context: context.Background(), Options: &o.Options}, o: o,
				ends: &teller{lines: make(chan string, linesMax)}, keeps: c.keeps}
			r.to = newRoutes(o, r.ends.say)
			w := newWeb(r, nil)
			err := ringo.Run(t.Context(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
				defer w.transport.CloseIdleConnections()
				q, err := http.NewRequest("GET", "http://shop.example:80/", nil)
				if err != nil {
					return err
				}
				q = q.WithContext(ownContext{q.Context()})
				q.RemoteAddr = "192.0.2.1:1"
				rw := &sink{header: http.Header{}}
				most := c.max + 0.1 // some are the runtime's own
				n := alloctest.Least(500, most, func() {
					q.Body = http.NoBody
					w.pass(rw, q)
				})
				if n > most || rw.status != 200 {
					t.Errorf("%.2f allocations for an answer of %d, want %v and one of 200", n, rw.status, c.max)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// answerGets answers requests without bodies, and allocates nothing.
func answerGets(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		if len(line) == 2 {
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	}
}
