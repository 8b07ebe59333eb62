//go:build linux

package event_test

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"ringo"
	"ringo/event"
	"ringo/internal/test/socktest"
)

// Whoever has the descriptor finds what was written before sent, sets what there is no method for, and gets none of a
// connection that closes.
func TestSyscallConn(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		var raw syscall.RawConn
		var kept, refused, closed error
		size := 0
		h := &funcs{
			open: func(c *event.Conn) {
				if err := c.Write([]byte("first, ")); err != nil {
					t.Error(err)
				}
				raw, _ = c.SyscallConn()
				err := raw.Control(func(fd uintptr) {
					_, writeErr := syscall.Write(int(fd), []byte("second"))
					setErr := syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 8192)
					var getErr error
					size, getErr = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF)
					kept = errors.Join(writeErr, setErr, getErr)
				})
				refused = raw.Read(func(uintptr) bool { return true })
				if err != nil || !errors.Is(raw.Write(func(uintptr) bool { return true }), syscall.EINVAL) {
					t.Errorf("Control: %v; or Write is not refused", err)
				}
				c.Close()
			},
			close: func(*event.Conn, error) { closed = raw.Control(func(uintptr) { t.Error("a closed descriptor") }) },
		}
		pair(t, cfg, h, func(peer *net.TCPConn) error {
			return errors.Join(socktest.WantBytes(peer, []byte("first, second")), socktest.WantEOF(peer))
		})
		if kept != nil || size != 2*8192 { // as the kernel counts
			t.Errorf("the function of Control: %v, and a buffer of %d", kept, size)
		}
		if !errors.Is(refused, syscall.EINVAL) || !errors.Is(closed, net.ErrClosed) {
			t.Errorf("Read: %v, Control behind the end: %v", refused, closed)
		}
	})
}
