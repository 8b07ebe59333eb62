package file

import (
	"os"

	"ringo/internal/loop"
	"ringo/internal/posix"
)

// Pipe makes a pipe, as os.Pipe does: bytes written to w are read from r. Reads of an empty pipe and writes to a full
// one wait without a thread; cancelling the task ends the wait. Child processes don't inherit the ends.
func Pipe() (r, w *File, err error) {
	if err := loop.Astray("file.Pipe"); err != nil {
		return nil, nil, err
	}
	in, out, res := loop.Kernel().Pipe(0)
	if res < 0 {
		return nil, nil, os.NewSyscallError("pipe2", posix.Of(res))
	}
	return newFile(in, "|0", os.O_RDONLY), newFile(out, "|1", os.O_WRONLY), nil
}
