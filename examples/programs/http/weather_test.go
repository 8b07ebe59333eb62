package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"ringo/examples/programs/internal/rig"
)

// A handler takes the connection over, and what the client had sent ahead with it.
func TestHijack(t *testing.T) {
	each(t, protocols[:1], func(t *testing.T, driver string, p protocol) {
		s := open(t, driver, p, func(w http.ResponseWriter, r *http.Request) {
			c, ahead, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
			io.Copy(c, ahead)
		}, nil)
		c := s.dial(t)
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\nahead ")
		r := bufio.NewReader(c)
		if answer, err := http.ReadResponse(r, nil); err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%v, %v", answer, err)
		}
		io.WriteString(c, "and behind")
		c.(*net.TCPConn).CloseWrite()
		if p, err := io.ReadAll(r); err != nil || string(p) != "ahead and behind" {
			t.Errorf("got %q, %v", p, err)
		}
	})
}

// A handler learns that its client has gone in the middle of the answer.
func TestClientGone(t *testing.T) {
	each(t, protocols, func(t *testing.T, driver string, p protocol) {
		told, read := make(chan error, 1), make(chan bool)
		s := open(t, driver, p, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "begun")
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
				told <- nil
			case <-time.After(rig.Patience):
				told <- errors.New("the handler was not told")
			}
			<-read // an orderly end could overtake the client's own
		}, nil)
		defer close(read)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		request, _ := http.NewRequestWithContext(ctx, "GET", s.url, nil)
		answer, err := s.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		io.ReadFull(answer.Body, make([]byte, 5))
		cancel()
		if err := <-told; err != nil {
			t.Error(err)
		}
		if _, err := io.ReadAll(answer.Body); !errors.Is(err, context.Canceled) {
			t.Errorf("the client read on: %v", err)
		}
	})
}

// A client that sends its head by and by is cut off.
func TestReadTimeout(t *testing.T) {
	each(t, protocols[:1], func(t *testing.T, driver string, p protocol) {
		s := open(t, driver, p, func(http.ResponseWriter, *http.Request) { t.Error("half a head is no request") },
			func(s *http.Server) { s.ReadTimeout = 20 * time.Millisecond })
		c := s.dial(t)
		io.WriteString(c, "GET / HTTP/1.1\r\nHost")
		if p, err := io.ReadAll(c); isTimeout(err) {
			t.Errorf("the connection is still open: %q, %v", p, err)
		}
	})
}

// A handler whose client does not read is not held for longer than it may be.
func TestWriteTimeout(t *testing.T) {
	each(t, protocols[:1], func(t *testing.T, driver string, p protocol) {
		written := make(chan error, 1)
		s := open(t, driver, p, func(w http.ResponseWriter, r *http.Request) {
			p := make([]byte, 1<<20)
			for {
				if _, err := w.Write(p); err != nil {
					written <- err
					return
				}
			}
		}, func(s *http.Server) { s.WriteTimeout = 50 * time.Millisecond })
		if answer, err := s.client.Get(s.url); err == nil { // else it was late even for the head
			defer answer.Body.Close()
		}
		if err := <-written; !isTimeout(err) {
			t.Errorf("Write: %v", err)
		}
	})
}

// Shutdown waits for a request that is under way, and answers it.
func TestShutdown(t *testing.T) {
	each(t, protocols, func(t *testing.T, driver string, p protocol) {
		begun, end := make(chan bool), make(chan bool)
		s := open(t, driver, p, func(w http.ResponseWriter, r *http.Request) {
			close(begun)
			<-end
			io.WriteString(w, "done")
		}, nil)
		got := make(chan error, 1)
		go func() {
			answer, err := s.client.Get(s.url)
			if err == nil {
				var p []byte
				if p, err = io.ReadAll(answer.Body); string(p) != "done" {
					err = errors.Join(err, errors.New("the answer was "+string(p)))
				}
				answer.Body.Close()
			}
			got <- err
		}()
		<-begun
		down := make(chan error, 1)
		go func() { down <- s.server.Shutdown(context.Background()) }()
		if err := <-s.served; err != http.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
		s.served <- http.ErrServerClosed
		if c, err := net.Dial("tcp", s.addr); err == nil {
			c.Close()
			t.Error("the address is still served")
		}
		close(end)
		if err := <-got; err != nil {
			t.Errorf("the request that was under way: %v", err)
		}
		s.client.CloseIdleConnections()
		if err := <-down; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

// Clients that send their requests by and by, as slowloris does, and those that open connections and say nothing, are
// cut off in time, and hold up nobody: the others are served meanwhile, and nothing of the slow is left.
func TestSlowloris(t *testing.T) {
	slow := []string{ // and then a byte now and again
		"",
		"GET / HTTP/1.1\r\nHost: x\r\nX-Header: ",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n",
	}
	each(t, protocols[:1], func(t *testing.T, driver string, p protocol) {
		const limit, clients = 2 * time.Second, 100
		closed := make(chan bool, 10*clients)
		s := open(t, driver, p, func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err == nil {
				io.WriteString(w, "served")
			}
		}, func(s *http.Server) {
			s.ReadHeaderTimeout, s.ReadTimeout, s.IdleTimeout = limit, limit, limit
			s.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateClosed {
					closed <- true
				}
			}
		})
		began := time.Now()
		var cutOff sync.WaitGroup
		for i := range clients {
			c := s.dial(t)
			io.WriteString(c, slow[i%len(slow)])
			cutOff.Go(func() { io.Copy(io.Discard, c); c.Close() })
			if i%len(slow) > 0 {
				cutOff.Go(func() { drip(c) })
			}
		}
		if got := s.get(t, "/"); got != "served" {
			t.Errorf("between the slow: %q", got)
		}
		rig.Within(t, cutOff.Wait)
		if waited := time.Since(began); waited < limit {
			t.Errorf("all were cut off after %v, before their time", waited)
		}
		rig.Within(t, func() {
			for range clients {
				<-closed
			}
		})
	})
}

// drip sends a byte now and again, until the other side has enough.
func drip(c net.Conn) {
	for drops := time.NewTicker(10 * time.Millisecond); ; <-drops.C {
		if _, err := io.WriteString(c, "x"); err != nil {
			drops.Stop()
			return
		}
	}
}

// A client that stalls in its TLS handshake, before it or in the middle, is cut off as one that stalls in its request
// is.
func TestStalledHandshake(t *testing.T) {
	each(t, protocols[2:3], func(t *testing.T, driver string, p protocol) {
		s := open(t, driver, p, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "served") },
			func(s *http.Server) {
				s.ReadHeaderTimeout = 2 * time.Second
				s.ErrorLog = log.New(io.Discard, "", 0)
			})
		var cutOff sync.WaitGroup
		for i := range 50 {
			c := s.dial(t)
			c.Write([]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")[:i%12]) // the head of a hello
			cutOff.Go(func() {
				if _, err := io.Copy(io.Discard, c); isTimeout(err) {
					t.Error("the connection is still open")
				}
			})
		}
		if got := s.get(t, "/"); got != "served" {
			t.Errorf("between those that stall: %q", got)
		}
		rig.Within(t, cutOff.Wait)
	})
}
