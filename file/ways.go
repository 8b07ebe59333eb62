package file

import (
	"ringo/internal/driver"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// What a call does that may wait depends on the file and on who calls.
//
//	                  in memory         else, in a task        else, a goroutine
//	read, page cache  a call that       an entry of the ring   the host, or a plain
//	                  doesn't wait                             call
//	  where such a call is refused:     a worker               a plain call
//	  in a file system in memory:       a plain call           a plain call
//	read or write, Direct               an entry of the ring   the host, or a plain call
//	write, page cache (where the kernel a worker               a plain call
//	                  has such a call)
//	at the position:                    a worker               a plain call
//
// A call that doesn't wait is preadv2 with RWF_NOWAIT. tmpfs, overlayfs and others refuse
// it; there each entry of a ring ends with a thread of the kernel's, which costs many
// times what the call does (docs/adr/0028).

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
	// nowMax bounds what a goroutine first asks of memory. A larger read is one plain
	// call, because to ask for it twice costs more than it saves.
	nowMax = 32 << 10
	// nowWriteMax bounds what a task first tries to put into memory.
	nowWriteMax = 64 << 10
)

// transfer moves p from or to the file once, at off or at the position. The count may
// come short; soon says that this need not be for want of bytes.
func (f *File) transfer(code op.Code, p []byte, off int64) (n int, soon bool, err error) {
	c := newCall(code, f.n)
	defer c.free()
	c.op.Buf, c.op.Off = p[:min(len(p), pieceMax)], off
	return f.move(c, len(p))
}

// transferVec is transfer of the slices, but for the first skip bytes.
func (f *File) transferVec(code op.Code, ps [][]byte, skip int, off int64) (int, error) {
	c := newCall(code, f.n)
	defer c.free()
	c.op.Off = off
	c.withExt().SetVec(ps, skip)
	n, _, err := f.move(c, sizeOf(ps)-skip)
	clear(c.ext.Vec)
	return n, err
}

// move runs a transfer of n bytes in the best way for it.
func (f *File) move(c *call, n int) (done int, soon bool, err error) {
	l := loop.Known()
	if l != nil {
		if err := giveWay(l); err != nil {
			return 0, false, err
		}
	}
	if f.polls() { // it has no offsets, of which a plain call says so at once, and a ring does not
		res, err := c.plain()
		return int(res), false, err
	}
	if f.asksMemory(c, n, l != nil) {
		whole := c.op.Buf
		c.op.Buf = whole[:min(len(whole), turnMax)]
		res, ok := driver.Cached(&c.op)
		c.op.Buf = whole
		switch {
		case ok && res >= 0:
			return int(res), true, nil
		case ok && (res == -sys.EOPNOTSUPP || res == -sys.ENOSYS):
			f.kind.Or(refusal(c.op.Code))
		}
	}
	res, err := f.await(c, l)
	if err != nil {
		err = f.aligned(err)
	}
	return int(res), len(c.op.Buf) < n, err
}

// asksMemory reports whether a transfer is first tried without waiting.
func (f *File) asksMemory(c *call, n int, task bool) bool {
	kind := f.kind.Load()
	switch {
	case kind&(bypassCache|refusal(c.op.Code)) != 0 || forced.Load() == pathWaits:
		return false // past the page cache it would wait for the disk all the same
	case outward(c.op.Code):
		return task && n <= nowWriteMax && f.flag&sys.OAppend == 0 // what is appended stays in one piece
	case c.op.Buf == nil:
		return task && n <= turnMax
	}
	return task || n <= nowMax || hosted() != nil
}

// await runs a transfer in the way in which it may wait.
func (f *File) await(c *call, l *loop.Loop) (int32, error) {
	if l == nil {
		// An iterator in a task has a g of its own, so that only its thread tells.
		l, _ = loop.Current()
	}
	refused := f.kind.Load()&refusal(c.op.Code) != 0
	switch {
	case l == nil && f.forRing(c):
		return c.host()
	case l == nil, refused && len(c.op.Buf) <= turnMax && f.isInMemory():
		return c.plain()
	case !f.forRing(c):
		c.op.Flags |= op.Aside
	case len(c.op.Buf) > turnMax && f.kind.Load()&bypassCache == 0:
		c.op.Buf = c.op.Buf[:turnMax] // what is in memory by then is copied on the loop's thread
	}
	return c.park(l)
}

// forRing reports whether a transfer is for a ring. Those at the position are not: where
// one stops short, with the disk full or failing, the ring gives the count and leaves the
// position where it was (Linux 6.18), so that the next would overwrite it.
func (f *File) forRing(c *call) bool {
	switch kind := f.kind.Load(); {
	case c.op.Off < 0:
		return false
	case kind&bypassCache != 0:
		return true
	default:
		return kind&refusal(c.op.Code) == 0 && !outward(c.op.Code)
	}
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
