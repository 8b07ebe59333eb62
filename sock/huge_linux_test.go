//go:build linux

package sock_test

import (
	"strconv"
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
	if strconv.IntSize == 32 {
		t.Skip("no slice is as long here")
	}
	var size int64 = 1<<31 + 12345 // a variable, for it is no int everywhere
	marks := []int64{0, 1, 0x7ffff000 - 1, 0x7ffff000, 1<<31 - 1, 1 << 31, size - 1}
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		msg := make([]byte, size)
		for _, at := range marks {
			msg[at] = byteAt(int(at)) | 1
		}
		s := serve(t, cfg, perConn(func(c *sock.Conn) {
			if n, err := c.Write(msg); int64(n) != size || err != nil {
				t.Errorf("Write() = %d, %v", n, err)
			}
		}))
		c := mustRaw(t, s.addr)
		found := 0
		for p, at := make([]byte, 1<<20), int64(0); at < size; at += int64(len(p)) {
			p = p[:min(int64(len(p)), size-at)]
			if err := c.read(p); err != nil {
				t.Fatalf("at %d: %v", at, err)
			}
			for i, b := range p {
				if b != 0 {
					if found == len(marks) || at+int64(i) != marks[found] || b != byteAt(int(at)+i)|1 {
						t.Fatalf("byte %d at %d, want mark %d", b, at+int64(i), found)
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
