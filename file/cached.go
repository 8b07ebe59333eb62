package file

import (
	"errors"
	"io"
	"math"
	"sync"

	"ringo/internal/driver"
	"ringo/internal/loop"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// ReadCached is ReadAt for bytes in memory: it never waits for the disk. It returns how many bytes it has read: up to
// the first ones that are not in memory, maybe 0, up to the file's end, and at most a MiB. At the end it returns 0 and
// io.EOF. The kernel may start reading the missing bytes. The kernel may use p until ReadCached returns.
//
// It is preadv2(2) with RWF_NOWAIT, since Linux 4.14, a plain read on tmpfs, and a plain read of bytes that mincore(2)
// reports on overlayfs. On other file systems that do not support the flag, for files that are not on a disk, and with
// Direct, the error is errors.ErrUnsupported. Any goroutine may call it; a task parks at most for the first call on a
// file system.
func (f *File) ReadCached(p []byte, off int64) (n int, err error) {
	if off < 0 && f != nil {
		return 0, f.fail("readat", errNegative)
	}
	if err := f.begin("read"); err != nil {
		return 0, err
	}
	defer f.refs.release()
	if _, _, err := who(); err != nil {
		return 0, f.fail("read", err)
	}
	if len(p) == 0 {
		return 0, nil
	}
	known, err := f.factsWithType()
	if err != nil {
		return 0, f.fail("read", err)
	}
	switch res := f.readNow(known, p[:min(len(p), turnMax)], off); {
	case res == -sys.EAGAIN:
		return 0, nil
	case res < 0:
		return 0, f.fail("read", nowError(res))
	case res == 0:
		return 0, io.EOF
	default:
		return int(res), nil
	}
}

// factsWithType returns what is known of the file, including its file system's type, for which it may ask.
func (f *File) factsWithType() (facts, error) {
	if facts(f.known.Load())&typeKnown == 0 {
		if err := f.askType(); err != nil {
			return 0, err
		}
	}
	return facts(f.known.Load()), nil
}

// readNow reads once, only what is in memory; -EAGAIN means that the first byte is not. It takes the route of a task's
// read, but does nothing where that would park.
func (f *File) readNow(known facts, p []byte, off int64) int32 {
	if known&pollable != 0 {
		return -sys.EOPNOTSUPP
	}
	for {
		known, n := f.look(off, len(p), (known|facts(f.known.Load()))&^cold, false)
		switch route(reads, n, off, task, known) {
		case nowait:
			res := driver.ReadCached(f.n, p, off)
			if res != -sys.EOPNOTSUPP && res != -sys.ENOSYS {
				return res
			}
			f.noteRefusal(reads, res)
			continue
		case plain:
			if known&inMemory != 0 {
				return driver.ReadInMemory(f.n, p[:n], off)
			}
			return driver.ReadPlain(f.n, p[:n], off)
		}
		if known&overlaid != 0 {
			return -sys.EAGAIN // mincore has shown that the pages are not in memory
		}
		return -sys.EOPNOTSUPP
	}
}

// nowError returns the error of a call that must not wait.
func nowError(res int32) error {
	switch res {
	case -sys.EOPNOTSUPP, -sys.ENOSYS, -sys.EPERM:
		return errors.ErrUnsupported
	}
	return posix.Of(res)
}

// Cached reports whether n bytes of the file from off on are in memory, so that reading or sending them
// (sock.Conn.SendFile) does not wait for the disk. The answer may change: the kernel frees unused pages. The kernel
// also counts pages that are still being read from the disk; Cached excludes this only for the last one. So true is
// reliable for bytes that were read or sent before, not for bytes being read ahead.
//
// It is cachestat(2), since Linux 6.5, and from 6.14 on for files that the caller owns or may write; on overlayfs it is
// mincore(2), for the same callers. Without either, the error is errors.ErrUnsupported: ReadCached of a byte in each
// page can tell then. Any goroutine may call it; a task parks at most for the first call on a file system.
func (f *File) Cached(off, n int64) (bool, error) {
	if off < 0 && f != nil {
		return false, f.fail("cached", errNegative)
	}
	if err := f.begin("cached"); err != nil {
		return false, err
	}
	defer f.refs.release()
	if _, _, err := who(); err != nil {
		return false, f.fail("cached", err)
	}
	known, err := f.factsWithType()
	if err != nil {
		return false, f.fail("cached", err)
	}
	res := f.inCache(known, off, n)
	if res < 0 {
		return false, f.fail("cached", nowError(res))
	}
	return res == 1, nil
}

// cacheMax is the number of bytes that one call asks about at most: it fits into an op, and is a multiple of the page
// size.
const cacheMax = 1 << 30

// inCache returns 1 if all bytes are in memory, 0 if not, or a negated errno if that can't be found out.
func (f *File) inCache(known facts, off, n int64) int32 {
	switch {
	case n <= 0 || off > math.MaxInt64-n:
		return -sys.EINVAL
	case known&(bypassCache|special) != 0:
		return -sys.EOPNOTSUPP
	}
	for end := off + n; off < end; {
		n := min(end-off, cacheMax)
		if known&overlaid != 0 {
			n = min(n, turnMax)
			if f.pages.Prefix(f.n, off, int(n)) < int(n) {
				return 0
			}
		} else if res := f.inCachePiece(off, n); res != 1 {
			return res
		}
		off += n
	}
	last := lastBytes.Get().(*[1]byte)
	defer lastBytes.Put(last)
	switch res := f.readNow(known, last[:], off-1); res {
	case -sys.EOPNOTSUPP, -sys.ENOSYS: // the last page can't be asked about more closely
		return 1
	default:
		return min(max(res, 0), 1)
	}
}

var lastBytes = sync.Pool{New: func() any { return new([1]byte) }}

func (f *File) inCachePiece(off, n int64) int32 { return loop.Kernel().Resident(f.n, off, n) }
