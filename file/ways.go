package file

import (
	"io"

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
//	  if that is refused: a plain call, if the file system is in memory, or if it is
//	                   overlayfs and mincore(2) says that the bytes are; otherwise
//	                                     an entry of the ring   a plain call
//	write, page cache  the same, of      an entry of the ring   a plain call
//	                   small ones
//	Direct                               an entry of the ring   the host, or a plain call
//	at the position    as above          the same, from where   a plain call
//	                                     it is; or a worker
//	appended                             an entry of the ring   a plain call
//
// A call that doesn't wait is preadv2 with RWF_NOWAIT. tmpfs, overlayfs and others refuse
// it, and ext4 does for writes; there an entry of the ring ends with a thread of the
// kernel's. That costs twenty times what the call does, and less than half of what a
// worker costs (docs/adr/0028). Where there is no ring a worker makes the call. To ask
// mincore first costs one and a half times the call (docs/adr/0033).

// What is known of a file's kind, bits of File.kind.
const (
	noNowRead   = 1 << iota // reads can't be told not to wait
	noNowWrite              // writes can't
	inMemory                // its file system is: no call waits for a disk
	overlaid                // it is of an overlayfs, whose pages can be asked for
	ofProcess               // it is FUSE: a call that is told not to wait may wait for a process
	kindAsked               // which of these is so
	bypassCache             // it is open with Direct
)

// Bounds of one transfer.
const (
	// pieceMax is os's bound: there are kernels that fail past it.
	pieceMax = 1 << 30
	// turnMax bounds what a loop's thread copies at once.
	turnMax = 1 << 20
	// directMax bounds a task's transfer with Direct. The loop's thread looks up the pages
	// of all of it: 0.3 ms for 4 MiB, 20 ms for 64. With pieces of 1 MiB, one after the
	// other, a disk gives a fifth less.
	directMax = 4 << 20
	// nowWriteMax bounds what a task first tries to put into memory.
	nowWriteMax = 64 << 10
)

// write moves p to the file once, at off or at the position. The count may come short.
func (f *File) write(p []byte, off int64) (n int, err error) {
	l, _ := loop.Current()
	if l != nil {
		if err := giveWay(l); err != nil {
			return 0, err
		}
	}
	n, _, err = f.transfer(l, op.WriteAt, p, off)
	return n, err
}

// transfer is what read and write do by an op.
func (f *File) transfer(l *loop.Loop, code op.Code, p []byte, off int64) (n int, soon bool, err error) {
	c := newCall(code, f.n)
	defer c.free()
	c.op.Buf, c.op.Off = p[:min(len(p), pieceMax)], off
	if outward(code) && f.asksWrite(f.kind.Load(), len(p), l != nil) {
		if done, ok := f.cached(c); ok {
			return done, true, nil
		}
	}
	res, err := f.await(c, l)
	if err != nil {
		err = f.aligned(err)
	}
	return int(res), len(c.op.Buf) < len(p) && int(res) == len(c.op.Buf), err
}

// transferVec is transfer of the slices, but for the first skip bytes.
func (f *File) transferVec(code op.Code, ps [][]byte, skip int, off int64) (n int, err error) {
	l, _ := loop.Current()
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
	if outward(code) && f.asksWrite(kind, size, l != nil) || !outward(code) && size <= turnMax &&
		f.asksRead(kind, size, l != nil) {
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

// learn takes in what a call that does not wait has said. Any other error is for the
// call that may wait to give.
func (f *File) learn(code op.Code, res int32) {
	if res == -sys.EOPNOTSUPP || res == -sys.ENOSYS {
		f.kind.Or(refusal(code))
	}
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
	size, appends := c.size(), outward(c.op.Code) && f.flag&sys.OAppend != 0
	refused := appends || f.kind.Load()&refusal(c.op.Code) != 0
	if f.polls() { // it has no offsets, of which a plain call says so at once, and a ring does not
		return c.plain()
	}
	if l != nil && f.is(ofProcess) {
		c.op.Flags |= op.Aside // its entry would hold up the loop (Linux 6.12)
	}
	switch {
	case l == nil && f.forHost(c):
		return c.host()
	case l == nil, refused && size <= turnMax &&
		(f.is(inMemory) || c.op.Off >= 0 && f.incore(c.op.Code, c.op.Off, size) == size):
		return c.plain()
	case c.op.Off < 0 && f.opened && !appends:
		c.limit(f.pieceOf())
		return f.awaitFrom(c, l)
	case c.op.Off < 0 && f.opened && f.kind.Load()&bypassCache == 0:
		return f.awaitAppend(c, l)
	case c.op.Off < 0:
		c.op.Flags |= op.Aside
	default:
		c.limit(f.pieceOf())
	}
	return c.park(l)
}

// pieceOf bounds a task's transfer that may wait.
func (f *File) pieceOf() int {
	if f.kind.Load()&bypassCache != 0 {
		return directMax
	}
	return turnMax
}

// forHost reports whether a goroutine's transfer is worth the way to the host: one that
// the kernel does by itself and not by a thread. Those at the position are for no ring:
// where one stops short, with the disk full or failing, the ring gives the count and
// leaves the position where it was (Linux 6.18), so that the next would overwrite it.
func (f *File) forHost(c *call) bool {
	kind := f.kind.Load()
	return c.op.Off >= 0 && (kind&bypassCache != 0 || kind&noNowRead == 0 && !outward(c.op.Code)) && !f.is(ofProcess)
}

// awaitFrom runs a task's transfer at the position as one from where that is, and moves
// it. This is for files that were opened here, whose position nobody else moves: the
// caller has it locked.
func (f *File) awaitFrom(c *call, l *loop.Loop) (int32, error) {
	at, err := f.seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	if n := f.incore(c.op.Code, at, len(c.op.Buf)); n > 0 {
		c.op.Buf = c.op.Buf[:n]
		return c.plain()
	}
	c.op.Off = at
	res, err := c.park(l)
	if res > 0 {
		_, err = f.seek(at+int64(res), io.SeekStart)
	}
	return res, err
}

// awaitAppend runs a task's write to the end, in one piece. Where that stops short a ring
// leaves the position where it was, see forHost. (It does so too where the disk takes a
// write with Direct and tells of its end later, as that of xfs does, Linux 6.18: such an
// append is a worker's.)
func (f *File) awaitAppend(c *call, l *loop.Loop) (int32, error) {
	res, err := c.park(l)
	if err == nil && int(res) < len(c.op.Buf) {
		_, err = f.seek(0, io.SeekEnd)
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

// incore is how many of n bytes from off on a task's read would find in memory, of a file
// whose pages can be asked for; 0 for any other.
func (f *File) incore(code op.Code, off int64, n int) int {
	if outward(code) || f.kind.Load()&(overlaid|noNowRead|bypassCache) != overlaid|noNowRead ||
		forced.Load() == pathWaits {
		return 0
	}
	return f.pages.Prefix(f.n, off, n)
}

// is tells one of what is known of the file's file system, which it asks for once. It may
// wait.
func (f *File) is(what uint32) bool {
	if f.kind.Load()&kindAsked == 0 {
		c := newCall(op.StatFS, f.n)
		defer c.free()
		found := uint32(kindAsked)
		if _, err := c.wait(); err == nil {
			switch c.op.Off {
			case sys.TmpfsMagic, sys.RamfsMagic:
				found |= inMemory
			case sys.OverlayfsMagic:
				found |= overlaid
			case sys.FuseMagic:
				found |= ofProcess
			}
			keepKind(f.mount, found|f.kind.Load()&(noNowRead|noNowWrite))
		}
		f.kind.Or(found)
	}
	return f.kind.Load()&what != 0
}

func outward(code op.Code) bool { return code == op.WriteAt || code == op.WriteVec }

// refusal is the bit that says that transfers of a code can't be told not to wait.
func refusal(code op.Code) uint32 {
	if outward(code) {
		return noNowWrite
	}
	return noNowRead
}
