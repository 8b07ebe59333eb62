package sock

import (
	"errors"
	"io"
	"os"

	"ringo/internal/handle"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// SendFile writes head, all of it, and then bytes of a regular file from off on by
// sendfile(2): up to n, as many as the socket has room for. If those are fewer than n, it parks
// until there is room for more; the count may be 0 then. head and the bytes behind it share a segment if they fit. The
// caller keeps the descriptor open until SendFile returns; the file's position stays.
//
// The loop waits for the disk if those bytes are not in the page cache: SendFile is for
// who has looked, a piece at a time. ReadFrom looks by itself. The end of the file is
// io.ErrUnexpectedEOF, and errors.ErrUnsupported says that such a file can't be sent so.
// Other errors and deadlines are those of Write. Only a task of the connection's loop may
// call it.
func (c *Conn) SendFile(head []byte, file uintptr, off, n int64) (int, error) {
	if !c.l.Here() {
		return 0, c.fail("write", stranger(c.l))
	}
	a, err := c.enterWrite()
	if err != nil {
		return 0, err
	}
	defer c.core.Leave(a)
	sent, err := c.sendRange(head, file, off, n)
	return sent, c.failed("write", err)
}

// sendRange is SendFile in the writer's turn.
func (c *Conn) sendRange(head []byte, file uintptr, off, n int64) (int, error) {
	if c.records() {
		return 0, errors.ErrUnsupported
	}
	if n <= 0 || off < 0 {
		return 0, callError("write", -sys.EINVAL)
	}
	if len(head) > 0 {
		if err := c.writeHead(head); err != nil {
			return 0, err
		}
	}
	if err := c.core.State(handle.Out); err != nil { // perhaps since a part of head waited for room
		return 0, err
	}
	o := &c.local.splice
	n = min(n, fileMax)
	o.Code, o.FD, o.Off, o.Arg, o.Arg2 = op.Sendfile, c.core.FD(), off, uint32(n), uint32(file)
	res, ok := c.l.Try(o)
	o.Off = 0
	switch {
	case !ok:
		return 0, c.awaitRoom()
	case res == 0:
		return 0, c.fail("write", io.ErrUnexpectedEOF)
	case res == -sys.EINVAL, res == -sys.ENOSYS, res == -sys.EOPNOTSUPP:
		return 0, os.NewSyscallError("sendfile", errors.ErrUnsupported)
	case res < 0:
		return 0, callError("write", res)
	case int64(res) < n:
		return int(res), c.awaitRoom()
	}
	return int(res), nil
}

// fileMax is how many bytes one call sends: no less than a socket has room for, or the
// peer would be woken for each piece.
const fileMax = 4 << 20

// writeHead writes what a file's bytes will follow.
func (c *Conn) writeHead(head []byte) error {
	c.local.send.Arg = sys.MsgMore
	n, err := c.writeNow(head)
	c.local.send.Arg = 0
	if err == nil && n < len(head) {
		_, err = c.writeRest(head, n)
	}
	return err
}

// awaitRoom parks until the socket has room.
func (c *Conn) awaitRoom() error {
	o, err := c.newSend(op.Poll)
	if err != nil {
		return err
	}
	o.Arg = sys.PollOut
	c.awaitSend(o)
	return c.core.Why(handle.Out, "write")
}
