package file

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"ringo/internal/posix"
	"ringo/internal/relay"
	"ringo/internal/sys"
)

// ReadFrom writes everything from r until its end, as os.File.ReadFrom does; io.Copy uses it. If r is a File, even in
// an *io.LimitedReader, it copies within the kernel if the file systems support it (copy_file_range), unless f is open
// with O_APPEND. It may wait; a task parks, and a cancelled one stops between two steps. Any other r is read by the
// caller, so in a task it must not block outside Ringo.
func (f *File) ReadFrom(r io.Reader) (n int64, err error) {
	if f.isZero() {
		return 0, os.ErrInvalid
	}
	n, done, err := f.rangeFrom(r)
	if done {
		return n, err
	}
	m, err := io.Copy(sink{File: f}, r)
	return n + m, err
}

// WriteTo writes everything from the position on to w, as os.File.WriteTo does; io.Copy uses it. If w has a ReadFrom
// method it calls that: for a File or a connection the kernel moves the bytes. It may wait; a task parks.
func (f *File) WriteTo(w io.Writer) (n int64, err error) {
	if f.isZero() {
		return 0, os.ErrInvalid
	}
	return io.Copy(w, source{File: f})
}

//lint:file-ignore U1000 noReadFrom and noWriteTo are there to be in the way

// sink is a File for io.Copy without its ReadFrom, and source one without its WriteTo, which would call io.Copy again
// without end. Each hides its method by a second one of the same name at the same depth, so that neither is promoted.
type (
	sink struct {
		noReadFrom
		*File
	}
	source struct {
		noWriteTo
		*File
	}
)

type (
	noReadFrom struct{}
	noWriteTo  struct{}
)

func (noReadFrom) ReadFrom(io.Reader) (int64, error) { panic("file: hidden") }
func (noWriteTo) WriteTo(io.Writer) (int64, error)   { panic("file: hidden") }

// A connection that a File is copied to sends its bytes by sendfile.
func init() {
	relay.Know(func(v any) relay.File {
		switch v := v.(type) {
		case *File:
			return v
		case source:
			return v.File
		}
		return nil
	})
}

// rangeFrom is ReadFrom by copy_file_range; done reports that nothing is left to do.
func (f *File) rangeFrom(r io.Reader) (n int64, done bool, err error) {
	if f.flag&sys.OAppend != 0 {
		return 0, false, nil
	}
	limit := int64(-1)
	limited, ok := r.(*io.LimitedReader)
	if ok {
		if r, limit = limited.R, limited.N; limit <= 0 {
			return 0, true, nil
		}
	}
	var src *File
	switch r := r.(type) {
	case *File:
		src = r
	case source:
		src = r.File
	}
	if src.isZero() {
		return 0, false, nil
	}
	err = f.atPositions(src, func() error {
		n, err = f.copyRange(src, limit)
		return err
	})
	if limited != nil {
		limited.N -= n
	}
	if cannotCopyRange(err) || n == 0 && err == nil {
		return n, false, nil
	}
	return n, true, f.ofRange(err)
}

// ofRange words an error of copy_file_range as package os does in a ReadFrom.
func (f *File) ofRange(err error) error {
	var p *fs.PathError
	if !errors.As(err, &p) {
		return err
	}
	if no, ok := p.Err.(posix.Errno); ok {
		return f.fail("write", os.NewSyscallError("copy_file_range", no))
	}
	return f.fail("write", p.Err)
}
