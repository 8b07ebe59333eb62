package sock

import (
	"errors"
	"fmt"
	"math"
	"net"

	"ringo/internal/handle"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// SetZeroCopy makes the kernel send writes of at least the given size directly from the caller's memory, without a
// copy; 0, the default, turns this off. It pays off for large writes to a network card that supports it; on loopback
// the kernel copies anyway.
//
// The kernel uses the memory until the peer's kernel has acknowledged all of it, and Write returns only then. So
// deadlines also cover that time. The memory belongs to the caller again when Write returns, so a Write that ends
// earlier, by a deadline, a cancel or Close, resets the connection. Only Write and WriteLease by tasks of the
// connection's loop send without a copy; all other writes copy.
//
// It needs the uring driver, Linux 6.0 and a TCP connection; otherwise the error is
// errors.ErrUnsupported. A write that turns out to be impossible without a copy is sent with one.
// Any goroutine may call it. See io_uring_prep_send_zc(3).
func (c *Conn) SetZeroCopy(bytes int) error {
	switch {
	case c.l == nil:
		return errZero
	case bytes < 0 || bytes > math.MaxInt32:
		return c.fail("set", fmt.Errorf("zero-copy writes from %d bytes on: want 0 to %d", bytes, math.MaxInt32))
	case bytes == 0:
	case !c.tcp():
		return c.fail("set", fmt.Errorf("zero-copy send on a %s socket: %w", shownNetwork(c.network()),
			errors.ErrUnsupported))
	default:
		if err := c.lacksZeroCopy(); err != nil {
			return c.fail("set", err)
		}
	}
	switch {
	case c.l.Ended():
		return c.fail("set", errEnded)
	case c.core.ForeignClosing():
		return c.fail("set", net.ErrClosed)
	}
	c.lendFrom.Store(int32(bytes))
	return nil
}

// ZeroCopy returns the size from which on writes are sent without a copy, 0 if none are. Any goroutine may call it.
func (c *Conn) ZeroCopy() int { return int(c.lendFrom.Load()) }

// lacksZeroCopy returns why the loop's driver can't send without a copy, nil if it can.
func (c *Conn) lacksZeroCopy() error {
	if !sys.HaveUring && c.l.World().Beside() {
		return fmt.Errorf("zero-copy send: %w", posix.ErrSystem)
	}
	info := c.l.Info()
	lacks := "driver " + info.Name
	for _, w := range info.Ways {
		if w.Op == op.Table[op.SendZC].Name {
			if w.Lacks == "" {
				return nil
			}
			lacks = w.Lacks
		}
	}
	return fmt.Errorf("zero-copy send (%s): %w", lacks, errors.ErrUnsupported)
}

// lendsOut reports whether p is to be sent without a copy.
func (c *Conn) lendsOut(p []byte) bool {
	from := c.lendFrom.Load()
	return from != 0 && len(p) >= int(from)
}

// lendMax is how many bytes the kernel may use at once.
const lendMax = 1 << 28

// writeLent sends p without a copy, and waits until the kernel has released it.
func (c *Conn) writeLent(p []byte) (n int, err error) {
	for n < len(p) {
		if err := c.core.State(handle.Out); err != nil {
			return n, err
		}
		o, err := c.newSend(op.SendZC)
		if err != nil {
			return n, err
		}
		o.Flags, o.Buf = op.Full, p[n:min(len(p), n+lendMax)]
		if res := c.awaitSend(o); res > 0 {
			n += int(res)
		}
		cut := c.core.Own(handle.Out).Cut()
		c.core.Slow(cut) // if cut, the loop's next write must fail itself, and not be accepted
		if n == len(p) && !cut {
			break
		}
		if err := c.core.Why(handle.Out, "write"); err != nil {
			return n, err
		}
		if cut {
			return n, callError("write", -sys.EPIPE)
		}
	}
	return n, nil
}
