//go:build linux

package uring

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkClose is the close of a connected socket as a plain call and as a request, without the time to make it. The
// numbers are quoted in docs/adr/0008-close.md.
func BenchmarkClose(b *testing.B) {
	var r *Ring
	for _, how := range []struct {
		name  string
		close func(b *testing.B, fd int)
	}{
		{"call", func(_ *testing.B, fd int) { unix.Close(fd) }},
		{"ring", func(b *testing.B, fd int) {
			r.SQE().PrepClose(fd)
			enter(b, r, 1)
			if c, ok := r.CQE(); !ok || c.Res != 0 {
				b.Fatalf("close: %+v, %v", c, ok)
			}
		}},
	} {
		b.Run(how.name, func(b *testing.B) {
			r = open(b, 64, nil)
			var took time.Duration
			n := 0
			for b.Loop() {
				pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
				if err != nil {
					b.Fatal(err)
				}
				begin := time.Now()
				how.close(b, pair[0])
				took += time.Since(begin)
				unix.Close(pair[1])
				n++
			}
			b.ReportMetric(float64(took)/float64(n), "ns/close")
		})
	}
}
