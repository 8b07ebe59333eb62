package sock_test

import (
	"net"
	"testing"

	"ringo"
	"ringo/sock"
)

type panicWriter struct{}

func (panicWriter) Write([]byte) (int, error) { panic("on purpose") }

// A writer that panics takes no buffer with it: a loop has so many only.
func TestWriteToPanickingWriter(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.OnPanic = func(*ringo.Loop, any, []byte) {}
		pair(t, cfg, func(l *ringo.Loop, c *sock.Conn, peer *net.TCPConn) {
			send(t, peer, "bytes")
			l.Go(func() { c.WriteTo(panicWriter{}) }).Wait()
			if n := l.Stats().Buffers; n != 0 {
				t.Errorf("%d buffers in use after the panic", n)
			}
		})
	})
}
