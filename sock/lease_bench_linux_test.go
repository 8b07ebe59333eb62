//go:build linux

package sock_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"

	"ringo"
	"ringo/internal/driver/open"
	"ringo/sock"
)

// BenchmarkReceive is 64 KiB that a peer sends as fast as it can: read into the reader's memory, or taken in the
// buffers in which they came, with so many of them for the connection. "submitted" is operations that were armed.
func BenchmarkReceive(b *testing.B) {
	const size = 64 << 10
	for _, way := range []struct {
		name string
		take func(c *sock.Conn, p []byte) error
	}{
		{"read", func(c *sock.Conn, p []byte) error { _, err := io.ReadFull(c, p); return err }},
		{"next", func(c *sock.Conn, p []byte) error {
			for left := len(p); left > 0; {
				b, err := c.Next()
				if err != nil {
					return err
				}
				left -= len(b.Bytes())
				b.Release()
			}
			return nil
		}},
	} {
		for _, leases := range []int{1, 4, 16} {
			for _, driver := range open.Names()[1:3] {
				b.Run(fmt.Sprintf("way=%s/leases=%d/driver=%s", way.name, leases, driver), func(b *testing.B) {
					if err := available(driver); err != nil {
						b.Skip(err)
					}
					b.SetBytes(size)
					b.ReportAllocs()
					receiveAll(b, ringo.Config{Driver: driver, Loops: 1, Leases: leases}, size, way.take)
				})
			}
		}
	}
}

func receiveAll(b *testing.B, cfg ringo.Config, size int, take func(c *sock.Conn, p []byte) error) {
	err := ringo.Run(context.Background(), &cfg, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		peer, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer peer.Close()
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		defer c.Close()
		go func() { // until it is closed
			for p := make([]byte, size); ; {
				if _, err := peer.Write(p); err != nil {
					return
				}
			}
		}()
		p := make([]byte, size)
		before := l.Stats().Driver.Submitted
		b.ResetTimer()
		for range b.N {
			if err := take(c, p); err != nil {
				return err
			}
		}
		b.StopTimer()
		b.ReportMetric(float64(l.Stats().Driver.Submitted-before)/float64(b.N), "submitted/op")
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
