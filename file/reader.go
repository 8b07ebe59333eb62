package file

import (
	"errors"
	"io"
	"io/fs"
)

// A Reader reads a file sequentially and ahead of its caller: several blocks are in flight, and are returned in order.
// Any task or goroutine may use it, one at a time. NewReader makes it.
//
// An error is returned after the last byte before it. The next Read tries again from there, as with a File: so after
// io.EOF it returns bytes appended meanwhile. The Reader begins with one block in flight and increases to its depth
// while blocks are full.
type Reader struct {
	s      *stream
	head   int   // the next block for the caller
	ahead  int   // blocks that were submitted, from head on
	window int   // how many blocks may be submitted
	next   int64 // where the next block begins
	off    int64 // where the caller's next Read begins
}

// NewReader makes a Reader of f, a File or anything else that allows concurrent reads. It begins at f's position, or at
// 0 if f has none (io.Seeker), and does not move it. It reads nothing yet. The caller still has to close f, after the
// Reader. The error names all mistakes in cfg. Any goroutine may call it; a task may park while other callers use the
// position.
func NewReader(f io.ReaderAt, cfg *StreamConfig) (*Reader, error) {
	at, err := positionOf(f)
	if err != nil {
		return nil, err
	}
	return NewReaderAt(f, at, cfg)
}

// NewReaderAt is like NewReader, but begins at an offset, whatever f's position. Any goroutine may call it.
func NewReaderAt(f io.ReaderAt, off int64, cfg *StreamConfig) (*Reader, error) {
	s, err := newStream(f, off, cfg, false, func(b *block) (int, error) { return readFull(f, b.mem, b.at) })
	if err != nil {
		return nil, err
	}
	r := &Reader{s: s, off: off}
	r.rewind()
	return r, nil
}

// readFull reads until p is full or there is an error, which it returns.
func readFull(f io.ReaderAt, p []byte, off int64) (n int, err error) {
	for n < len(p) {
		m, err := f.ReadAt(p[n:], off+int64(n))
		n += m
		if err != nil {
			return n, err
		}
		if m == 0 {
			return n, io.ErrNoProgress
		}
	}
	return n, nil
}

// Offset returns where in the file the next Read begins.
func (r *Reader) Offset() int64 { return r.off }

// Read reads from the current block, and waits for it if necessary: a task parks. Cancelling the task ends the wait and
// loses no data.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 && !r.s.closed {
		return 0, nil
	}
	b, err := r.front()
	n := copy(p, b)
	r.off += int64(n)
	return n, err
}

// WriteTo writes the rest of the file to w, block by block and without a copy, until its end or an error; io.Copy uses
// it. It reads further blocks while w writes. A task parks.
func (r *Reader) WriteTo(w io.Writer) (sum int64, err error) {
	for {
		b, err := r.front()
		if errors.Is(err, io.EOF) {
			return sum, nil
		}
		if err != nil {
			return sum, err
		}
		n, err := w.Write(b)
		r.off += int64(n)
		sum += int64(n)
		if err != nil {
			return sum, err
		}
		if n < len(b) {
			return sum, io.ErrShortWrite
		}
	}
}

// Close waits for the reads in flight, even in a cancelled task. Later calls return fs.ErrClosed; closing again does
// nothing.
func (r *Reader) Close() error {
	r.s.closed = true
	r.s.waitAll()
	return nil
}

// front returns the next bytes, at least one, or the error that comes next.
func (r *Reader) front() ([]byte, error) {
	if r.s.closed {
		return nil, fs.ErrClosed
	}
	for {
		if r.ahead == 0 {
			if err := r.fill(); err != nil {
				return nil, err
			}
		}
		b := r.s.blocks[r.head]
		if err := b.wait(); err != nil {
			return nil, err
		}
		if b.err == nil {
			if err := r.fill(); err != nil {
				return nil, err
			}
		}
		if used := int(r.off - b.at); used < b.got {
			return b.mem[used:b.got], nil
		}
		if err := b.err; err != nil {
			r.rewind()
			return nil, err
		}
		r.head, r.ahead = (r.head+1)%len(r.s.blocks), r.ahead-1
		r.window = min(2*r.window, r.s.depth)
	}
}

// fill submits blocks up to the window.
func (r *Reader) fill() error {
	most := r.window
	if r.ahead > 0 {
		most++ // the front block has been read
	}
	for ; r.ahead < most; r.ahead++ {
		b := r.s.blocks[(r.head+r.ahead)%len(r.s.blocks)]
		if err := b.wait(); err != nil { // it may be in flight still, from before an error
			return err
		}
		r.s.room(b)
		b.at = r.next
		r.next += int64(r.s.size)
		b.submit()
	}
	return nil
}

// rewind makes the next block begin where the caller reads next, or at the aligned offset before it. Blocks in flight
// finish, and what they read is dropped.
func (r *Reader) rewind() {
	r.next = r.off - r.off%int64(r.s.off)
	r.head, r.ahead, r.window = (r.head+r.ahead)%len(r.s.blocks), 0, 1
}
