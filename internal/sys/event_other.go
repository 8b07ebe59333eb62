//go:build (!linux || portable) && !windows

package sys

func Eventfd() int32          { return enosys }
func Signal(fd int32) int32   { return enosys }
func Unsignal(fd int32) int32 { return enosys }
