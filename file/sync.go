package file

import (
	"ringo/internal/kernel"
	"ringo/internal/op"
)

// about runs an op on n bytes from off on.
func (f *File) about(name string, code op.Code, off, n int64, flags uint32) error {
	if err := f.begin(name); err != nil {
		return err
	}
	defer f.refs.release()
	c := newCall(code, f.n)
	defer c.free()
	c.op.Off, c.op.CallFlags = off, flags
	c.withExt().Len = n
	if _, err := c.run(); err != nil {
		return f.fail(name, err)
	}
	return nil
}

// Sync puts all of the file onto its disk, as os.File.Sync does: fsync(2). After an
// error nothing is known of what was written since the last one that succeeded, and a
// second Sync may lie: the kernel tells each error once. It waits; a task parks.
func (f *File) Sync() error { return f.about("sync", op.Sync, 0, 0, 0) }

// Datasync is Sync without what is not needed to read the data again, such as times:
// fdatasync(2). It waits; a task parks.
func (f *File) Datasync() error { return f.about("datasync", op.Sync, 0, 0, op.DataOnly) }

// What SyncRange does, as bits: SYNC_FILE_RANGE_ of sync_file_range(2).
const (
	SyncWaitBefore = 1 << iota // wait for writes that are under way
	SyncWrite                  // begin to write what is not
	SyncWaitAfter              // wait for all writes
)

// SyncRange has n bytes from off on written to the disk, to the end if n is 0, and no
// more than that: neither is the disk told to keep them, nor are length and place
// written. It is no Datasync, only good for spreading the work of one. It may wait; a
// task parks.
func (f *File) SyncRange(off, n int64, flags int) error {
	_, err := f.do("syncrange", func(k kernel.Kernel) int32 { return k.SyncRange(f.n, off, n, flags) })
	return err
}

// Truncate makes the file size bytes long, as os.File.Truncate does. It may wait; a task
// parks.
func (f *File) Truncate(size int64) error { return f.about("truncate", op.Ftruncate, size, 0, 0) }

// How Allocate does it, as bits: FALLOC_FL_ of fallocate(2). PunchHole goes with
// KeepSize only.
const (
	KeepSize      = 0x01 // the length stays, though there is room behind it
	PunchHole     = 0x02 // give the room back; it reads as zeros
	CollapseRange = 0x08 // take it out: what is behind it moves up
	ZeroRange     = 0x10 // it reads as zeros
	InsertRange   = 0x20 // make room: what is behind it moves down
)

// Allocate has the disk set room aside for n bytes from off on, so that no write there
// will fail for want of it, or what mode says; 0 makes the file longer where it has to.
// File systems differ in what they can do: errors.ErrUnsupported. It may wait; a task
// parks.
func (f *File) Allocate(mode int, off, n int64) error {
	return f.about("allocate", op.Allocate, off, n, uint32(mode))
}

// PunchHole gives back the room of n bytes from off on, which then read as zeros; the
// length stays. It is Allocate with those bits.
func (f *File) PunchHole(off, n int64) error { return f.Allocate(PunchHole|KeepSize, off, n) }

// Advice says how a file will be used: POSIX_FADV_ of posix_fadvise(2).
type Advice int

// What a program can say.
const (
	AdviceNormal Advice = iota
	AdviceRandom
	AdviceSequential
	AdviceWillNeed // read it into the page cache now, without waiting for it
	AdviceDontNeed // drop what is clean from the page cache
	AdviceNoReuse
)

// Advise tells the kernel how n bytes from off on, to the end if n is 0, will be used.
// It may wait; a task parks.
func (f *File) Advise(advice Advice, off, n int64) error {
	_, err := f.do("advise", func(k kernel.Kernel) int32 { return k.Advise(f.n, off, n, int(advice)) })
	if advice == AdviceDontNeed {
		f.pages.Forget()
	}
	return err
}
