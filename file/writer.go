package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
)

// Writer writes to a file behind its caller: Write copies into blocks, of which several are in
// flight. It is how a task makes many small writes, of a log say: a block costs it one trip
// through the loop, where a File's Write is one each. Any task and any goroutine may use it, also
// several at once, and what one Write writes stays together. NewWriter makes it; Close ends it,
// or else bytes are lost.
//
// What Write has accepted is in memory, and reaches the file when its block is full, 128 KiB if
// nothing else was said, or by a Flush, in order. No time limit sees to that: a log that is to be
// read while it is written, or to outlive a killed process, needs a Flush now and then. The first
// error, by place and not by time, is told by the call that follows, and all calls return it from
// then on. Blocks behind it may have been written; up to Written all have.
//
// A Writer to a File that is open with O_APPEND appends. Others may append beside it: a Write goes
// to the end in one piece, with nobody's bytes in between. One block is in flight while the next is
// filled, so that the file always has a beginning of what was written, and no more of it is missing
// than two blocks.
type Writer struct {
	s       *stream
	f       io.WriterAt
	appends bool // f is open with O_APPEND
	mine    exclusive
	filling *block // that Write copies to; nil: the next has not begun
	head    int    // where that is, or will be
	off     int64  // where the next block begins
	written atomic.Int64
	failed  atomic.Bool // a block has
	kept    int         // bytes at the begin of the block that were written by a Flush, and go out once more
	err     error

	position io.Seeker // f, whose position follows; nil: it does not
	told     int64     // where that was moved to
}

// NewWriter makes a Writer to f, which is a File, or anything else that may be written by
// several at once. It begins at f's position, or at 0 if f has none (io.Seeker), and moves
// that on to Written when Flush, Sync or Close return; until then nobody else is to use the
// position. It writes nothing yet, and does not change the file's size but by
// writing. The file stays the caller's: close the Writer first. The error names all mistakes in
// cfg. Of a File that is open with O_APPEND there is a Depth of 1, and it must not be
// Direct. Any goroutine may call it; a task may park while others use the position.
func NewWriter(f io.WriterAt, cfg *StreamConfig) (*Writer, error) {
	if f, ours := f.(*File); ours && f.appends() {
		c, err := appending(f, cfg)
		if err != nil {
			return nil, err
		}
		w, err := newWriter(f, 0, &c, func(b *block) (int, error) { return f.Write(b.mem[:b.n]) })
		if err != nil {
			return nil, err
		}
		w.appends = true
		return w, nil
	}
	at, err := positionOf(f)
	if err != nil {
		return nil, err
	}
	w, err := NewWriterAt(f, at, cfg)
	if err != nil {
		return nil, err
	}
	w.position, _ = f.(io.Seeker)
	return w, nil
}

// NewWriterAt is NewWriter from an offset on, wherever the position is, which stays there. Of a File that is
// open with O_APPEND it is an error, as WriteAt is. Any goroutine may call it.
func NewWriterAt(f io.WriterAt, off int64, cfg *StreamConfig) (*Writer, error) {
	if f, ours := f.(*File); ours && f.appends() {
		return nil, errAppend
	}
	return newWriter(f, off, cfg, func(b *block) (int, error) { return writeFull(f, b.mem[:b.n], b.at) })
}

func newWriter(f io.WriterAt, off int64, cfg *StreamConfig, move func(b *block) (int, error)) (*Writer, error) {
	w := &Writer{f: f, mine: newExclusive(), off: off, told: off}
	s, err := newStream(f, off, cfg, true, func(b *block) (n int, err error) {
		if n, err = move(b); err != nil {
			w.failed.Store(true)
		}
		return n, err
	})
	if err != nil {
		return nil, err
	}
	w.s = s
	w.written.Store(off)
	return w, nil
}

// appends reports whether what is written goes to the end.
func (f *File) appends() bool { return !f.isZero() && f.flag&os.O_APPEND != 0 }

// appending is the configuration of a Writer that appends.
func appending(f *File, cfg *StreamConfig) (c StreamConfig, err error) {
	if cfg != nil {
		c = *cfg
	}
	var wrong []error
	if c.Depth > 1 {
		wrong = append(wrong, fmt.Errorf("file: StreamConfig.Depth %d: want 1 for a file that is open with O_APPEND, "+
			"or 0", c.Depth))
	}
	if f.flag&Direct != 0 {
		wrong = append(wrong, errors.New("file: a Writer can't append to a file that is Direct"))
	}
	if c.Depth == 0 {
		c.Depth = 1
	}
	return c, errors.Join(wrong...)
}

func writeFull(f io.WriterAt, p []byte, off int64) (n int, err error) {
	n, err = f.WriteAt(p, off)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return n, err
}

// Written is the offset up to which all bytes are in the file, as far as the Writer has
// heard: after Flush or Close without an error, all of them. Of a Writer that appends it is how
// many of its bytes are. Any goroutine may call it.
func (w *Writer) Written() int64 { return w.written.Load() }

// Write copies p into blocks, and waits when all are in flight: a task parks. It returns fewer
// bytes than p has only with an error, which may be that of an earlier Write's bytes. A cancel of
// the task, or a timeout, ends the wait: what counts as written by then will be, and others may go
// on. While nothing has to wait a cancelled task can write. Any goroutine may call it.
func (w *Writer) Write(p []byte) (n int, err error) {
	if err := w.mine.lock(); err != nil {
		return 0, err
	}
	if b := w.filling; b != nil && len(p) < len(b.mem)-b.n && !w.failed.Load() {
		b.n += copy(b.mem[b.n:], p)
		w.mine.unlock()
		return len(p), nil
	}
	defer w.mine.unlock()
	return w.write(p)
}

