package file

import (
	"os"

	"ringo/internal/op"
)

// Pipe makes a pipe, as os.Pipe does: what is written to w is read from r. Reads of what
// has not come and writes of what has no room wait without a thread, and in a task until
// that is cancelled. Processes that are started don't get the ends.
func Pipe() (r, w *File, err error) {
	c := newCall(op.Pipe, noFD)
	defer c.free()
	if _, err := c.plain(); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	return newFile(int32(c.op.Arg), "|0", os.O_RDONLY), newFile(int32(c.op.Arg2), "|1", os.O_WRONLY), nil
}
