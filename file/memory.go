package file

import (
	"math/rand/v2"

	"ringo/internal/driver"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// nowMax bounds what a goroutine first asks of memory: what the kernel does without
// telling the scheduler.
const nowMax = 32 << 10

// read moves p from the file once, at off or at the position. The count may come short;
// soon says that this need not be for want of bytes. An op is made only where the call
// would have to wait, or fails.
//
// What returns from a system call is not where the processor guesses that it returns to,
// so each frame between here and the kernel is one percent of a cached read of 4 KiB.
func (f *File) read(p []byte, off int64) (n int, soon bool, err error) {
	l, _ := loop.Current()
	if l != nil {
		if err := giveWay(l); err != nil {
			return 0, false, err
		}
	}
	kind := f.kind.Load()
	switch {
	case l == nil && f.readsPlain(kind, off):
		if res := driver.ReadPlain(f.n, p, off); res >= 0 {
			return int(res), false, nil
		}
	case f.asksRead(kind, len(p), l != nil):
		res := driver.ReadCached(f.n, p[:min(len(p), turnMax)], off)
		f.count(res)
		if res >= 0 {
			return int(res), true, nil
		}
		f.learn(op.ReadAt, res)
	case kind&(noNowRead|inMemory) == noNowRead|inMemory && len(p) <= turnMax:
		if res := driver.ReadInMemory(f.n, p, off); res >= 0 {
			return int(res), false, nil
		}
	case l != nil && off >= 0 && kind&overlaid != 0:
		if n := f.incore(op.ReadAt, off, len(p)); n > 0 {
			if res := driver.ReadPlain(f.n, p[:n], off); res >= 0 {
				return int(res), true, nil
			}
		}
	}
	return f.transfer(l, op.ReadAt, p, off)
}

// asksRead reports whether a read is first tried without waiting. Past the page cache it
// would wait for the disk all the same.
func (f *File) asksRead(kind uint32, n int, task bool) bool {
	if kind&(bypassCache|noNowRead) != 0 || f.wait != nil || forced.Load() == pathWaits {
		return false
	}
	return task || n <= nowMax || !lack.Load()
}

// A preadv2 that doesn't wait costs a tenth more than pread, for its vector. So where one
// after the other has found its bytes in memory a goroutine takes it that the next will,
// and makes the plain call; if that is wrong it is a thread that waits, as with package
// os. One read in warmAsk still asks, and the first miss ends it. With more than warmCalls
// calls under way nobody does, so that a file which falls out of memory costs that many
// threads. All this is for processes without loops: only a thread's id tells an iterator
// in a task from a goroutine, and costs more than is saved.
const (
	warmAfter = 64
	warmAsk   = 16
	warmCalls = 4
)

func (f *File) warm() bool {
	return f.hits.Load() == warmAfter && f.hold.calls() <= warmCalls && rand.Uint32()%warmAsk != 0
}

// readsPlain reports whether a goroutine's read is one plain call, for which no op is
// needed.
func (f *File) readsPlain(kind uint32, off int64) bool {
	return !loop.Anywhere() && f.wait == nil && forced.Load() == pathAuto && kind&bypassCache == 0 &&
		(kind&noNowRead != 0 || off < 0 || lack.Load() || f.warm())
}

// count notes whether a read found its bytes in memory.
func (f *File) count(res int32) {
	switch hits := f.hits.Load(); {
	case res == -sys.EAGAIN:
		f.hits.Store(0)
	case res >= 0 && hits < warmAfter:
		f.hits.Store(hits + 1)
	}
}
