//go:build darwin || dragonfly || freebsd || (linux && portable)

package sys

import "golang.org/x/sys/unix"

// Fstatfs is fstatfs(2). It leaves out the type of the file system, whose numbers are Linux's.
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

// from fills in the result of statfs(2). FreeBSD's free count goes below zero when root has used the reserve.
func (st *Statfs) from(s *unix.Statfs_t) {
	*st = Statfs{BlockSize: int64(s.Bsize), Blocks: uint64(s.Blocks), BlocksFree: uint64(s.Bfree),
		BlocksUsable: uint64(max(int64(s.Bavail), 0)), Files: uint64(s.Files),
		FilesFree: uint64(max(int64(s.Ffree), 0))}
}
