package file

import (
	"context"
	"time"

	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/sys"
)

// Range is the bytes of a file that a lock is about: Len from Off on, or all from Off on
// if Len is 0. The zero Range is the whole file, whatever its length.
type Range struct{ Off, Len int64 }

// Lock locks a part of the file, for this File alone or shared with others that share,
// and waits until it can. The lock is advice: it holds up callers that ask for one. It is
// the open file's (F_OFD_SETLK of fcntl(2), Linux 3.15; EINVAL before): two Files have
// locks of their own, also in one process, while a File that has a lock of the part gets
// it in any case, so that tasks and goroutines which share a File can't keep each other
// out with it. Closing lets go of it.
//
// The kernel can't wait for a lock without holding a thread, so Lock
// asks again, every 50 ms in the end, and nobody has a place in a queue. It gives up
// when ctx ends, or the task is cancelled. An exclusive lock wants the file open to write,
// a shared one to read, or the error is EBADF.
func (f *File) Lock(ctx context.Context, r Range, shared bool) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		switch ok, err := f.TryLock(r, shared); {
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

// rest waits for a while, or gives why it does not.
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

// TryLock is Lock without waiting for another holder: it reports whether the lock is
// this File's now. On network file systems it may wait for the server; a task parks.
func (f *File) TryLock(r Range, shared bool) (bool, error) {
	kind := int16(sys.FWrlck)
	if shared {
		kind = sys.FRdlck
	}
	_, err := f.do("lock", func(k kernel.Kernel) int32 { return k.Lock(f.n, kind, r.Off, r.Len) })
	if isErrno(err, sys.EACCES) || isErrno(err, sys.EAGAIN) {
		return false, nil
	}
	return err == nil, err
}

// Unlock gives up the locks that this File has on a part of the file. Without one it does
// nothing. It may wait as TryLock does.
func (f *File) Unlock(r Range) error {
	_, err := f.do("unlock", func(k kernel.Kernel) int32 { return k.Lock(f.n, sys.FUnlck, r.Off, r.Len) })
	return err
}
