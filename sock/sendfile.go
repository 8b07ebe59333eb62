package sock

import (
	"context"
	"io"
	"math"
	"net"
	"syscall"

	"ringo/internal/bufs"
	"ringo/internal/fd"
	"ringo/internal/handle"
	"ringo/internal/lane"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/relay"
	"ringo/internal/sys"
)

// fileSource is a regular file, or what limited readers let through of it, as the source of sendfile(2).
type fileSource struct {
	raw    syscall.RawConn
	limits []*io.LimitedReader
	most   int64 // how many bytes they still let through
	gone   bool  // the end was reached, or sendfile can't: the caller goes on with r.Read, which finds out
}

// fileOf returns the file in r; nil if there is none. It looks only into wrappers that are known: others may change the
// bytes.
func fileOf(r io.Reader) *fileSource {
	f := &fileSource{most: math.MaxInt64}
	for {
		lr, ok := r.(*io.LimitedReader)
		if !ok {
			break
		}
		f.limits = append(f.limits, lr)
		f.most = min(f.most, max(0, lr.N))
		r = lr.R
	}
	file := relay.FileOf(r)
	if file == nil {
		return nil
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return nil
	}
	f.raw = raw
	return f
}

// sent counts bytes that were sent.
func (f *fileSource) sent(n int64) {
	f.most -= n
	for _, lr := range f.limits {
		lr.N -= n
	}
}

// piece returns how many bytes to ask for in one call.
func (f *fileSource) piece() uint32 { return uint32(min(f.most, pieceMax)) }

// theFiles reports whether an error is about the file and not the socket. Then the file is read in the ordinary way,
// which works, or returns the file's error.
func theFiles(res int32) bool {
	switch -res {
	case sys.EINVAL, sys.ENOSYS, sys.EOPNOTSUPP, sys.EBADF, sys.EPERM, eio, eoverflow:
		return true
	}
	return false
}

// Numbers of the Linux ABI.
const (
	eio       = 5
	eoverflow = 75
)

// sendFile is ReadFrom of a file. If it sets f.gone, the caller has to send the rest.
//
// A file's bytes may be on a disk, for which the loop must not wait. So sendFile reads a little on the loop if that is
// in memory; a goroutine sends the rest, a piece at a time. The goroutine waits for the disk and never for the peer:
// the loop waits until the peer has room, and then sends what the goroutine's attempt has brought into memory.
func (c *Conn) sendFile(f *fileSource) (total int64, err error) {
	if !c.l.World().Beside() { // in a simulated world only reads take the disk's time and fail as it does
		f.gone = true
		return 0, nil
	}
	a, err := c.enterOutput()
	if err != nil {
		return 0, err
	}
	defer c.core.Leave(a)
	if err := c.caughtUp(); err != nil {
		return 0, c.fail("write", err)
	}
	var file fd.FD
	res := int32(-sys.EBADF)
	f.raw.Control(func(n uintptr) {
		res = c.l.Kernel().Dup(int32(n)) // a duplicate shares the position
	})
	if res < 0 {
		f.gone = true
		return 0, nil
	}
	file.Init(res)
	defer c.l.Kernel().Close(res)
	n, more, err := c.sendCached(f, &file)
	total = int64(n)
	if more && err == nil {
		err = c.flush() // if sendCached has sent nothing
	}
	for more && err == nil && f.most > 0 {
		n, more, err = c.sendPiece(f, &file)
		total += int64(n)
	}
	return total, c.failed("write", err)
}

// sendCached sends the file's first bytes, as far as they are in memory and fit into a buffer. more is false if that
// was all.
func (c *Conn) sendCached(f *fileSource, file *fd.FD) (n int, more bool, err error) {
	if f.most == 0 {
		return 0, false, nil
	}
	b := c.l.Buffers().Plain.Take()
	if b == nil {
		return 0, true, nil
	}
	p := b.Mem()[:min(int64(c.l.Config().BufferSize), f.most)]
	for n < len(p) {
		o := op.Op{Code: op.Read, FD: file, Buf: p[n:], Off: -1, Mode: op.ModeNow}
		res := loop.Call(&o)
		if more = res < 0; res <= 0 {
			break
		}
		n += int(res)
		more = true
	}
	b.Off, b.End = 0, n
	read := n
	if n, err = c.sendBuffer(b); n < read { // the file's position must be behind what was sent
		c.l.Kernel().Lseek(file.Sys(), int64(n-read), io.SeekCurrent)
	}
	f.sent(int64(n))
	return n, more, err
}

