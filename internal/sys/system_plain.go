//go:build dragonfly || netbsd || openbsd

package sys

import "golang.org/x/sys/unix"

func mknod(dir int, name string, mode uint32, dev int) error {
	return unix.Mknodat(dir, name, mode, dev)
}

func seekable(whence int) (native int, ok bool) {
	return whence, whence != SeekData && whence != SeekHole
}

// object is the flags for a descriptor that stands for a name: the file, opened for reading without waiting.
const object = ONonblock

// atEmptyPath makes a call refer to its descriptor, which no call has here.
const atEmptyPath = 0

// ended reports whether the end follows what there is to read, by a temporary kqueue.
func ended(fd int32) bool {
	q, res := OpenKqueue(1, 1)
	if res < 0 {
		return false
	}
	defer q.Close()
	var e [1]Kevent
	n := q.Kevent([]Kevent{{Fd: fd, Filter: KqRead, Flags: EvAdd}}, e[:], 0)
	return n > 0 && e[0].Flags&(EvEOF|EvError) == EvEOF
}

// endsSilently says whether poll(2) does not report a peer's end.
const endsSilently = true

// pollEnd would be the bit of a peer's end.
const pollEnd = 0
