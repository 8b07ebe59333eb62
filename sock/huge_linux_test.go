//go:build linux && (amd64 || arm64)

package sock_test

import (
	"testing"

	"ringo"
	"ringo/internal/test/testmain"
	"ringo/sock"
)

// One Write of more than a system call takes, and more than a completion's result
// can say. The slice is mostly pages that nobody touched, so it costs little memory.
func TestStormOfOneWrite(t *testing.T) {
	if !testmain.Long() {
		t.Skip("two gigabytes over the loopback, see -long")
	}
	const size = 1<<31 + 12345
	marks := []int{0, 1, 0x7ffff000 - 1, 0x7ffff000, 1<<31 - 1, 1 << 31, size - 1}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		msg := make([]byte, size)
		for _, at := range marks {
			msg[at] = byteAt(at) | 1
		}
		s := serve(t, cfg, perConn(func(c *sock.Conn) {
			if n, err := c.Write(msg); n != size || err != nil {
				t.Errorf("Write() = %d, %v", n, err)
			}
		}))
		c := mustRaw(t, s.addr)
		found := 0
		for p, at := make([]byte, 1<<20), 0; at < size; at += len(p) {
			p = p[:min(len(p), size-at)]
			if err := c.read(p); err != nil {
				t.Fatalf("at %d: %v", at, err)
			}
			for i, b := range p {
				if b != 0 {
					if found == len(marks) || at+i != marks[found] || b != byteAt(at+i)|1 {
						t.Fatalf("byte %d at %d, want mark %d", b, at+i, found)
					}
					found++
				}
			}
		}
		if found != len(marks) {
			t.Errorf("%d marks of %d arrived", found, len(marks))
		}
		if err := c.atEnd(); err != nil {
			t.Error(err)
		}
	})
}
