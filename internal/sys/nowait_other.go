//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !windows

package sys

func ReadNow(fd int32, p []byte) int32      { return enosys }
func Resident(fd int32, off, n int64) int32 { return enosys }
func WriteNow(fd int32, p []byte) int32     { return enosys }
func StatusFlags(fd int32) int32            { return enosys }
func IsDirect(fd int32) bool                { return false }
func Blocks(fd int32) bool                  { return false }
