package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"

	"ringo/file"
)

// testFile makes the test file, and syncs it, or checks the file that is there; without -direct it is in the page cache
// then. The caller calls remove at the end, which does nothing to a file that was there before.
func (o *options) testFile(ctx context.Context, stderr io.Writer) (remove func() error, err error) {
	keep := func() error { return nil }
	if o.File != "" {
		info, err := os.Stat(o.File)
		switch {
		case err == nil:
			return keep, o.oldFile(ctx, info)
		case !errors.Is(err, fs.ErrNotExist):
			return keep, err
		}
	}
	f, err := o.newFile()
	if err != nil {
		return keep, err
	}
	o.File = f.Name()
	remove = func() error { return os.Remove(o.File) }
	if err = o.aligned(); err == nil { // checked while the file is still empty
		fmt.Fprintf(stderr, "making %s, %v\n", o.File, o.size)
		err = o.fill(ctx, f)
	}
	err = errors.Join(err, f.Close())
	if err != nil {
		return keep, errors.Join(err, remove())
	}
	o.Blocks = int64(o.size / o.Block)
	return remove, nil
}

func (o *options) newFile() (*os.File, error) {
	if o.File == "" {
		return os.CreateTemp("", "ringo-bench-")
	}
	return os.OpenFile(o.File, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// oldFile checks that a file that was there can be read as the options want. Without -direct it reads it, so that it is
// in the page cache.
func (o *options) oldFile(ctx context.Context, info fs.FileInfo) error {
	switch {
	case o.Write:
		return fmt.Errorf("-file %s is there already, and would be overwritten: -rw write takes a name that is free",
			o.File)
	case !info.Mode().IsRegular():
		return fmt.Errorf("-file %s is no regular file", o.File)
	case info.Size() < int64(o.Block):
		return fmt.Errorf("-file %s has %d bytes, less than a -block (%v)", o.File, info.Size(), o.Block)
	}
	o.Blocks = info.Size() / int64(o.Block)
	if o.Direct {
		return o.aligned()
	}
	f, err := os.Open(o.File)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, reader{ctx, f})
	return err
}

// fill writes random bytes, which no disk or file system can compress, and syncs the file.
func (o *options) fill(ctx context.Context, f *os.File) error {
	noise := rand.NewChaCha8([32]byte{1})
	if _, err := io.CopyN(f, reader{ctx, noise}, int64(o.size)); err != nil {
		return err
	}
	return f.Sync()
}

// reader is a Reader that fails once a context has ended. It hides the methods by which io.Copy would copy all in one
// call.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// aligned checks that, with -direct, the block size is a multiple of what the file wants.
func (o *options) aligned() error {
	if !o.Direct {
		return nil
	}
	f, err := file.OpenFile(o.File, os.O_RDONLY|file.Direct, 0)
	if err != nil {
		return fmt.Errorf("-direct: %w", err)
	}
	defer f.Close()
	if _, off := f.DirectAlign(); off > 0 && int64(o.Block)%int64(off) != 0 {
		return fmt.Errorf("-block %v: with -direct this file wants a multiple of %d", o.Block, off)
	}
	return nil
}
