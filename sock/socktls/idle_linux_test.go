//go:build linux

package socktls_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"ringo"
	"ringo/sim"
	"ringo/sock"
	"ringo/sock/socktls"
)

// held keeps what is written to a connection.
type held struct {
	net.Conn
	on   bool
	kept []byte
}

func (h *held) Write(p []byte) (int, error) {
	if !h.on {
		return h.Conn.Write(p)
	}
	h.kept = append(h.kept, p...)
	return len(p), nil
}

// TestDrainAwaitsTheRestOfARecord: a peer of whose next request a part came together with the last one loses nothing in
// a drain, wherever within its record, or the header of that, the part ends; and one between two records is told of it.
func TestDrainAwaitsTheRestOfARecord(t *testing.T) {
	const size = 27 // of a record of five bytes and TLS 1.3
	for _, behind := range []int{0, 1, 4, 5, 6, size - 1} {
		sim.Run(t, 1, func(w *sim.World) {
			server := w.Host("a").Run(&ringo.Config{Loops: 1, Grace: time.Minute}, func(l *ringo.Loop) error {
				ln, err := sock.Listen(l, "tcp", "a:7000")
				if err != nil {
					return err
				}
				conn, err := ln.AcceptConn()
				if err != nil {
					return err
				}
				c := socktls.Server(conn, serverConfig())
				defer c.Close()
				line := make([]byte, 5)
				for _, want := range []string{"hello", "again"} {
					if err := c.SetIdle(true); err != nil {
						return err
					}
					_, err := io.ReadFull(c, line)
					if behind == 0 && want == "again" {
						if at := w.Elapsed(); !errors.Is(err, ringo.ErrDraining) || at > 3*time.Second {
							w.Errorf("between two records: %v after %v, want ErrDraining at once", err, at)
						}
						return nil
					}
					if err != nil || string(line) != want {
						w.Errorf("behind %d bytes: got %q, %v after %v, want %s", behind, line, err, w.Elapsed(), want)
						return nil
					}
					c.SetIdle(false)
				}
				return nil
			})
			client := w.Host("b").Run(nil, func(l *ringo.Loop) error {
				l.Sleep(500 * time.Millisecond)
				conn, err := sock.Dial(l, "tcp", "a:7000")
				if err != nil {
					return err
				}
				defer conn.Close()
				to := &held{Conn: conn}
				c := tls.Client(to, only(tls.VersionTLS13, clientConfig()))
				if err := c.Handshake(); err != nil {
					return err
				}
				to.on = true
				io.WriteString(c, "hello")
				io.WriteString(c, "again")
				if len(to.kept) != 2*size {
					w.Errorf("two records are %d bytes, want %d", len(to.kept), 2*size)
				}
				conn.Write(to.kept[:size+behind])
				l.Sleep(2*time.Second - w.Elapsed())
				server.Drain()
				l.Sleep(4*time.Second - w.Elapsed())
				conn.Write(to.kept[size+behind:])
				return nil
			})
			w.Check(w.Wait(client))
			w.Check(w.Wait(server))
		})
	}
}
