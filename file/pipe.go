package file

import (
	"os"

	"ringo/internal/loop"
)

// Pipe makes a pipe, as os.Pipe does: what is written to w is read from r. Reads of what
// has not come and writes of what has no room wait without a thread, and in a task until
// that is cancelled. Processes that are started don't get the ends.
func Pipe() (r, w *File, err error) {
	in, out, res := loop.Kernel().Pipe(0)
	if res < 0 {
		return nil, nil, os.NewSyscallError("pipe2", errno(-res))
	}
	return newFile(in, "|0", os.O_RDONLY), newFile(out, "|1", os.O_WRONLY), nil
}
