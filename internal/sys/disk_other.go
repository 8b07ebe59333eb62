//go:build !linux

package sys

func ReadAtNow(fd int32, p []byte, off int64) int32               { return enosys }
func WriteAtNow(fd int32, p []byte, off int64) int32              { return enosys }
func Openat(dir int32, name []byte, flags int, mode uint32) int32 { return enosys }
func CloseFile(fd int32) int32                                    { return enosys }
