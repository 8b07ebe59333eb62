package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"

	"ringo/internal/sys"
)

// A Writer writes to a file in the background: Write copies into blocks, of which several are in flight. It is for
// tasks that make many small writes, as to a log: a block costs one trip through the loop, where each Write of a File
// costs one. Any task and any goroutine may use it, several at once too, and the bytes of one Write stay together.
// NewWriter makes it; call Close, otherwise bytes are lost.
//
// Written bytes stay in memory until their block is full, by default 128 KiB, or until Flush, and reach the file in
// order. There is no time limit: call Flush regularly for a log that is read while it is written, or that has to
// survive a killed process. The next call returns the first error, by place in the file, and so do all later calls.
// Blocks after it may have been written; all bytes up to Written have.
//
// A Writer to a File that is open with O_APPEND appends. Others may append at the same time: each Write is appended in
// one piece, with no other bytes in between. One block is in flight while the next is filled, so the file always has a
// prefix of the bytes written, and lacks at most two blocks.
type Writer struct {
	s       *stream
	f       io.WriterAt
	appends bool // f is open with O_APPEND
	mine    exclusive
	filling *block // the block that Write copies to; nil: none has been started
	head    int    // the index of filling, or of the block that will be next
	off     int64  // where the next block begins in the file
	written atomic.Int64
	failed  atomic.Bool // a block has failed
	kept    int         // bytes at the start of filling that a Flush has written, and that will be written again
	err     error

	position io.Seeker // f, if its position follows Written; nil: it does not
	told     int64     // where the position was moved to last
}

// NewWriter makes a Writer to f, a File or anything else that allows concurrent writes. It begins at f's position, or
// at 0 if f has none (io.Seeker), and advances it to Written when Flush, Sync or Close return; until then other callers
// must not use the position. It writes nothing yet, and changes the file's size only by writing. The caller still has
// to close f, after the Writer. The error names all mistakes in cfg. If f is open with O_APPEND, Depth must be 1 or 0,
// and f must not be Direct. Any goroutine may call it; a task may park while other callers use the position.
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

// NewWriterAt is like NewWriter, but begins at an offset, and neither uses nor moves f's position. It fails for a File
// that is open with O_APPEND, as WriteAt does. Any goroutine may call it.
func NewWriterAt(f io.WriterAt, off int64, cfg *StreamConfig) (*Writer, error) {
	if f, ours := f.(*File); ours && f.appends() {
		return nil, errAppend
	}
	return newWriter(f, off, cfg, func(b *block) (int, error) { return writeFull(f, b.mem[:b.n], b.at) })
}

func newWriter(f io.WriterAt, off int64, cfg *StreamConfig, move func(b *block) (int, error)) (*Writer, error) {
	w := &Writer{f: f, mine: newExclusive(), off: off, told: off}
	s, err := newStream(f, off, cfg, true, func(b *block) (n int, err error) {
		err = errNoReturn
		defer func() {
			if err != nil {
				w.failed.Store(true)
			}
		}()
		return move(b)
	})
	if err != nil {
		return nil, err
	}
	w.s = s
	w.written.Store(off)
	return w, nil
}

// appends reports whether writes go to the end of the file.
func (f *File) appends() bool { return !f.isZero() && f.flag&sys.OAppend != 0 }

// appending returns the configuration of a Writer that appends.
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

// Written returns the offset up to which all bytes are known to be in the file: after Flush or Close without an error,
// all of them. For a Writer that appends it returns how many of its bytes are. Any goroutine may call it.
func (w *Writer) Written() int64 { return w.written.Load() }

// Write copies p into blocks, and waits while all are in flight: a task parks. It returns less than len(p) only with an
// error, which may be that of an earlier Write's bytes. Cancelling the task, or a timeout, ends the wait: the bytes
// counted by then will be written, and other callers can continue. A cancelled task can still write if it need not
// wait. Any goroutine may call it.
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

// write is Write for bytes that may fill a block.
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

// makeRoom starts a new block if n bytes, which must stay in one piece, don't fit into the rest of the present one.
// through reports that they don't fit into any block.
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

// writeThrough appends bytes that don't fit into a block, after all that came before.
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

// ReadFrom writes everything from r, reading directly into blocks; io.Copy uses it. Other callers of the Writer wait
// until r ends. Any goroutine may call it; a task parks.
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

// Flush writes all bytes so far to the file, and waits until they are there. With Direct and an unaligned end it writes
// zeros after the end and truncates them again. It returns the first error of all, or what ended the wait of a task,
// which may try again. Any goroutine may call it; a task parks.
func (w *Writer) Flush() error {
	if err := w.mine.lock(); err != nil {
		return err
	}
	defer w.mine.unlock()
	return w.flush()
}

// flush is Flush for a caller that has the Writer. It advances the position to Written even if there is an error.
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

// Sync is Flush followed by File.Sync: if it returns nil, all bytes written before survive a crash of the machine.
// Other callers may write meanwhile. If the sync fails it is unknown which bytes are on the disk, so the Writer has
// failed, too. The error is errors.ErrUnsupported if f has no Sync method. Any goroutine may call it; a task parks.
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

// failLater is fail for a caller that has unlocked the Writer.
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

// Close flushes, even in a cancelled task, and waits for all writes in flight. It returns the first error of all. Later
// calls return fs.ErrClosed; closing again does nothing. The file stays open. Any goroutine may call it.
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

// usable returns the error for which the Writer can't be used, nil if it can. If a block has failed, usable waits for
// the blocks before it, so that the error is the first by place.
func (w *Writer) usable() error {
	switch {
	case w.s.closed:
		return fs.ErrClosed
	case w.failed.Load():
		return w.reapAll()
	}
	return w.err
}

// space returns the free room in the present block, at least one byte.
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

// fill counts n more bytes in the present block. It submits the block if it is full and push need not wait.
func (w *Writer) fill(n int) {
	b := w.filling
	b.n += n
	if first := w.oldest(); b.n == w.s.size && (!first.inFlight || first.done.Len() > 0) {
		w.push()
	}
}

// oldest returns the block that was submitted first, if all others are in flight.
func (w *Writer) oldest() *block { return w.s.blocks[(w.head+1)%len(w.s.blocks)] }

// push submits the present block, once the block after it is free.
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

// reap waits for a block if it is in flight, and records its result. Blocks are reaped in order, so that the first
// error is also the first by place.
func (w *Writer) reap(b *block) error {
	if b.inFlight {
		if err := b.wait(); err != nil {
			return err
		}
		w.complete(b.at+int64(b.got), b.err)
	}
	return w.err
}

// complete records that everything up to the offset to is written, and the error that came there.
func (w *Writer) complete(to int64, err error) {
	if w.err == nil {
		w.written.Store(to)
		w.fail(err)
	}
}

// fail records the first error.
func (w *Writer) fail(err error) {
	if w.err == nil && err != nil {
		w.err, w.filling = err, nil
	}
}

// reapAll reaps all blocks.
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

// sizer is a file whose length can be read and set.
type sizer interface {
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
}

// flushPadded writes the present block, whose end is not aligned, padded with zeros, and truncates the file to the
// true end. The bytes after the last aligned offset stay in the block: they are written again together with those that
// follow.
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