// write is Write of what may fill a block.
func (w *Writer) write(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, w.usable()
	}
	if w.appends {
		if through, err := w.makeRoom(len(p)); err != nil {
			return 0, err
		} else if through {
			return w.writeThrough(p)
		}
	}
	for n < len(p) {
		space, err := w.space()
		if err != nil {
			return n, err
		}
		m := copy(space, p[n:])
		w.fill(m)
		n += m
	}
	return n, nil
}

// makeRoom lets what stays in one piece begin a block, if it does not fit into the rest of this
// one. through says that it fits into none.
func (w *Writer) makeRoom(n int) (through bool, err error) {
	space, err := w.space()
	if err != nil || n <= len(space) {
		return false, err
	}
	if w.filling.n > 0 {
		err = w.push()
	}
	return n > w.s.size, err
}

// writeThrough appends what is larger than a block, behind all that came before.
func (w *Writer) writeThrough(p []byte) (n int, err error) {
	if err := w.reapAll(); err != nil {
		return 0, err
	}
	w.filling = nil
	shielded(func() { n, err = w.f.(*File).Write(p) })
	w.off += int64(n)
	w.complete(w.off, err)
	return n, err
}

// ReadFrom writes all that r has, and reads right into blocks: io.Copy calls it. Others who want to
// use the Writer wait until r ends. Any goroutine may call it.
func (w *Writer) ReadFrom(r io.Reader) (sum int64, err error) {
	if err := w.mine.lock(); err != nil {
		return 0, err
	}
	defer w.mine.unlock()
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
// The error is the first of all; or what ended the wait of a task, which may try again. Any
// goroutine may call it.
func (w *Writer) Flush() error {
	if err := w.mine.lock(); err != nil {
		return err
	}
	defer w.mine.unlock()
	return w.flush()
}

// flush is Flush for who has the Writer. As far as the file was written the position moves on in any case.
func (w *Writer) flush() error {
	err := w.flushBlocks()
	if to := w.Written(); w.position != nil && to != w.told {
		shielded(func() {
			if _, failed := w.position.Seek(to, io.SeekStart); failed == nil {
				w.told = to
			} else if err == nil {
				err = failed
			}
		})
	}
	return err
}

func (w *Writer) flushBlocks() error {
	if w.s.closed {
		return fs.ErrClosed
	}
	b := w.filling
	if b == nil || b.n == w.kept {
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
	shielded(func() { w.fail(w.flushPadded(b)) })
	return w.err
}

// Sync is Flush, and then what File.Sync does: what was written before survives a crash of the
// machine if it returns nil. Others may write meanwhile. Where the sync fails nobody knows what of
// all that was written is on the disk, so that the Writer has failed, too. The error is
// errors.ErrUnsupported for what has no Sync. Any goroutine may call it.
func (w *Writer) Sync() error {
	f, ok := w.f.(interface{ Sync() error })
	if !ok {
		return errors.ErrUnsupported
	}
	if err := w.Flush(); err != nil {
		return err
	}
	err := f.Sync()
	if err == nil || interrupted(err) {
		return err
	}
	return w.failLater(err)
}

// interrupted reports whether an error is that of a task which was cancelled before anything was done.
func interrupted(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, os.ErrDeadlineExceeded)
}

// failLater is fail for who has let go of the Writer.
func (w *Writer) failLater(err error) error {
	shielded(func() {
		if w.mine.lock() != nil {
			return
		}
		defer w.mine.unlock()
		w.fail(err)
	})
	return err
}

// Close flushes, in a cancelled task too, and waits for all that is in flight. The error
// is the first of all. Later calls return fs.ErrClosed; closing again does nothing. The
// file stays open. Any goroutine may call it.
func (w *Writer) Close() (err error) {
	shielded(func() {
		if err = w.mine.lock(); err != nil {
			return
		}
		defer w.mine.unlock()
		if w.s.closed {
			return
		}
		err = w.flush()
		w.s.closed, w.filling = true, nil
		w.s.waitAll()
	})
	return err
}

// usable is why the Writer can't be used any more, if so. A block that has failed is looked at, and
// those before it are waited for.
func (w *Writer) usable() error {
	switch {
	case w.s.closed:
		return fs.ErrClosed
	case w.failed.Load():
		return w.reapAll()
	}
	return w.err
}

// space returns room in the present block, a byte at least.
func (w *Writer) space() ([]byte, error) {
	if err := w.usable(); err != nil {
		return nil, err
	}
	if b := w.filling; b != nil && b.n == w.s.size {
		if err := w.push(); err != nil {
			return nil, err
		}
	}
	if w.filling == nil {
		b := w.s.blocks[w.head]
		w.s.room(b)
		b.at, b.n = w.off, 0
		w.filling, w.kept = b, 0
	}
	b := w.filling
	return b.mem[b.n:], nil
}

// fill counts n bytes in the present block. When it is full it is submitted, if that
// need not wait.
func (w *Writer) fill(n int) {
	b := w.filling
	b.n += n
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
	b := w.filling
	w.off, w.filling = b.at+int64(b.n), nil
	w.head = (w.head + 1) % len(w.s.blocks)
	b.submit()
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
		w.written.Store(to)
		w.fail(err)
	}
}

// fail notes the first error.
func (w *Writer) fail(err error) {
	if w.err == nil && err != nil {
		w.err, w.filling = err, nil
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
		w.written.Store(min(end, b.at+int64(n)))
		return err
	}
	if err := f.Truncate(end); err != nil {
		return err
	}
	b.n = copy(b.mem, b.mem[whole:b.n])
	b.at, w.kept = b.at+int64(whole), b.n
	w.written.Store(end)
	return nil
}
