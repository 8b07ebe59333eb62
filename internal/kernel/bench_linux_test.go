//go:build linux

package kernel

import (
	"testing"

	"ringo/internal/sys"
)

// BenchmarkDoor is what the door adds to a system call, on the cheapest ones that an
// accepted connection makes. Nothing of it allocates.
func BenchmarkDoor(b *testing.B) {
	s := Host{}.Socket(sys.AFInet, sys.SockStream, 0)
	if s < 0 {
		b.Fatalf("Socket = %d", s)
	}
	defer Host{}.Close(s)
	var k Kernel = Host{}
	sa := new(sys.Sockaddr)
	b.Run("getsockname/call=sys", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sys.Getsockname(s, sa)
		}
	})
	b.Run("getsockname/call=kernel", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			k.Getsockname(s, sa)
		}
	})
	b.Run("setsockopt/call=sys", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sys.SetsockoptInt(s, sys.SolSocket, 9, 1)
		}
	})
	b.Run("setsockopt/call=kernel", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			k.Setsockopt(s, sys.SolSocket, 9, 1)
		}
	})
}
