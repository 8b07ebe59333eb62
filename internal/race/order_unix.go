//go:build race && unix

package race

import "syscall"

// atEOF is the read end of a pipe without a writer. An empty read from it succeeds at once, and syscall.Read acquires
// only after a success. A pipe needs no file system. It is opened before main, so that tests that count descriptors
// have it in their baseline, and stays open until the process ends.
var atEOF = openAtEOF()

func openAtEOF() int {
	var ends [2]int
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := syscall.Pipe(ends[:]); err != nil {
		panic("race: no pipe for the detector's ordering: " + err.Error())
	}
	syscall.CloseOnExec(ends[0])
	if err := syscall.Close(ends[1]); err != nil {
		panic("race: closing the pipe's write end: " + err.Error())
	}
	return ends[0]
}

// ReadLike orders the code after it behind every earlier WriteLike, and every earlier write of package syscall. Any
// goroutine may call it, after a read-like operation of the kernel has succeeded: recv, read, accept, connect's end.
func ReadLike() {
	if _, err := syscall.Read(atEOF, nil); err != nil {
		panic("race: the descriptor for the detector's ordering was closed by somebody: " + err.Error())
	}
}

// WriteLike orders the code before it ahead of every later ReadLike, and every later read of package syscall. Any
// goroutine may call it, before a write-like operation is passed to the kernel: send, write, shutdown, connect.
func WriteLike() {
	// The release comes before the call in syscall.Write, so its EBADF is fine.
	_, _ = syscall.Write(-1, nil)
}
