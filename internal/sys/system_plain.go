//go:build dragonfly || netbsd || openbsd

package sys

import "golang.org/x/sys/unix"

func mknod(dir int, name string, mode uint32, dev int) error {
	return unix.Mknodat(dir, name, mode, dev)
}

func seekable(whence int) (native int, ok bool) {
	return whence, whence != SeekData && whence != SeekHole
}

// object are the flags that open what stands for a name: here that is the file, opened for reading without waiting.
func object(flags int) int { return flags | ONonblock }

const (
	// atEmptyPath has a call be about its descriptor, which no call has here.
	atEmptyPath = 0
	// pollEnd would be the bit of a peer's end.
	pollEnd = 0
)
