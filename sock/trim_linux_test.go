//go:build linux

package sock_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/sock"
)

// Pipes of copies in bulk are closed when nobody has copied for some seconds, while all else is open.
func TestPipesAreGivenBack(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Buffers, cfg.BufferSize = 16, 1024 // few of them, in a row and full, begin splices
		pair(t, cfg, func(l *ringo.Loop, src *sock.Conn, in *net.TCPConn) {
			dst, out := connect(t, l)
			defer out.Close()
			defer dst.Close()
			const n = 60 << 10 // more than all buffers hold, and there before the copy begins
			if _, err := in.Write(make([]byte, n)); err != nil {
				t.Fatal(err)
			}
			before := pipesOpen(t)
			task := l.Go(func() {
				if _, err := io.Copy(dst, src); err != nil {
					t.Error(err)
				}
			})
			offloaded(t, l, func() error {
				_, err := io.CopyN(io.Discard, out, n)
				for began := time.Now(); pipesOpen(t) > before; time.Sleep(time.Millisecond) { // between two looks
					if time.Since(began) > patience {
						return errors.New("a pipe that nobody uses stays open")
					}
				}
				return err
			})
			splices := uint64(0)
			for _, op := range l.Stats().Ops {
				if op.Op == "splice(in)" {
					splices = op.Tried
				}
			}
			if splices == 0 {
				t.Error("the copy did not go by a pipe, so that nothing was tested")
			}
			in.CloseWrite()
			task.Wait()
		})
	})
}

// pipesOpen is how many ends of pipes the process has.
func pipesOpen(t *testing.T) (n int) {
	dir, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Error(err)
	}
	for _, e := range dir {
		if name, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.HasPrefix(name, "pipe:") {
			n++
		}
	}
	return n
}
