//go:build netbsd || openbsd

package sys

// Fstatfs is not supported on this system.
func Fstatfs(fd int32, st *Statfs) int32 { return -ENOSYS }

// StatfsOf is not supported on this system.
func StatfsOf(name []byte, st *Statfs) int32 { return -ENOSYS }
