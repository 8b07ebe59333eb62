package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Writer writes to a file from an offset on and behind its caller: Write copies into
// blocks, of which several are in flight. One task or goroutine at a time may use it, now
// this one and now another. NewWriter makes it; Close ends it, or else bytes are lost.
//
// The first error, by place and not by time, is what all calls return from then on. Blocks
// behind it may have been written; up to Written all have.
type Writer struct {
	s       *stream
	f       io.WriterAt
	head    int   // the block that is being filled
	fresh   bool  // that has not begun
	off     int64 // where the next byte goes
	written int64
	kept    int // bytes at the begin of the block that were written by a Flush, and go out once more
	err     error
}

// NewWriter makes a Writer to f, which is a File, or anything else that may be written by
// several at once. It writes nothing yet, and does not change the file's size but by
// writing. The file stays the caller's: close the Writer first, and Sync then if the bytes
// have to be durable. The error names all mistakes in cfg.
func NewWriter(f io.WriterAt, cfg *StreamConfig) (*Writer, error) {
	s, off, err := newStream(f, cfg, true, func(b *block) (int, error) { return writeFull(f, b.mem[:b.n], b.at) })
	if err != nil {
		return nil, err
	}
	w := &Writer{s: s, f: f, off: off, written: off, fresh: true}
	return w, nil
}

func writeFull(f io.WriterAt, p []byte, off int64) (n int, err error) {
	n, err = f.WriteAt(p, off)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return n, err
}

func (w *Writer) block() *block { return w.s.blocks[w.head] }

// Written is the offset up to which all bytes are in the file, as far as the Writer has
// heard: after Flush or Close without an error, all of them.
func (w *Writer) Written() int64 { return w.written }

// Write copies p into blocks, and waits when all are in flight: a task parks. It may return
// the error of an earlier Write's bytes. If a cancel of the task ends the wait, what
// counts as written by then will be, and others may go on.
func (w *Writer) Write(p []byte) (n int, err error) {
	for n < len(p) {
		space, err := w.space()
		if err != nil {
			return n, err
		}
		m := copy(space, p[n:])
		w.fill(m)
		n += m
	}
	if n == 0 && w.s.closed {
		return 0, fs.ErrClosed
	}
	return n, nil
}

// ReadFrom writes all that r has, and reads right into blocks: io.Copy calls it.
func (w *Writer) ReadFrom(r io.Reader) (sum int64, err error) {
	for idle := 0; idle < 100; {
		space, err := w.space()
		if err != nil {
			return sum, err
		}
		n, err := r.Read(space)
		w.fill(n)
		sum += int64(n)
		if errors.Is(err, io.EOF) {
			return sum, nil
		}
		if err != nil {
			return sum, err
		}
		if idle++; n > 0 {
			idle = 0
		}
	}
	return sum, io.ErrNoProgress
}

// Flush hands over what was written so far and waits until all of it is in the file. With
// Direct and an end that is not aligned, zeros go out behind it and are cut off again.
// The error is the first of all; or what ended the wait of a task, which may try again.
func (w *Writer) Flush() error {
	if w.s.closed {
		return fs.ErrClosed
	}
	b := w.block()
	if w.fresh || b.n == w.kept {
		return w.reapAll()
	}
	if b.n%w.s.off == 0 {
		if err := w.push(); err != nil {
			return err
		}
		return w.reapAll()
	}
	if err := w.reapAll(); err != nil {
		return err
	}
	shielded(func() { w.err = w.flushPadded(b) })
	return w.err
}

// Close flushes, in a cancelled task too, and waits for all that is in flight. The error
// is the first of all. Later calls return fs.ErrClosed; closing again does nothing. The
// file stays open.
func (w *Writer) Close() (err error) {
	if w.s.closed {
		return nil
	}
	shielded(func() { err = w.Flush() })
	w.s.closed = true
	w.s.waitAll()
	return err
}

// space returns room in the present block, a byte at least.
func (w *Writer) space() ([]byte, error) {
	switch {
	case w.s.closed:
		return nil, fs.ErrClosed
	case w.err != nil:
		return nil, w.err
	case !w.fresh && w.block().n == w.s.size:
		if err := w.push(); err != nil {
			return nil, err
		}
	}
	b := w.block()
	if w.fresh {
		w.fresh, w.kept = false, 0
		w.s.room(b)
		b.at, b.n = w.off, 0
	}
	return b.mem[b.n:], nil
}

// fill counts n bytes in the present block. When it is full it is submitted, if that
// need not wait.
func (w *Writer) fill(n int) {
	b := w.block()
	b.n += n
	w.off += int64(n)
	if first := w.oldest(); b.n == w.s.size && (!first.inFlight || first.done.Len() > 0) {
		w.push()
	}
}

// oldest is the block that was submitted first of those in flight, if all are.
func (w *Writer) oldest() *block { return w.s.blocks[(w.head+1)%len(w.s.blocks)] }

// push submits the present block, once the one that is next is free.
func (w *Writer) push() error {
	if err := w.reap(w.oldest()); err != nil {
		return err
	}
	w.block().submit()
	w.head, w.fresh = (w.head+1)%len(w.s.blocks), true
	return nil
}

// reap waits for a block if it is in flight, and notes its result. Blocks are reaped in
// order, so that the first error is the first by place.
func (w *Writer) reap(b *block) error {
	if b.inFlight {
		if err := b.wait(); err != nil {
			return err
		}
		w.complete(b.at+int64(b.got), b.err)
	}
	return w.err
}

// complete notes that everything is written up to an offset, or why it is not.
func (w *Writer) complete(to int64, err error) {
	if w.err == nil {
		w.written, w.err = to, err
	}
}

// reapAll is reap for all of them.
func (w *Writer) reapAll() error {
	for i := range w.s.blocks {
		b := w.s.blocks[(w.head+i)%len(w.s.blocks)]
		for b.inFlight {
			if err := w.reap(b); b.inFlight {
				return err
			}
		}
	}
	return w.err
}

// sizer is a file whose end may be set.
type sizer interface {
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
}

// flushPadded writes the present block, whose end is not aligned, and sets the file's end
// to that. What is behind an aligned place stays, to be written again with what follows.
func (w *Writer) flushPadded(b *block) error {
	end, whole := b.at+int64(b.n), b.n-b.n%w.s.off
	f, ok := w.f.(sizer)
	if !ok {
		return fmt.Errorf("file: the stream's end at %d is no multiple of %d, and the file can't be cut there: it "+
			"has no Truncate", end, w.s.off)
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() > end {
		return fmt.Errorf("file: the stream's end at %d is no multiple of %d, and the file, which is Direct, goes on "+
			"to %d: bytes behind the end would be lost", end, w.s.off, info.Size())
	}
	padded := b.mem[:whole+w.s.off]
	clear(padded[b.n:])
	if n, err := writeFull(w.f, padded, b.at); err != nil {
		w.written = min(end, b.at+int64(n))
		return err
	}
	if err := f.Truncate(end); err != nil {
		return err
	}
	b.n = copy(b.mem, b.mem[whole:b.n])
	b.at, w.kept, w.written = b.at+int64(whole), b.n, end
	return nil
}