// sendBuffer writes a buffer's bytes and gives the buffer back. The caller has access.
func (c *Conn) sendBuffer(b *bufs.Buffer) (int, error) {
	n, err := c.writeNow(b.Unread())
	if err != nil || n == b.End-b.Off {
		b.Pool().Put(b)
		return n, err
	}
	p := append([]byte(nil), b.Unread()...)
	b.Pool().Put(b)
	return c.writeRest(p, n)
}

// sendPiece sends the next piece of a file, and waits if there is no room.
func (c *Conn) sendPiece(f *fileSource, file *fd.FD) (n int, more bool, err error) {
	if err := c.core.State(handle.Out); err != nil {
		return 0, false, err
	}
	if c.l.Canceled() {
		return 0, false, c.l.Cause()
	}
	res, ran := int32(-sys.EAGAIN), false
	o := op.Op{Code: op.Sendfile, FD: c.core.FD(), Off: -1, Limit: f.piece(), Other: file.Sys()}
	c.core.FD().Ref()
	err = c.l.OffloadIn(lane.Files, func(context.Context) error {
		res, ran = loop.Call(&o), true
		return nil
	})
	c.core.FD().Unref()
	c.core.Settle() // a close that has begun waits for this
	if !ran {
		return 0, false, err
	}
	if res == -sys.EAGAIN {
		if c.core.Closing() {
			return 0, false, net.ErrClosed
		}
		res, err = c.sendWhenRoom(f, file)
		if err != nil || res == -sys.EAGAIN {
			return 0, true, err
		}
	}
	switch {
	case res == 0 || theFiles(res):
		f.gone = true
		return 0, false, nil
	case res < 0:
		return 0, false, callError("write", res)
	}
	f.sent(int64(res))
	return int(res), true, nil
}

// inMemory is how much of a file is in memory after a sendfile that found no room: the kernel fills a pipe before it
// looks for room.
const inMemory = 16 * 4096

// sendWhenRoom waits for room, and sends what is in memory.
func (c *Conn) sendWhenRoom(f *fileSource, file *fd.FD) (int32, error) {
	o, err := c.newSend(op.Sendfile)
	if err != nil {
		return 0, err
	}
	o.Off, o.Limit, o.Other = -1, min(f.piece(), inMemory), file.Sys()
	if res := c.awaitSend(o); res >= 0 || theFiles(res) {
		return res, nil
	}
	if err := c.core.Why(handle.Out, "write"); err != nil {
		return 0, err
	}
	return -sys.EAGAIN, nil
}

// sendFileForeign is sendFile for foreign callers. A goroutine may wait for the disk; for a task of another loop
// another goroutine does.
func (c *Conn) sendFileForeign(f *fileSource) (total int64, err error) {
	a, err := c.core.Enter(handle.Out)
	if err != nil {
		return 0, c.failed("write", err)
	}
	err = a.InPlace(func() (err error) {
		if rerr := f.raw.Control(func(n uintptr) { total, err = sendFileInTurn(a, f, n) }); rerr != nil {
			f.gone = true
		}
		return err
	})
	o := a.Op()
	o.Code, o.Off = op.Send, 0
	c.core.Leave(a)
	return total, c.failed("write", err)
}

func sendFileInTurn(a handle.Access, f *fileSource, file uintptr) (total int64, err error) {
	if err := a.Late(); err != nil {
		return 0, err
	}
	for f.most > 0 {
		o := a.Op()
		o.Code, o.Off, o.Limit, o.Other = op.Sendfile, -1, f.piece(), int32(file)
		res, err := a.Do()
		switch {
		case err != nil:
			return total, err
		case res == 0 || theFiles(res):
			f.gone = true
			return total, nil
		case res < 0:
			return total, callError("sendfile", res)
		}
		f.sent(int64(res))
		total += int64(res)
	}
	return total, nil
}
