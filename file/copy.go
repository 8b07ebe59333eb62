package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"

	"ringo/internal/kernel"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// copyStep is how much one call copies within the kernel: little enough that a cancelled task stops soon.
const copyStep = 8 << 20

// copyBuffer is the size of the buffer for copies by reads and writes.
const copyBuffer = 256 << 10

// Copy copies from src's position to its end, to dst's position, and advances both: within the kernel if the file
// systems support it (copy_file_range), which may share blocks and so need no space, and otherwise by reads and writes,
// with the same result. It returns the number of bytes copied. Within one file, opened twice, it copies only towards
// the beginning: to a position after src's it fails with EINVAL, since src's end would move forever. It may wait; a
// task parks, and a cancelled one stops between two steps: another Copy continues from there. Only a copy between two
// FIFOs may then lose the bytes read last, 256 KiB at most. While it waits for a pipe, FIFO or terminal, others may use
// the other side's position.
func Copy(dst, src *File) (n int64, err error) {
	if err := dst.with(src, func() error { return dst.mayFollow(src) }); err != nil {
		return 0, err
	}
	return dst.copyN(src, -1)
}

// mayFollow returns an error if f is the same file as src and would be written at or past where src is read: the copy
// would read what it has written, without end.
func (f *File) mayFollow(src *File) error {
	if f == src {
		return f.fail("copy", posix.EINVAL)
	}
	to, err := statAt(f.n, "", sys.AtEmptyPath)
	if err != nil {
		return f.fail("copy", err)
	}
	if !modeOf(uint32(to.Mode)).IsRegular() {
		return nil
	}
	from, err := statAt(src.n, "", sys.AtEmptyPath)
	if err != nil {
		return src.fail("copy", err)
	}
	if !SameFile(newInfo("", &from), newInfo("", &to)) {
		return nil
	}
	return f.atPositions(src, func() error {
		at, err := src.seek(0, io.SeekCurrent)
		if err != nil || at >= int64(from.Size) {
			return nil // nothing to copy, or no position, which copyN reports
		}
		if there, err := f.seek(0, io.SeekCurrent); f.flag&sys.OAppend != 0 || err == nil && there > at {
			return f.fail("copy", posix.EINVAL)
		}
		return nil
	})
}

// copyN copies at most n bytes, or all if n is negative.
func (f *File) copyN(src *File, n int64) (done int64, err error) {
	if err := f.with(src, func() error { return nil }); err != nil {
		return 0, err
	}
	if f.pollable() || src.pollable() {
		return f.copyBytes(src, n, n < 0)
	}
	err = f.atPositions(src, func() (err error) {
		done, err = f.copyRange(src, n)
		// Nothing was copied, without an error: files of /proc answer so, whatever they hold.
		if err == nil && done == 0 || refusesRange(err) {
			var more int64
			more, err = f.copyBytes(src, n-done, n < 0)
			done += more
		}
		return err
	})
	return done, err
}

// atPositions calls fn while no one else uses either position. It locks them in the order of the descriptors.
func (f *File) atPositions(src *File, fn func() error) error {
	first, second := f, src
	if src.n < f.n {
		first, second = src, f
	}
	for _, one := range slices.Compact([]*File{first, second}) {
		if err := one.position.LockContext(context.Background()); err != nil {
			return one.fail("copy", err)
		}
		defer one.position.Unlock()
	}
	return fn()
}

// with calls fn while both files are kept open. A copy calls it for each step, so that a Close of either file waits
// for one step only, and never for a FIFO that may give nothing.
func (f *File) with(src *File, fn func() error) error {
	if err := src.begin("read"); err != nil {
		return err
	}
	defer src.refs.release()
	if err := f.begin("write"); err != nil {
		return err
	}
	defer f.refs.release()
	return fn()
}

// copyRange copies within the kernel.
func (f *File) copyRange(src *File, n int64) (done int64, err error) {
	for n < 0 || done < n {
		step := int64(copyStep)
		if n >= 0 {
			step = min(step, n-done)
		}
		var m int32
		err := f.with(src, func() (err error) {
			m, err = f.copyPiece(src, step)
			return err
		})
		if err != nil {
			return done, err
		}
		if m == 0 {
			break
		}
		done += int64(m)
	}
	return done, nil
}

func (f *File) copyPiece(src *File, step int64) (m int32, err error) {
	turn, err := beginIO(int(step))
	if err != nil {
		return 0, f.fail("copy_file_range", err)
	}
	defer func() { turn.End(int(m)) }()
	m, err = do(func(k kernel.Kernel) int32 { return k.CopyRange(f.n, src.n, int(step)) })
	if err != nil {
		return 0, f.fail("copy_file_range", err)
	}
	return m, nil
}

// refusesRange reports whether the copy has to go on by reads and writes: because copy_file_range can't do it, also
// because a file is open with O_APPEND, or because a read or a write will report a better error.
func refusesRange(err error) bool {
	return cannotCopyRange(err) || isAny(err, posix.EBADF, posix.EISDIR, posix.ETXTBSY, posix.EOVERFLOW)
}

// cannotCopyRange reports whether copy_file_range can't do the copy: it may fail so between two file systems, for
// files that are not regular, in an old kernel, or behind a filter. Package os falls back after the same errors.
func cannotCopyRange(err error) bool {
	return isAny(err, posix.ENOSYS, posix.EXDEV, posix.EINVAL, posix.EIO, posix.EOPNOTSUPP, posix.EPERM)
}

func isAny(err error, numbers ...errno) bool {
	return slices.ContainsFunc(numbers, func(no errno) bool { return isErrno(err, no) })
}

