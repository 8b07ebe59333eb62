package file

import (
	"context"
	"time"

	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// A Range is the part of a file that a lock covers: Len bytes from Off on, or all from Off on if Len is 0. The zero
// Range is the whole file, whatever its length.
type Range struct{ Off, Len int64 }

// Lock waits for an exclusive lock on a part of the file and takes it; RLock takes a shared one. Locks are advisory:
// they affect only callers that lock too. They belong to the open file (F_OFD_SETLK of fcntl(2), Linux 3.15; EINVAL
// before): two Files have separate locks, even in one process, but a File can always take a lock that it already has,
// so tasks and goroutines that share a File can't exclude each other with it. Closing the File releases its locks.
//
// The kernel can't wait for a lock without blocking a thread, so Lock polls, after a while every 50 ms, and callers are
// not queued. It gives up when ctx ends, or the task is cancelled. The file must be open for writing, otherwise the
// error is EBADF. A task parks.
func (f *File) Lock(ctx context.Context, r Range) error { return f.lock(ctx, r, sys.FWrlck) }

// RLock is like Lock, but takes a shared lock, which others can share; the file must be open for reading. It waits as
// Lock does. A task parks.
func (f *File) RLock(ctx context.Context, r Range) error { return f.lock(ctx, r, sys.FRdlck) }

func (f *File) lock(ctx context.Context, r Range, kind int16) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		switch ok, err := f.tryLock(r, kind); {
		case err != nil:
			return err
		case ok:
			return nil
		}
		if err := rest(ctx, pause); err != nil {
			return f.fail("lock", err)
		}
	}
}

// rest waits for the time d, or returns the error that ended the wait.
func rest(ctx context.Context, d time.Duration) error {
	l, _ := loop.Current()
	if l != nil {
		if l.Sleep(d) == -sys.ECANCELED {
			return l.Cause()
		}
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TryLock is like Lock, but does not wait for another holder: it reports whether it took the lock. On network file
// systems it may wait for the server; a task parks.
func (f *File) TryLock(r Range) (bool, error) { return f.tryLock(r, sys.FWrlck) }

// TryRLock is like RLock, but waits as TryLock does. A task parks.
func (f *File) TryRLock(r Range) (bool, error) { return f.tryLock(r, sys.FRdlck) }

func (f *File) tryLock(r Range, kind int16) (bool, error) {
	_, err := f.do("lock", func(k kernel.Kernel) int32 { return k.Lock(f.n, kind, r.Off, r.Len) })
	if isErrno(err, posix.Of(-sys.EACCES)) || isErrno(err, posix.Of(-sys.EAGAIN)) {
		return false, nil
	}
	return err == nil, err
}

// Unlock releases the locks that this File has on a part of the file. If it has none, it does nothing. It may wait as
// TryLock does. A task parks.
func (f *File) Unlock(r Range) error {
	_, err := f.do("unlock", func(k kernel.Kernel) int32 { return k.Lock(f.n, sys.FUnlck, r.Off, r.Len) })
	return err
}
