//go:build linux

package offload

import (
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func addressOf(p []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(p))) }

// pollFor waits until fd can be read, or for so long.
func pollFor(fd int32, d time.Duration) {
	unix.Poll([]unix.PollFd{{Fd: fd, Events: unix.POLLIN}}, int(d.Milliseconds()))
}

// blockingPipe gives a pipe in blocking mode.
func blockingPipe(t *testing.T) (r, w int32) {
	t.Helper()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(ends[0]); unix.Close(ends[1]) })
	return int32(ends[0]), int32(ends[1])
}
