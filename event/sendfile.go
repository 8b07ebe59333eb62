package event

import (
	"context"
	"io"
	"os"
	"syscall"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// fileMax is how many bytes of a file are sent by one call, or brought into memory before.
const fileMax = 256 << 10

// A File is what Conn.SendFile sends: an *os.File or a *file.File; in a simulated world only a *file.File.
type File interface {
	io.ReaderAt
	syscall.Conn
}

// fileSource is the file that a piece comes from.
type fileSource struct {
	f    File
	fd   int32
	off  int64
	left int64
	warm int64 // bytes before this offset were in memory a moment ago
	err  error // the error of reading them into memory

	plain bool   // sendfile(2) does not work for it, as in procfs: its bytes are read, and sent
	read  []byte // what was read and not sent
}

// SendFile sends n bytes of a regular file from off on, after the bytes written before: by sendfile(2), without a copy
// in the program, and without waiting for the disk on the loop's thread. A file that sendfile(2) does not work for, as
// in procfs, is read instead. f is borrowed until then is called, as with WriteThen. If the file has fewer bytes, or
// can't be read, the connection ends, because the stream would have a hole, and then gets the error. The bytes don't
// count in Conn.Unsent. Like Write it fails with ErrFull if too many files wait, see SetMarks, or at the bound of
// Loop.SetUnsentMax. If SendFile itself returns an error, then is not called. In a simulated world it fails for files
// of the real system.
func (c *Conn) SendFile(f File, off, n int64, then func(error)) error {
	e := c.here("Conn.SendFile")
	switch {
	case c.state != open || c.flags&finished != 0:
		return c.noWrite("write")
	case c.set.records:
		return c.opError("sendfile", errRecords)
	case off < 0 || n < 0:
		return c.opError("sendfile", os.ErrInvalid)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	src := &fileSource{f: f, off: off, left: n}
	if err := raw.Control(func(fd uintptr) { src.fd = int32(fd) }); err != nil {
		return err
	}
	if err := e.l.World().Passage(); err != nil && e.l.Kernel().Getfl(src.fd) == -sys.EBADF {
		return c.opError("sendfile", err)
	}
	e.l.Charge()
	if before := e.l.Outbox().Accepted(c.accepted); len(before) > 0 {
		flags := uint32(0)
		if n > 0 {
			flags = sys.MsgMore
		}
		if _, err := c.sendBoth(before, nil, flags); err != nil {
			return err
		}
	}
	switch {
	case n == 0 && c.out == nil:
		if then != nil {
			c.call(then, nil)
		}
		return nil
	case c.out != nil && c.out.isFull():
		c.flags |= congested
		return ErrFull
	}
	begins := c.out == nil
	if begins {
		c.out = &output{c: c}
	}
	c.out.add(piece{file: src, then: then})
	if begins {
		c.out.submit()
	}
	return nil
}

// submitFile makes the driver send the next bytes of a file, the first piece, or lets a worker bring them into memory
// first.
func (o *output) submitFile(s *fileSource) {
	l := o.c.e.l
	n := min(s.left, fileMax)
	switch {
	case s.err != nil:
		o.failFile(s.err)
		return
	case s.plain && len(s.read) == 0:
		o.task = l.Go(func() { o.bring(s, n) })
		return
	case !s.plain && s.off+n > s.warm && l.Kernel().Resident(s.fd, s.off, n) != 1:
		o.task = l.Go(func() { o.bring(s, n) })
		return
	}
	code := op.Sendfile
	if s.plain {
		code = op.Send
	}
	x := l.Ops().New(code)
	if x == nil {
		o.c.unsendable(-sys.ENOBUFS)
		return
	}
	if x.FD, x.Sink = &o.c.fd, (*fileSink)(o); s.plain {
		x.Buf = s.read
	} else {
		x.Other, x.Off, x.Limit = s.fd, s.off, uint32(n)
	}
	o.op = x
	l.Handles().Hold(1)
	l.Ops().Submit(x)
	o.c.begins(writes)
}

// bring reads n bytes of a file, so that they are in memory, or some to be sent. It runs in a task.
func (o *output) bring(s *fileSource, n int64) {
	s.warm, s.err = s.off+n, ErrNoReturn
	defer o.brought() // even if ReadAt does not return
	s.err = o.c.e.l.Offload(func(context.Context) error {
		p := make([]byte, min(n, 64<<10))
		for at := s.off; at < s.off+n; {
			k, err := s.f.ReadAt(p[:min(int64(len(p)), s.off+n-at)], at)
			switch at += int64(k); {
			case s.plain && k > 0:
				s.read = p[:k]
				return nil
			case s.plain && err == io.EOF:
				return io.ErrUnexpectedEOF
			case err == io.EOF:
				return nil // sendfile sees that when it has sent the rest
			case err != nil:
				return err
			}
		}
		return nil
	})
}

func (o *output) brought() {
	o.task = nil
	if !o.dropIfIdle() {
		o.goOn()
	}
	o.c.settle()
}

// fileSink is the output as the sink of a sendfile.
type fileSink output

// Complete takes the result of a sendfile.
func (k *fileSink) Complete(x *op.Op, res int32, _ uint32) {
	o := (*output)(k)
	c, l := o.c, o.c.e.l
	o.op = nil
	l.Ops().Free(x)
	l.Handles().Hold(-1)
	s := o.pieces[o.first].file
	if res > 0 {
		s.off += int64(res)
		s.left -= int64(res)
		s.read = s.read[min(int(res), len(s.read)):]
		o.goesOn(int(res))
		if s.left == 0 {
			o.end(nil)
		}
	}
	switch {
	case o.dropIfIdle():
	case res > 0:
		o.goOn()
	case !s.plain && (res == -sys.EINVAL || res == -sys.ENOSYS || res == -sys.EOPNOTSUPP):
		s.plain = true
		o.goOn()
	case res == 0:
		o.failFile(io.ErrUnexpectedEOF)
	case res != -sys.ECANCELED:
		o.failFile(callError("sendfile", res))
	}
	c.settle()
}

// failFile ends the connection because of a file.
func (o *output) failFile(err error) {
	c := o.c
	o.err = c.opError("sendfile", err)
	c.end(byCall)
	c.dropOutput(o.err)
}

// goOn sends the next piece, or ends the output if there is none.
func (o *output) goOn() {
	c := o.c
	if c.flags&leaving != 0 {
		return // the rest becomes part of the detached connection
	}
	for o.first < len(o.pieces) && o.pieces[o.first].isSent(c.set.records) {
		o.end(nil)
	}
	o.tellRoom()
	switch {
	case o.first < len(o.pieces):
		o.submit()
	case c.state == open:
		c.out = nil
		c.drained()
	}
}

// isSent reports whether nothing of the piece is left to send. An empty record is left until it was sent.
func (p *piece) isSent(records bool) bool {
	if p.file != nil {
		return p.file.left == 0
	}
	return len(p.p) == 0 && !records
}
