package sock_test

import (
	"io"
	"net"
	"testing"

	"ringo"
	"ringo/sock"
)

// Plain variables that only the traffic orders: a program that would be right with
// package net is right here, also in the eyes of the race detector, with which
// this test is worth most.
func TestTrafficOrders(t *testing.T) {
	ways := map[string]struct {
		get func(c *sock.Conn) error
		put func(c *sock.Conn) error
	}{
		"Read and Write": {read1, func(c *sock.Conn) error { return write(c) }},
		"Next": {func(c *sock.Conn) error {
			lease, err := c.Next()
			lease.Release()
			return err
		}, func(c *sock.Conn) error { return write(c) }},
		"Peek": {func(c *sock.Conn) error {
			if _, err := c.Peek(1); err != nil {
				return err
			}
			_, err := c.Discard(1)
			return err
		}, func(c *sock.Conn) error { _, err := c.Write([]byte("y")); return err }},
	}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for name, way := range ways {
			t.Run(name, func(t *testing.T) {
				const rounds = 300
				var there, back int // ordered by the connection, by nothing else
				s := serve(t, cfg, perConn(func(c *sock.Conn) {
					for i := 1; i <= rounds; i++ {
						if err := way.get(c); err != nil {
							t.Error(err)
							return
						}
						if there != i {
							t.Errorf("there = %d, want %d", there, i)
						}
						back = i
						if err := way.put(c); err != nil {
							t.Error(err)
							return
						}
					}
				}))
				peer := s.dial()
				p := make([]byte, 1)
				for i := 1; i <= rounds; i++ {
					there = i
					if _, err := peer.Write(p); err != nil {
						t.Fatal(err)
					}
					if _, err := io.ReadFull(peer, p); err != nil {
						t.Fatal(err)
					}
					if back != i {
						t.Fatalf("back = %d, want %d", back, i)
					}
				}
			})
		}
	})
}

func read1(c *sock.Conn) error { _, err := c.Read(make([]byte, 1)); return err }

// A stream's end orders what came before it, and so does a dialled connection.
func TestConnectionOrders(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		const rounds = 20
		var x [rounds]int
		n := 0 // the server's own
		s := serve(t, cfg, perConn(func(c *sock.Conn) {
			x[n] = n + 1
			n++
			if err := c.CloseWrite(); err != nil {
				t.Error(err)
			}
			wantEOF(t, c)
		}))
		for i := range rounds {
			peer := s.dial()
			if _, err := peer.Read(make([]byte, 1)); err != io.EOF {
				t.Fatal(err)
			}
			if x[i] != i+1 {
				t.Fatalf("x[%d] = %d, want %d", i, x[i], i+1)
			}
			peer.CloseWrite()
		}
	})
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		var x int
		done := make(chan bool)
		go func() {
			defer close(done)
			c, err := ln.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			c.Read(make([]byte, 1))
			if x != 1 {
				t.Errorf("x = %d, want 1", x)
			}
			x = 2
			c.Write([]byte("y"))
		}()
		onLoop(t, cfg, func(l *ringo.Loop) {
			c, err := sock.Dial(l, "tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			x = 1
			if err := write(c); err != nil {
				t.Error(err)
			}
			read(c)
			if x != 2 {
				t.Errorf("x = %d, want 2", x)
			}
		})
		<-done
	})
}
