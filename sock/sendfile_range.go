package sock

import (
	"errors"
	"io"
	"os"
	"syscall"

	"ringo/internal/handle"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// SendFile writes all of head and then up to n bytes of a regular file, an *os.File or a *file.File, from off on by
// sendfile(2), as many as the socket has room for. It returns the number of bytes from the file, without head. If they
// are fewer than n, even 0, SendFile has waited until there is room for more, and the caller should continue from
// there, without head. head and the file's bytes share a segment if they fit, and no other writer's bytes come between.
// The kernel may use head until SendFile returns. The file's position is neither used nor moved.
//
// Any goroutine may call it; a task parks. In a task of the connection's loop the bytes should be in memory
// (file.File.Cached), otherwise the loop waits for the disk; ReadFrom, and with it io.Copy, checks this itself. Other
// callers may wait for the disk; for a task of another loop a goroutine does (Loop.Offload).
//
// At the end of the file the error is io.ErrUnexpectedEOF. errors.ErrUnsupported means that sendfile does not work for
// this file or this connection: copy the bytes instead; head has been sent then, unless the connection carries records
// ("unixpacket"). Errors of the file, such as fs.ErrClosed, are wrapped in the connection's; errors of the connection
// and deadlines are those of Write.
func (c *Conn) SendFile(head []byte, file syscall.Conn, off, n int64) (sent int, err error) {
	a, err := c.enterOutput()
	if err != nil {
		return 0, err
	}
	defer c.core.Leave(a)
	raw, err := c.sendable(file, off, n)
	switch n = min(n, fileMax); {
	case err != nil:
	case a.Own():
		sent, err = c.sendRange(head, raw, off, n)
	default:
		sent, err = sendRangeForeign(a, head, raw, off, n)
	}
	return sent, c.failed("write", err)
}

// fileMax is how many bytes one call sends: no less than a socket has room for, because otherwise the peer would be
// woken for each piece.
const fileMax = 4 << 20

// sendable checks the arguments of SendFile.
func (c *Conn) sendable(file syscall.Conn, off, n int64) (syscall.RawConn, error) {
	switch {
	case c.records():
		return nil, errors.ErrUnsupported
	case file == nil || n <= 0 || off < 0:
		return nil, posix.EINVAL
	}
	return file.SyscallConn()
}

// sendRange is SendFile for a task of the loop that has access.
func (c *Conn) sendRange(head []byte, file syscall.RawConn, off, n int64) (int, error) {
	if len(head) > 0 || c.core.Owes() {
		if err := c.writeHead(head); err != nil {
			return 0, err
		}
	}
	if err := c.core.State(handle.Out); err != nil { // a part of head may have waited for room meanwhile
		return 0, err
	}
	s := &c.local.file
	s.c, s.off, s.n = c, off, uint32(n)
	err := file.Control(s.call)
	res, ok := s.res, s.ok
	s.c = nil
	switch {
	case err != nil:
		return 0, err
	case !ok:
		return 0, c.awaitRoom()
	}
	if err := sendfileError(res); err != nil {
		return 0, err
	}
	if int64(res) < n {
		return int(res), c.awaitRoom()
	}
	return int(res), nil
}

// fileCall is a loop's call of sendfile, with its arguments and results. There is one per loop, so that SendFile
// allocates no closure.
type fileCall struct {
	c    *Conn
	off  int64
	n    uint32
	res  int32
	ok   bool
	call func(file uintptr) // send
}

func (s *fileCall) send(file uintptr) {
	o := &s.c.local.splice
	o.Code, o.FD, o.Off, o.Limit, o.Other = op.Sendfile, s.c.core.FD(), s.off, s.n, int32(file)
	s.res, s.ok = s.c.l.Ops().Try(o)
	o.Off = 0
}

// sendfileError returns the error if nothing was sent.
func sendfileError(res int32) error {
	switch {
	case res > 0:
		return nil
	case res == 0:
		return io.ErrUnexpectedEOF
	case res == -sys.EINVAL, res == -sys.ENOSYS, res == -sys.EOPNOTSUPP:
		return os.NewSyscallError("sendfile", errors.ErrUnsupported)
	}
	return callError("sendfile", res)
}

// writeHead writes what comes before a file's bytes, and before it what was accepted.
func (c *Conn) writeHead(head []byte) error {
	if err := c.caughtUp(); err != nil {
		return err
	}
	c.core.Spends()
	c.local.send.CallFlags = sys.MsgMore
	n, err := c.writeNow(head)
	c.local.send.CallFlags = 0
	if err == nil && (n < len(head) || c.core.HasUnsent()) {
		_, err = c.writeRest(head, n)
	}
	return err
}

// awaitRoom parks until the socket has room.
func (c *Conn) awaitRoom() error {
	o, err := c.newSend(op.Room)
	if err != nil {
		return err
	}
	c.awaitSend(o)
	return c.core.Why(handle.Out, "write")
}

// sendRangeForeign is SendFile for foreign callers, which may wait for the disk.
func sendRangeForeign(a handle.Access, head []byte, file syscall.RawConn, off, n int64) (sent int, err error) {
	o := a.Op()
	err = a.InPlace(func() error {
		var failed error
		err := file.Control(func(file uintptr) { sent, failed = sendRangeInTurn(a, head, file, off, n) })
		if err == nil {
			err = failed
		}
		return err
	})
	o.Code, o.Buf, o.CallFlags, o.Off = op.Send, nil, 0, 0
	return sent, err
}

func sendRangeInTurn(a handle.Access, head []byte, file uintptr, off, n int64) (int, error) {
	if err := a.Late(); err != nil {
		return 0, err
	}
	o := a.Op()
	o.CallFlags = sys.MsgMore
	for len(head) > 0 {
		o.Buf = head[:min(len(head), pieceMax)]
		res, err := a.Do()
		switch {
		case err != nil:
			return 0, err
		case res < 0:
			return 0, callError("write", res)
		}
		head = head[res:]
	}
	o.Code, o.Buf, o.Off, o.Limit, o.Other = op.Sendfile, nil, off, uint32(n), int32(file)
	res, err := a.Do()
	if err == nil {
		err = sendfileError(res)
	}
	if err != nil {
		return 0, err
	}
	return int(res), nil
}
