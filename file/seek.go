package file

import (
	"context"
	"io"

	"ringo/internal/kernel"
)

// Seek sets the position for the next Read or Write, as os.File.Seek does: whence is one of io's Seek constants. It may
// wait for the disk; a task parks. For a file that is open with O_APPEND it affects reads only.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	if err := f.begin("seek"); err != nil {
		return 0, err
	}
	defer f.refs.release()
	if err := f.position.LockContext(context.Background()); err != nil {
		return 0, f.fail("seek", err)
	}
	defer f.position.Unlock()
	at, err := f.seekTo(offset, whence)
	if err != nil {
		return 0, f.fail("seek", err)
	}
	if f.entries != nil {
		f.entries.drop()
	}
	return at, nil
}

// seekTo moves the position.
func (f *File) seekTo(offset int64, whence int) (at int64, err error) {
	if whence != io.SeekStart && whence != io.SeekCurrent {
		return f.seekFar(offset, whence)
	}
	if _, _, err := who(); err != nil {
		return 0, err
	}
	return f.seek(offset, whence)
}

// seekFar moves the position relative to the end, or to data or a hole, for which the file system may have to ask a
// disk or a server.
func (f *File) seekFar(offset int64, whence int) (at int64, err error) {
	_, err = do(func(k kernel.Kernel) (res int32) {
		at, res = k.Lseek(f.n, offset, whence)
		return res
	})
	return at, err
}

// More values for Seek's whence: the next data at or after an offset, and the next hole. There is a hole at the end of
// the file. Beyond the last data, or beyond the end, the error is ENXIO.
const (
	SeekData = 3
	SeekHole = 4
)
