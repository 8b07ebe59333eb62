//go:build linux

package socktls_test

import (
	"crypto/tls"
	"io"
	"testing"
	"time"

	"ringo"
	"ringo/sim"
	"ringo/sock"
	"ringo/sock/socktls"
)

// A host stands still while a whole record comes, or the peer's part of a handshake, and the deadline passes: tls,
// which asks for each in several reads, has it all the same.
func TestLateLoopReadsRecords(t *testing.T) {
	const port, pause, soon = ":7000", 220 * time.Millisecond, 150 * time.Millisecond
	eachVersion(t, func(t *testing.T, version uint16) {
		for _, size := range []int{0, 1, 10_000, 16_384} {
			sim.Explore(t, 3, func(w *sim.World) {
				w.Link = sim.Link{Latency: time.Millisecond}
				server, client := w.Host("server"), w.Host("client")
				still := func() { client.Pause(pause) }
				p := server.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
					ln, err := sock.Listen(l, "tcp", port)
					if err != nil {
						return err
					}
					defer ln.Close()
					below, err := ln.AcceptConn()
					if err != nil {
						return err
					}
					c := socktls.Server(below, only(version, serverConfig()))
					defer c.Close()
					if size == 0 { // its part of the handshake is what comes in time
						l.Sleep(60 * time.Millisecond)
					}
					if err := c.Handshake(); err != nil {
						return err
					}
					l.Sleep(60 * time.Millisecond)
					c.Write(make([]byte, size))
					_, err = c.Read(make([]byte, 1))
					if err == io.EOF {
						err = nil
					}
					return err
				})
				q := client.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
					l.Sleep(10 * time.Millisecond) // until it listens
					below, err := sock.Dial(l, "tcp", "server"+port)
					if err != nil {
						return err
					}
					config := only(version, clientConfig())
					config.Time = time.Now // of the certificate
					c := socktls.Client(below, config)
					defer c.Close()
					if size == 0 {
						c.SetReadDeadline(l.Now().Add(soon))
						w.After(10*time.Millisecond, still)
						if err := c.Handshake(); err != nil && version == tls.VersionTLS13 {
							w.Errorf("Handshake: %v", err) // before 1.3 there is a part of the peer's that is late
						}
						return nil
					}
					if err := c.Handshake(); err != nil {
						return err
					}
					c.SetReadDeadline(l.Now().Add(soon))
					w.After(10*time.Millisecond, still)
					if n, err := io.ReadFull(c, make([]byte, size)); err != nil {
						w.Errorf("%d bytes of %d: %v", n, size, err)
					}
					return nil
				})
				err := w.Wait(p, q)
				if size > 0 || version == tls.VersionTLS13 {
					w.Check(err)
				}
			})
		}
	})
}