// copyBytes copies by reads and writes. The caller has locked both positions, unless one side is pollable: then the
// other side's position is locked for each read and each write, and not while the copy waits for the pollable side.
func (f *File) copyBytes(src *File, n int64, all bool) (done int64, err error) {
	size := int64(copyBuffer)
	if !all {
		size = min(size, n)
	}
	b := make([]byte, size)
	for all || done < n {
		p := b
		if !all {
			p = b[:min(int64(len(b)), n-done)]
		}
		m, at, err := src.getFor(f, p)
		if err != nil || m == 0 {
			return done, err
		}
		wrote, err := f.take(src, p[:m])
		done += int64(wrote)
		if err != nil {
			src.unread(f, m-wrote, at)
			return done, err
		}
	}
	return done, nil
}

// getFor reads at the position for a copy to dst. If it has locked the position for this, it returns where that is
// then.
func (f *File) getFor(dst *File, p []byte) (n int, at int64, err error) {
	if f.pollable() || !dst.pollable() {
		n, _, err = f.get(p)
		return n, 0, err
	}
	err = f.atPositions(f, func() (err error) {
		if n, _, err = f.get(p); err == nil {
			at, _ = f.seek(0, io.SeekCurrent)
		}
		return err
	})
	return n, at, err
}

// take writes at the position the bytes that were read from src. A task that is cancelled still writes them to a disk:
// if they came from a FIFO, they would be lost otherwise.
func (f *File) take(src *File, p []byte) (int, error) {
	if err := f.begin("write"); err != nil {
		return 0, err
	}
	defer f.refs.release()
	if f.pollable() {
		return f.writeReady(p)
	}
	defer shield()()
	if src.pollable() {
		f.position.Lock()
		defer f.position.Unlock()
	}
	return f.put(p, -1)
}

// unread moves the position back over n bytes that were read but not written to dst. For a FIFO, which has none, they
// are lost. A position that is no longer at, because others have used it meanwhile, stays where it is.
func (f *File) unread(dst *File, n int, at int64) {
	if f.pollable() || f.begin("seek") != nil {
		return
	}
	defer f.refs.release()
	if dst.pollable() {
		f.position.Lock()
		defer f.position.Unlock()
		if now, err := f.seek(0, io.SeekCurrent); err != nil || now != at {
			return
		}
	}
	f.seek(int64(-n), io.SeekCurrent)
}

// get reads at the position, which the caller has locked, or whose file no one else has. n is 0 at the end; end may
// report it earlier.
func (f *File) get(p []byte) (n int, end bool, err error) {
	if err := f.begin("read"); err != nil {
		return 0, false, err
	}
	defer f.refs.release()
	if f.pollable() {
		if n, err = f.readReady(p); err == io.EOF {
			return n, true, nil
		}
		return n, false, err
	}
	if n, end, err = f.fill(p); err != nil {
		err = f.fail("read", err)
	}
	return n, end, err
}

// CopyFile makes dst a copy of src: of its content and its permissions, before the umask. If the file system supports
// it, the two share their blocks until one is changed (FICLONE); otherwise holes stay holes, so that dst takes no more
// space than src. It replaces dst's content; if it fails, the part copied so far stays. Copying a file to itself fails
// with EINVAL and changes nothing. It may wait; a task parks, and a cancelled one stops between two steps.
func CopyFile(dst, src string) (n int64, err error) {
	from, err := Open(src)
	if err != nil {
		return 0, err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return 0, err
	}
	if there, err := Stat(dst); err == nil && SameFile(there, info) {
		return 0, pathError("copy", dst, posix.EINVAL) // opening dst would empty it first
	}
	to, err := OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		return 0, err
	}
	n, err = to.copyFile(from, info)
	if closed := to.Close(); err == nil {
		err = closed
	}
	return n, err
}

// copyFile copies all of src to f, which is empty if it is a regular file. Any other f gets holes, too, as zeros.
func (f *File) copyFile(src *File, info fs.FileInfo) (n int64, err error) {
	size := info.Size()
	to, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() || !to.Mode().IsRegular() || size == 0 {
		return Copy(f, src)
	}
	if f.clone(src) == nil {
		return size, nil
	}
	for at := int64(0); ; {
		data, err := src.Seek(at, SeekData)
		if isErrno(err, posix.ENXIO) {
			break // a hole up to the end of the file
		}
		if err != nil {
			return n, f.copyRest(src, at, &n) // the file system does not report holes
		}
		hole, err := src.Seek(data, SeekHole)
		if err != nil {
			return n, err
		}
		if _, err := src.Seek(data, 0); err != nil {
			return n, err
		}
		if _, err := f.Seek(data, 0); err != nil {
			return n, err
		}
		m, err := f.copyN(src, hole-data)
		if m > 0 {
			n = data + m
		}
		if err != nil || m < hole-data {
			return n, err // the file was truncated meanwhile
		}
		at = hole
	}
	if info, err = src.Stat(); err != nil {
		return n, err
	}
	if n < info.Size() {
		n = info.Size()
		return n, f.Truncate(n)
	}
	return n, nil
}

// copyRest copies everything from the offset at on, and sets n to where it ended.
func (f *File) copyRest(src *File, at int64, n *int64) error {
	for _, one := range []*File{src, f} {
		if _, err := one.Seek(at, 0); err != nil && !errors.Is(err, posix.ESPIPE) {
			return err
		}
	}
	m, err := Copy(f, src)
	*n = at + m
	return err
}

// clone makes f share the blocks of src.
func (f *File) clone(src *File) error {
	_, err := do(func(k kernel.Kernel) int32 { return k.Clone(f.n, src.n) })
	return err
}
