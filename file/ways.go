package file

import (
	"io"
	"math/rand/v2"

	"ringo/internal/driver"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// What a call does that may wait depends on the file and on who calls.
//
//	                   in memory         else, in a task        else, a goroutine
//	read, page cache   a call that       an entry of the ring   the host, or a plain
//	                   doesn't wait                             call
//	  if that is refused: a plain call, if the file system is in memory; otherwise
//	                                     an entry of the ring   a plain call
//	write, page cache  the same, of      an entry of the ring   a plain call
//	                   small ones
//	Direct                               an entry of the ring   the host, or a plain call
//	at the position    as above          the same, from where   a plain call
//	                                     it is; or a worker
//
// A call that doesn't wait is preadv2 with RWF_NOWAIT. tmpfs, overlayfs and others refuse
// it, and ext4 does for writes; there an entry of the ring ends with a thread of the
// kernel's. That costs twenty times what the call does, and less than half of what a
// worker costs (docs/adr/0028). Where there is no ring a worker makes the call.

// What is known of a file's kind, bits of File.kind.
const (
	noNowRead   = 1 << iota // reads can't be told not to wait
	noNowWrite              // writes can't
	inMemory                // its file system is: no call waits for a disk
	kindAsked               // whether that is so
	bypassCache             // it is open with Direct
)

// Bounds of one transfer.
const (
	// pieceMax is os's bound: there are kernels that fail past it.
	pieceMax = 1 << 30
	// turnMax bounds what a loop's thread copies in one call.
	turnMax = 1 << 20
	// nowMax bounds what a goroutine first asks of memory: what the kernel does without
	// telling the scheduler.
	nowMax = 32 << 10
	// nowWriteMax bounds what a task first tries to put into memory.
	nowWriteMax = 64 << 10
)

// transfer moves p from or to the file once, at off or at the position. The count may
// come short; soon says that this need not be for want of bytes.
func (f *File) transfer(code op.Code, p []byte, off int64) (n int, soon bool, err error) {
	l := loop.Known()
	if l != nil {
		if err := giveWay(l); err != nil {
			return 0, false, err
		}
	}
	kind, task := f.kind.Load(), l != nil
	switch {
	case code == op.ReadAt && !task && f.readsPlain(kind, off):
		if res := driver.ReadPlain(f.n, p, off); res >= 0 {
			return int(res), false, nil
		}
	case code == op.ReadAt && f.asksRead(kind, len(p), task):
		res := driver.ReadCached(f.n, p[:min(len(p), turnMax)], off)
		f.count(res)
		if res >= 0 {
			return int(res), true, nil
		}
		f.learn(code, res)
	case code == op.ReadAt && kind&(noNowRead|inMemory) == noNowRead|inMemory && len(p) <= turnMax:
		if res := driver.ReadPlain(f.n, p, off); res >= 0 {
			return int(res), false, nil
		}
	}
	c := newCall(code, f.n)
	defer c.free()
	c.op.Buf, c.op.Off = p[:min(len(p), pieceMax)], off
	if outward(code) && f.asksWrite(kind, len(p), task) {
		if done, ok := f.cached(c); ok {
			return done, true, nil
		}
	}
	res, err := f.await(c, l)
	if err != nil {
		err = f.aligned(err)
	}
	return int(res), len(c.op.Buf) < len(p), err
}

// transferVec is transfer of the slices, but for the first skip bytes.
func (f *File) transferVec(code op.Code, ps [][]byte, skip int, off int64) (n int, err error) {
	l := loop.Known()
	if l != nil {
		if err := giveWay(l); err != nil {
			return 0, err
		}
	}
	c := newCall(code, f.n)
	defer c.free()
	c.op.Off = off
	x := c.withExt()
	x.SetVec(ps, skip)
	defer clear(x.Vec)
	kind, size := f.kind.Load(), sizeOf(ps)-skip
	if outward(code) && f.asksWrite(kind, size, l != nil) || !outward(code) && size <= turnMax && f.asksRead(kind, size, l != nil) {
		if n, ok := f.cached(c); ok {
			return n, nil
		}
	}
	res, err := f.await(c, l)
	if err != nil {
		err = f.aligned(err)
	}
	return int(res), err
}

// cached runs a transfer without waiting, if that can be done.
func (f *File) cached(c *call) (n int, ok bool) {
	res, ok := driver.Cached(&c.op)
	if ok && res < 0 {
		f.learn(c.op.Code, res)
		ok = false
	}
	return int(res), ok
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

// learn takes in what a call that does not wait has said. Any other error is for the
// call that may wait to give.
func (f *File) learn(code op.Code, res int32) {
	if res == -sys.EOPNOTSUPP || res == -sys.ENOSYS {
		f.kind.Or(refusal(code))
	}
}

// asksRead reports whether a read is first tried without waiting. Past the page cache it
// would wait for the disk all the same.
func (f *File) asksRead(kind uint32, n int, task bool) bool {
	if kind&(bypassCache|noNowRead) != 0 || f.wait != nil || forced.Load() == pathWaits {
		return false
	}
	return task || n <= nowMax || !lack.Load()
}

// asksWrite is asksRead for a write. What is appended stays in one piece.
func (f *File) asksWrite(kind uint32, n int, task bool) bool {
	if kind&(bypassCache|noNowWrite) != 0 || f.wait != nil || forced.Load() == pathWaits {
		return false
	}
	return task && n <= nowWriteMax && f.flag&sys.OAppend == 0
}

// await runs a transfer in the way in which it may wait.
func (f *File) await(c *call, l *loop.Loop) (int32, error) {
	if l == nil {
		// An iterator in a task has a g of its own, so that only its thread tells.
		l, _ = loop.Current()
	}
	refused, size := f.kind.Load()&refusal(c.op.Code) != 0, c.size()
	switch {
	case f.polls(): // it has no offsets, of which a plain call says so at once, and a ring does not
		return c.plain()
	case l == nil && f.forHost(c):
		return c.host()
	case l == nil, refused && size <= turnMax && f.isInMemory():
		return c.plain()
	case c.op.Off < 0 && f.opened && (!outward(c.op.Code) || f.flag&sys.OAppend == 0):
		return f.awaitFrom(c, l)
	case c.op.Off < 0:
		c.op.Flags |= op.Aside
	case size > turnMax && f.kind.Load()&bypassCache == 0:
		c.limit(turnMax) // what is in memory by then is copied on the loop's thread
	}
	return c.park(l)
}

// forHost reports whether a goroutine's transfer is worth the way to the host: one that
// the kernel does by itself and not by a thread. Those at the position are for no ring:
// where one stops short, with the disk full or failing, the ring gives the count and
// leaves the position where it was (Linux 6.18), so that the next would overwrite it.
func (f *File) forHost(c *call) bool {
	kind := f.kind.Load()
	return c.op.Off >= 0 && (kind&bypassCache != 0 || kind&noNowRead == 0 && !outward(c.op.Code))
}

// awaitFrom runs a task's transfer at the position as one from where that is, and moves
// it. This is for files that were opened here, whose position nobody else moves: the
// caller has it locked. (Of what is appended only the kernel knows where it went.)
func (f *File) awaitFrom(c *call, l *loop.Loop) (int32, error) {
	at, err := f.seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	c.op.Off = at
	res, err := c.park(l)
	if res > 0 {
		_, err = f.seek(at+int64(res), io.SeekStart)
	}
	return res, err
}

// seek moves the position to or from where it is known to be, which waits for nothing.
func (f *File) seek(off int64, whence int) (int64, error) {
	c := newCall(op.Lseek, f.n)
	defer c.free()
	c.op.Off, c.op.Arg = off, uint32(whence)
	_, err := c.plain()
	return c.op.Off, err
}

// isInMemory asks once whether the file's file system is in memory. It may wait.
func (f *File) isInMemory() bool {
	if f.kind.Load()&kindAsked == 0 {
		c := newCall(op.StatFS, f.n)
		defer c.free()
		found := uint32(kindAsked)
		if _, err := c.wait(); err == nil && (c.op.Off == sys.TmpfsMagic || c.op.Off == sys.RamfsMagic) {
			found |= inMemory
		}
		f.kind.Or(found)
	}
	return f.kind.Load()&inMemory != 0
}

func outward(code op.Code) bool { return code == op.WriteAt || code == op.WriteVec }

// refusal is the bit that says that transfers of a code can't be told not to wait.
func refusal(code op.Code) uint32 {
	if outward(code) {
		return noNowWrite
	}
	return noNowRead
}
