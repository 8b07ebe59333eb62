package file

import (
	"ringo/internal/kernel"
	"ringo/internal/op"
)

// about runs an op on the n bytes at off.
func (f *File) about(name string, code op.Code, off, n int64, flags uint32) error {
	if err := f.begin(name); err != nil {
		return err
	}
	defer f.refs.release()
	c := newCall(code, f.n)
	defer c.free()
	if code == op.Ftruncate && off < 0 {
		c.op.Flags |= op.Offload // a ring checks the file first, and reports what is wrong with that instead
	}
	c.op.Off, c.op.CallFlags = off, flags
	c.withExt().Len = n
	if code == op.Sync {
		turn, err := beginIO(0)
		if err != nil {
			return f.fail(name, err)
		}
		defer turn.End(0)
	}
	if _, err := c.run(); err != nil {
		return f.fail(name, err)
	}
	return nil
}

// Sync writes the whole file to its disk, as os.File.Sync does: fsync(2). After an error the state of everything
// written since the last successful Sync is unknown, and a second Sync may wrongly succeed: the kernel reports each
// error once. It waits; a task parks.
func (f *File) Sync() error { return f.about("sync", op.Sync, 0, 0, 0) }

// Datasync is like Sync, but skips metadata that is not needed to read the data again, such as times: fdatasync(2). It
// waits; a task parks.
func (f *File) Datasync() error { return f.about("datasync", op.Sync, 0, 0, op.DataOnly) }

// SyncFlags says what SyncRange does: SYNC_FILE_RANGE_ of sync_file_range(2).
type SyncFlags uint32

// The flags, which can be combined.
const (
	SyncWaitBefore SyncFlags = 1 << iota // wait for writes in progress
	SyncWrite                            // start writing the other dirty pages
	SyncWaitAfter                        // wait for all writes
)

// SyncRange writes n bytes from off on, or all to the end if n is 0, to the disk, and does no more: it neither flushes
// the disk's cache nor writes the file's length and block map. It does not replace a Datasync, but can spread the work
// of one. It may wait; a task parks.
func (f *File) SyncRange(off, n int64, flags SyncFlags) error {
	turn, err := beginIO(0)
	if err != nil {
		return f.fail("syncrange", err)
	}
	defer turn.End(0)
	_, err = f.do("syncrange", func(k kernel.Kernel) int32 { return k.SyncRange(f.n, off, n, int(flags)) })
	return err
}

// Truncate makes the file size bytes long, as os.File.Truncate does. It may wait; a task parks.
func (f *File) Truncate(size int64) error { return f.about("truncate", op.Ftruncate, size, 0, 0) }

// AllocateMode says what Allocate does: FALLOC_FL_ of fallocate(2).
type AllocateMode uint32

// The modes, which can be combined; PunchHole requires KeepSize.
const (
	KeepSize      AllocateMode = 0x01 // keep the length, even if space beyond it is allocated
	PunchHole     AllocateMode = 0x02 // free the space; it reads as zeros
	CollapseRange AllocateMode = 0x08 // remove the range: the data after it moves up
	ZeroRange     AllocateMode = 0x10 // make the range read as zeros
	InsertRange   AllocateMode = 0x20 // insert space: the data after it moves down
)

// Allocate reserves disk space for n bytes from off on, so that no write there fails because the disk is full, or does
// what mode says. With mode 0 it extends the file if necessary. It fails with errors.ErrUnsupported if the file system
// does not support it. It may wait; a task parks.
func (f *File) Allocate(mode AllocateMode, off, n int64) error {
	return f.about("allocate", op.Allocate, off, n, uint32(mode))
}

// PunchHole frees the space of n bytes from off on, which then read as zeros; the length stays. It is Allocate with the
// modes PunchHole and KeepSize. A task parks.
func (f *File) PunchHole(off, n int64) error { return f.Allocate(PunchHole|KeepSize, off, n) }

// Advice says how a file will be used: POSIX_FADV_ of posix_fadvise(2).
type Advice int

// The kinds of advice.
const (
	AdviceNormal Advice = iota
	AdviceRandom
	AdviceSequential
	AdviceWillNeed // read it into the page cache now, without waiting for it
	AdviceDontNeed // drop clean pages from the page cache
	AdviceNoReuse
)

// Advise tells the kernel how n bytes from off on, or all to the end if n is 0, will be used. It may wait; a task
// parks.
func (f *File) Advise(advice Advice, off, n int64) error {
	_, err := f.do("advise", func(k kernel.Kernel) int32 { return k.Advise(f.n, off, n, int(advice)) })
	if advice == AdviceDontNeed {
		f.pages.Forget()
	}
	return err
}
