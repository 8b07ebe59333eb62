package file

import (
	"errors"
	"fmt"
	"io"
	"os"

	"ringo"
	"ringo/buf"
	"ringo/internal/loop"
	"ringo/internal/rt/code"
)

// StreamConfig configures a Reader or a Writer. Zero fields mean the default; a nil *StreamConfig means all defaults.
type StreamConfig struct {
	// Depth is the maximum number of blocks in flight, 1 to 1024; the default is 4. A Writer that appends uses 1.
	Depth int
	// Size is the size of a block, 1 byte to 64 MiB; the default is 128 KiB. For a file that was opened with Direct it
	// must be a multiple of the length alignment of File.DirectAlign. The buffers, one more than Depth, are allocated
	// as needed, aligned for Direct.
	Size int
}

const (
	streamDepth    = 4
	streamDepthMax = 1024
	streamSize     = 128 << 10
	streamSizeMax  = 64 << 20
)

// aligner is a file that may require alignment.
type aligner interface {
	DirectAlign() (mem, off int)
}

// stream is the common part of Reader and Writer: a ring of blocks, each of which is read or written on its own.
type stream struct {
	size     int
	mem, off int // alignment of memory, and of offsets and lengths
	depth    int
	blocks   []*block
	closed   bool
}

// block is a piece of the file.
type block struct {
	move     func(b *block) (int, error)
	mem      []byte
	at       int64 // in the file
	n        int   // bytes to write
	got      int   // bytes that were read or written
	err      error // the error that came after them
	inFlight bool  // from submit until wait has seen its end
	done     *ringo.Chan[struct{}]
	run      func() // Run, bound once
}

// positionOf returns where a stream begins if the caller names no offset: at f's position, or at 0 if f has none. It
// works in a cancelled task too.
func positionOf(f any) (at int64, err error) {
	if of, ours := f.(*File); ours && of.isZero() {
		return 0, os.ErrInvalid
	}
	if f, ok := f.(io.Seeker); ok {
		shielded(func() { at, err = f.Seek(0, io.SeekCurrent) })
	}
	return at, err
}

// newStream checks the configuration and the offset at, which must be aligned if whole is set, and makes the blocks.
func newStream(file any, at int64, cfg *StreamConfig, whole bool, move func(b *block) (int, error)) (*stream, error) {
	var c StreamConfig
	if cfg != nil {
		c = *cfg
	}
	if c.Depth == 0 {
		c.Depth = streamDepth
	}
	if c.Size == 0 {
		c.Size = streamSize
	}
	s := &stream{size: c.Size, depth: c.Depth, mem: 1, off: 1}
	f, ours := file.(*File)
	if file == nil || ours && f.isZero() {
		return nil, os.ErrInvalid
	}
	if a, ok := file.(aligner); ok && !(ours && f.flag&Direct == 0) {
		mem, off := a.DirectAlign()
		s.mem, s.off = max(mem, 1), max(off, 1)
	}
	var wrong []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf("file: "+format, args...))
		}
	}
	want(c.Depth >= 1 && c.Depth <= streamDepthMax, "StreamConfig.Depth %d: want 1 to %d, or 0", c.Depth,
		streamDepthMax)
	want(c.Size >= 1 && c.Size <= streamSizeMax, "StreamConfig.Size %d: want 1 to %d, or 0", c.Size, streamSizeMax)
	want(c.Size%s.off == 0, "StreamConfig.Size %d: want a multiple of %d for this file, which is Direct", c.Size,
		s.off)
	want(at >= 0, "a stream from offset %d on: want 0 or more", at)
	want(!whole || at%int64(s.off) == 0, "a stream from offset %d on: want a multiple of %d for this file, which is "+
		"Direct", at, s.off)
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	s.blocks = make([]*block, c.Depth+1)
	for i := range s.blocks {
		b := &block{move: move, done: ringo.NewChan[struct{}](1)}
		b.run = b.Run
		s.blocks[i] = b
	}
	return s, nil
}

// room allocates a block's memory, if it has none yet.
func (s *stream) room(b *block) {
	if b.mem == nil {
		b.mem = buf.Aligned(s.size, s.mem)
	}
}

// submit starts the move of the block: as a task of the caller's loop and class, or on a goroutine. It does not wait.
func (b *block) submit() {
	b.inFlight = true
	if l, _ := loop.Current(); l != nil {
		l.Start(l.Inherited().To(b))
		return
	}
	go b.run()
}

// errNoReturn is the error of a block whose ReaderAt or WriterAt panics, or ends its task.
var errNoReturn = errors.New("file: the stream's ReaderAt or WriterAt did not return")

// Run moves the block. It is shielded, so that it finishes even if its loop stops: Close promises that.
func (b *block) Run() {
	b.got, b.err = 0, errNoReturn
	defer b.done.TrySend(struct{}{})
	shielded(func() { b.got, b.err = b.move(b) })
}

// Code returns Run: the program has started no function for this task.
func (b *block) Code() code.Func { return code.Of((*block).Run) }

// wait waits until the block has been moved. The error is what ended the wait of a task, which may wait again.
func (b *block) wait() error {
	if !b.inFlight {
		return nil
	}
	if _, err := b.done.Recv(); err != nil {
		return err
	}
	b.inFlight = false
	return nil
}

// waitAll waits for all blocks, even in a cancelled task.
func (s *stream) waitAll() {
	shielded(func() {
		for _, b := range s.blocks {
			b.wait()
		}
	})
}

// shielded calls fn, in which the calling task may wait as if it were not cancelled.
func shielded(fn func()) {
	if l, _ := loop.Current(); l != nil {
		l.Shield()
		defer l.Unshield()
	}
	fn()
}
