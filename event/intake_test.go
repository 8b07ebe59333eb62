package event_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"ringo"
	"ringo/event"
)

// Bodies whose length is known go where they belong, of every size, with heads between them that OnData is shown.
func TestReadFull(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		sizes := []int{0, 1, 100, 5000, 32 << 10, 100_000, 3 << 20, 7}
		var got [][]byte
		inside := 0
		h := &funcs{data: func(c *event.Conn, p []byte) int {
			if inside++; inside > 1 {
				t.Error("a callback within a callback")
			}
			defer func() { inside-- }()
			if len(p) < 4 {
				return 0
			}
			body := make([]byte, binary.BigEndian.Uint32(p))
			if err := c.ReadFull(body, func(n int, err error) {
				if inside++; inside > 1 || n != len(body) || err != nil {
					t.Errorf("told %d of %d bytes, %v, within %d callbacks", n, len(body), err, inside-1)
				}
				inside--
				got = append(got, body)
			}); err != nil {
				t.Error(err)
			}
			if c.ReadFull(body, func(int, error) {}) == nil {
				t.Error("two at a time")
			}
			return 4
		}}
		for _, piece := range []int{1 << 20, 777} {
			got = nil
			pair(t, cfg, h, func(peer *net.TCPConn) error {
				var all []byte
				for _, n := range sizes {
					all = append(binary.BigEndian.AppendUint32(all, uint32(n)), pattern(n)...)
				}
				for len(all) > 0 {
					n := min(len(all), piece)
					if _, err := peer.Write(all[:n]); err != nil {
						return err
					}
					all = all[n:]
				}
				return errors.Join(peer.CloseWrite(), wantEOF(peer))
			})
			if len(got) != len(sizes) {
				t.Fatalf("%d bodies of %d", len(got), len(sizes))
			}
			for i, n := range sizes {
				if string(got[i]) != string(pattern(n)) {
					t.Errorf("body %d has %d bytes, or others", i, len(got[i]))
				}
			}
		}
	})
}

// A body that does not come is an error, before the end is told.
func TestReadFullFails(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		for _, size := range []int{100, 1 << 20} {
			var calls []string
			body := make([]byte, size)
			h := &funcs{
				open: func(c *event.Conn) {
					c.ReadFull(body, func(n int, err error) { calls = append(calls, fmt.Sprint(n, err)) })
				},
				end: func(c *event.Conn) {
					calls = append(calls, "end")
					c.ReadFull(body, func(n int, err error) { calls = append(calls, fmt.Sprint(n, err)) })
					c.Close()
				},
				close: func(_ *event.Conn, err error) { calls = append(calls, "close") },
			}
			pair(t, cfg, h, func(peer *net.TCPConn) error {
				peer.Write(pattern(99))
				peer.CloseWrite()
				io.Copy(io.Discard, peer)
				return nil
			})
			want := fmt.Sprint([]string{"99 " + io.ErrUnexpectedEOF.Error(), "end", "0 " + net.ErrClosed.Error(),
				"close"})
			if fmt.Sprint(calls) != want {
				t.Errorf("%d bytes: called %q, want %v", size, calls, want)
			}
		}
	})
}
