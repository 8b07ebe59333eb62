//go:build darwin || dragonfly || freebsd || (linux && portable)

package sys

import "golang.org/x/sys/unix"

// Fstatfs is fstatfs(2). The sort of a file system is not told: its numbers are Linux's.
func Fstatfs(fd int32, st *Statfs) int32 {
	var got unix.Statfs_t
	res := again(func() (int, error) { return 0, unix.Fstatfs(int(fd), &got) })
	if res == 0 {
		st.from(&got)
	}
	return res
}

// StatfsOf is statfs(2), see Fstatfs.
func StatfsOf(name []byte, st *Statfs) int32 {
	var got unix.Statfs_t
	res := again(func() (int, error) { return 0, unix.Statfs(path(name), &got) })
	if res == 0 {
		st.from(&got)
	}
	return res
}

func (st *Statfs) from(s *unix.Statfs_t) {
	*st = Statfs{BlockSize: int64(s.Bsize), Blocks: uint64(s.Blocks), BlocksFree: uint64(s.Bfree),
		BlocksUsable: uint64(s.Bavail), Files: uint64(s.Files), FilesFree: uint64(s.Ffree)}
}
