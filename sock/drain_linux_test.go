//go:build linux

package sock_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"ringo"
	"ringo/internal/posix"
	"ringo/sock"
)

// drainServers serve frames, each in one of the ways that there are to accept.
var drainServers = map[string]func(t *testing.T) func(*ringo.Loop, *sock.Listener) error{
	"Serve": func(*testing.T) func(*ringo.Loop, *sock.Listener) error {
		return perRequest(&sock.Handler{Request: frames})
	},
	"a task a connection": func(t *testing.T) func(*ringo.Loop, *sock.Listener) error {
		return perConn(func(c *sock.Conn) { answerFrame(t, c) })
	},
	"goroutines": func(t *testing.T) func(*ringo.Loop, *sock.Listener) error {
		return func(l *ringo.Loop, ln *sock.Listener) error {
			offloaded(t, l, func() error {
				var serving sync.WaitGroup
				defer serving.Wait()
				for {
					c, err := ln.Accept()
					if err != nil {
						wantClosed(t, "Accept", err)
						return nil
					}
					serving.Go(func() {
						defer c.Close()
						answerFrame(t, c)
					})
				}
			})
			return nil
		}
	},
}

// answerFrame sends one frame back, or sees a peer go that sends none.
func answerFrame(t *testing.T, c net.Conn) {
	p := make([]byte, len(drainFrame))
	if n, err := io.ReadFull(c, p); err != nil {
		if n > 0 || err != io.EOF {
			t.Errorf("the server reads %d bytes, %v", n, err)
		}
		return
	}
	if _, err := c.Write(p); err != nil {
		t.Error(err)
	}
}

// holdingAll is holding of several loops.
func holdingAll(t *testing.T, loops []*ringo.Loop, f func()) {
	if len(loops) == 0 {
		f()
		return
	}
	holding(t, loops[0], func() { holdingAll(t, loops[1:], f) })
}

var drainFrame = framed(500)

// Who had connected when the drain began is answered: accepted by then or not, whether the request was there, half of
// it, or nothing.
func TestDrainServesWhoHasConnected(t *testing.T) {
	t.Parallel()
	const peers = 10
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, server := range drainServers {
			for loops := 1; loops <= 2; loops++ {
				t.Run(fmt.Sprint(name, ", loops ", loops), func(t *testing.T) {
					cfg := cfg
					cfg.Loops, cfg.Grace = loops, patience
					s := serve(t, cfg, server(t))
					const half = 100
					var silent, halfway, spoken []*net.TCPConn
					connect := func() {
						for range peers {
							silent = append(silent, s.dial())
							p := s.dial()
							send(t, p, string(drainFrame[:half]))
							halfway = append(halfway, p)
							p = s.dial()
							send(t, p, string(drainFrame))
							spoken = append(spoken, p)
						}
					}
					connect() // and most are accepted soon
					holdingAll(t, s.loops, func() {
						connect() // and nobody is
						s.cancel()
					})
					eventually(t, "the port to be free", func() bool {
						c, err := net.Dial("tcp", s.addr)
						if err == nil {
							c.Close()
						}
						return errors.Is(err, posix.ECONNREFUSED)
					})
					for _, p := range silent {
						send(t, p, string(drainFrame))
					}
					for _, p := range halfway {
						send(t, p, string(drainFrame[half:]))
					}
					kinds := map[string][]*net.TCPConn{"silent": silent, "halfway": halfway, "spoken": spoken}
					for kind, peers := range kinds {
						for i, p := range peers {
							if got, err := io.ReadAll(p); err != nil || !bytes.Equal(got, drainFrame) {
								t.Errorf("%s peer %d got %d bytes of its answer, %v", kind, i, len(got), err)
							}
							p.Close()
						}
					}
					s.stop()
				})
			}
		}
	})
}
