package sock

import (
	"errors"
	"fmt"
	"math"
	"net"

	"ringo/internal/handle"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// SetZeroCopy makes the kernel send writes of at least so many bytes from the memory that
// they are in, without a copy of its own; 0, which it is from the start, makes it copy
// again. It pays for large writes to a network card that can; on the loopback the kernel
// copies all the same.
//
// The memory is lent until nobody needs it any more, and Write returns only then: when the
// peer's kernel has acknowledged all of it. So deadlines bound that, too; and because the memory
// is the caller's again when Write returns, one that a deadline, a cancel or Close ends before
// that resets the connection. Only Write and WriteLease by tasks of the connection's loop make use
// of it; all other writes are copied.
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
	case c.unix != nil:
		return c.fail("set", fmt.Errorf("zero-copy send on a Unix socket: %w", errors.ErrUnsupported))
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

// ZeroCopy is from how many bytes on writes are sent without a copy, 0 if they are not. Any
// goroutine may call it.
func (c *Conn) ZeroCopy() int { return int(c.lendFrom.Load()) }

// lacksZeroCopy is why the loop's driver sends nothing without a copy.
func (c *Conn) lacksZeroCopy() error {
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

// lendMax is how many bytes are lent at once.
const lendMax = 1 << 28

// writeLent is writeNow and writeRest in one, without a copy.
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
		c.core.Slow(cut) // then its next call is to fail, and not the one behind that
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
