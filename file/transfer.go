package file

import (
	"context"
	"io"
	"math/rand/v2"
	"sync/atomic"

	"ringo/internal/driver"
	"ringo/internal/hosted"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// Transfers between a File and memory, each by the way that route chooses.

// read reads into p once, at off or at the position. The count may be short; more reports that the file may still have
// bytes there. It makes an op only if a plain call would have to wait, or fails.
//
// The processor mispredicts the returns behind a system call, so each frame between this function and the kernel costs
// one percent of a cached read of 4 KiB.
func (f *File) read(p []byte, off int64) (n int, more bool, err error) {
	l, _ := loop.Current()
	by := goroutine
	if l != nil {
		by = task
		if l.Charge(); !l.Yield() { // what who does, without its call
			return 0, false, l.Cause()
		}
	}
	known := facts(f.known.Load())
	size := min(len(p), pieceOf(reads, off, by, known))
	if by == goroutine {
		known |= f.recent()
	} else if known&overlaid != 0 {
		known, size = f.look(off, size, known, true)
	}
	tried := facts(0)
	switch piece := p[:size]; route(reads, len(p), off, by, known) {
	case nowait:
		res := driver.ReadCached(f.n, piece, off)
		f.count(res)
		if res >= 0 {
			return int(res), true, nil
		}
		f.noteRefusal(reads, res)
		tried = cold
	case plain:
		if known&inMemory != 0 {
			res := driver.ReadInMemory(f.n, piece, off)
			if res >= 0 {
				return int(res), int(res) == size, nil
			}
		} else if res := driver.ReadPlain(f.n, piece, off); res >= 0 {
			return int(res), int(res) == size, nil
		}
	}
	return f.transfer(l, by, op.ReadAt, p, off, tried)
}

// write writes p once, at off or at the position. The count may be short.
func (f *File) write(p []byte, off int64) (n int, err error) {
	l, by, err := who()
	if err != nil {
		return 0, err
	}
	n, _, err = f.transfer(l, by, op.WriteAt, p, off, 0)
	return n, err
}

// who returns the caller, and the loop of a task. It also charges the call and may yield, since the call may find that
// it need not wait. The error is why the task must not go on.
func who() (*loop.Loop, caller, error) {
	l, _ := loop.Current()
	if l == nil {
		return nil, goroutine, loop.Astray("a call on files")
	}
	return l, task, chargeAndYield(l)
}

// transfer is read or write by an op. more is as in read.
func (f *File) transfer(l *loop.Loop, by caller, code op.Code, p []byte, off int64, tried facts,
) (n int, more bool, err error) {
	c := newCall(code, f.n)
	defer c.free()
	c.op.Buf, c.op.Off = p, off
	res, err := f.move(c, l, by, tried)
	return int(res), int(res) == len(c.op.Buf), f.aligned(err)
}

// transferVec moves the slices once, without the first skip bytes.
func (f *File) transferVec(code op.Code, ps [][]byte, skip int, off int64) (n int, err error) {
	l, by, err := who()
	if err != nil {
		return 0, err
	}
	c := newCall(code, f.n)
	defer c.free()
	c.op.Off = off
	x := c.withExt()
	x.SetVec(ps, skip)
	defer clear(x.Vec)
	res, err := f.move(c, l, by, 0)
	return int(res), f.aligned(err)
}

// move runs a transfer by its route until it ends. tried is what the caller has found out already.
func (f *File) move(c *call, l *loop.Loop, by caller, tried facts) (res int32, err error) {
	var turn loop.IOTurn
	defer func() { turn.End(int(res)) }()
	k := reads
	if c.op.Code == op.WriteAt || c.op.Code == op.WriteVec {
		k = writes
	}
	total := c.op.Size()
	for {
		known := facts(f.known.Load())
		size := min(total, pieceOf(k, c.op.Off, by, known))
		if k == reads && by == goroutine {
			known |= f.recent()
		} else if k == reads && known&overlaid != 0 {
			known, size = f.look(c.op.Off, size, known, true)
		}
		known |= tried
		via := route(k, total, c.op.Off, by, known)
		if via == ask {
			if err := f.askType(); err != nil {
				return 0, err
			}
			continue
		}
		c.limit(size)
		if by == task && !turn.Held() && (via == ring || via == worker || via == nowait && k == writes) {
			if turn, err = l.BeginIO(c.op.Size()); err != nil {
				return 0, err
			}
			c.op.CallFlags = uint32(turn.Priority)
		}
		switch via {
		case nowait:
			res, ok := driver.Cached(&c.op)
			if ok && res >= 0 {
				return res, nil
			}
			f.noteRefusal(k, res)
			tried |= cold
		case plain:
			return c.plain()
		case host:
			return c.host(f.rings())
		case worker:
			c.op.Flags |= op.Offload
			return c.park(l)
		case ring:
			switch {
			case c.op.Off >= 0:
				return c.park(l)
			case k == writes && known&appendOnly != 0:
				return f.append(c, l)
			}
			return f.moveFrom(c, l)
		}
	}
}

// look finds out how much of a task's read of n bytes at off is in memory, if the file's pages can be asked for, and
// returns how many bytes the read may take then. With recent, an answer of the last millisecond is good enough.
func (f *File) look(off int64, n int, known facts, recent bool) (facts, int) {
	if known&(noNowRead|bypassCache|cold) != noNowRead {
		return known, n
	}
	if off < 0 && known&ours != 0 {
		off, _ = f.seek(0, io.SeekCurrent)
	}
	if off < 0 {
		return known, n
	}
	there := 0
	if recent {
		there = f.pages.Recent(f.n, off, n)
	} else {
		there = f.pages.Prefix(f.n, off, n)
	}
	if there > 0 {
		return known | resident, there
	}
	return known, n
}

// moveFrom runs a task's transfer at the position as one at that offset, and advances the position. No one else moves
// it meanwhile: the file was opened by this package, no one else has its descriptor, and the caller has locked the
// position. Files that take no offset, as some of /proc and of tracefs, return ESPIPE and have done nothing: moveFrom
// repeats the op without an offset.
func (f *File) moveFrom(c *call, l *loop.Loop) (int32, error) {
	at, err := f.seek(0, io.SeekCurrent)
	if err == posix.ESPIPE {
		return c.park(l)
	}
	if err != nil {
		return 0, err
	}
	c.op.Off = at
	res, err := c.park(l)
	if err == posix.ESPIPE {
		c.op.Off = -1
		return c.park(l)
	}
	if res > 0 {
		_, err = f.seek(at+int64(res), io.SeekStart)
	}
	return res, err
}

// append runs a task's write to the end, in one piece. If the write stops short, a ring leaves the position where it
// was, so append moves it to the end.
func (f *File) append(c *call, l *loop.Loop) (int32, error) {
	res, err := c.park(l)
	if err == nil && int(res) < c.op.Size() {
		if _, err = f.seek(0, io.SeekEnd); err == posix.ESPIPE { // the file has no position
			err = nil
		}
	}
	return res, err
}

// seek is lseek(2) with offsets that never make it wait.
func (f *File) seek(off int64, whence int) (int64, error) {
	at, res := loop.Kernel().Lseek(f.n, off, whence)
	_, err := result(res)
	return at, err
}

// noteRefusal records that the file refuses calls that don't wait. Any other error is left to the call that may wait,
// which meets it again.
func (f *File) noteRefusal(k kind, res int32) {
	if res != -sys.EOPNOTSUPP && res != -sys.ENOSYS {
		return
	}
	if k == writes {
		f.know(noNowWrite)
	} else {
		f.know(noNowRead)
	}
}

func (f *File) know(what facts) { f.known.Or(uint32(what)) }

// askType asks for the file system's type. It may wait. The error is what cancelled the task: the type is still
// unknown then.
func (f *File) askType() error {
	found, st := typeKnown, new(sys.Statfs)
	_, err := do(func(k kernel.Kernel) int32 { return k.Fstatfs(f.n, st) })
	if _, refused := err.(errno); err != nil && !refused {
		return err
	}
	if err == nil {
		switch st.Type {
		case sys.TmpfsMagic, sys.RamfsMagic:
			found |= inMemory
		case sys.OverlayfsMagic:
			found |= overlaid
		case sys.FuseMagic:
			found |= isFUSE
		case sys.ProcMagic, sys.SysfsMagic, sys.DebugfsMagic, sys.TracefsMagic, sys.SecurityfsMagic, sys.ConfigfsMagic,
			sys.CgroupMagic, sys.Cgroup2Magic, sys.BPFMagic:
			found |= pseudo
		}
		f.mount.know(found | facts(f.known.Load())&(noNowRead|noNowWrite))
	}
	f.know(found)
	return nil
}

// A preadv2 that doesn't wait costs a tenth more than pread, because of its vector. So if many reads in a row found
// their bytes in memory, a goroutine assumes that the next one will, and makes the plain call; if that is wrong, a
// thread waits, as with package os. One read in warmAsk still asks, and the first miss ends the assumption. With more
// than warmCalls calls under way all reads ask, so that a file that falls out of memory costs at most that many
// threads.
const (
	warmAfter = 64
	warmAsk   = 16
	warmCalls = 4
)

// recent returns what a goroutine's read knows from earlier reads.
func (f *File) recent() facts {
	switch {
	case ringless.Load():
		return noRings
	case f.hits.Load() == warmAfter && f.refs.calls() <= warmCalls && rand.Uint32()%warmAsk != 0:
		return warm
	}
	return 0
}

// count records whether a read found its bytes in memory.
func (f *File) count(res int32) {
	switch hits := f.hits.Load(); {
	case res == -sys.EAGAIN:
		f.hits.Store(0)
	case res >= 0 && hits < warmAfter:
		f.hits.Store(hits + 1)
	}
}

// ringless is set once the process is known to have no rings for goroutines. Reads are then plain calls, which don't
// try the page cache first.
var ringless atomic.Bool

// rings returns the rings for goroutines' transfers, nil if there are none. The rings of the process are made when a
// call first has to wait. In a bubble of testing/synctest there are none, because their channels and goroutines must
// not belong to a bubble.
func (f *File) rings() *hosted.Rings {
	if kernel.InBubble() {
		return nil
	}
	if h := f.mount.rings.Load(); h != nil {
		return h
	}
	h, err := hosted.Shared()
	direct := err == nil && h.DirectOnly()
	ringless.Store(err != nil || direct)
	if direct && facts(f.known.Load())&bypassCache == 0 {
		return nil
	}
	return h
}

// host runs the op on the rings, or as a plain call if they don't take it.
func (c *call) host(h *hosted.Rings) (int32, error) {
	if h != nil {
		if res, ok := h.Do(context.Background(), &c.op); ok {
			return result(res)
		}
	}
	return c.plain()
}
