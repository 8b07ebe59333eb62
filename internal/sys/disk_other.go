//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !windows

package sys

// This package has no files here; package file reports that when one is opened.

func ReadAtNow(fd int32, p []byte, off int64) int32         { return enosys }
func WriteAtNow(fd int32, p []byte, off int64) int32        { return enosys }
func ReadvAt(fd int32, vec []Iovec, off int64) int32        { return enosys }
func WritevAt(fd int32, vec []Iovec, off int64) int32       { return enosys }
func ReadvAtNow(fd int32, vec []Iovec, off int64) int32     { return enosys }
func WritevAtNow(fd int32, vec []Iovec, off int64) int32    { return enosys }
func Fsync(fd int32, dataOnly bool) int32                   { return enosys }
func SyncFileRange(fd int32, off, n int64, flags int) int32 { return enosys }
func Fallocate(fd int32, mode uint32, off, n int64) int32   { return enosys }
func Fadvise(fd int32, off, n int64, advice int) int32      { return enosys }
func Ftruncate(fd int32, size int64) int32                  { return enosys }
func Fstatfs(fd int32, st *Statfs) int32                    { return enosys }
func StatfsOf(path []byte, st *Statfs) int32                { return enosys }
func Fchmod(fd int32, mode uint32) int32                    { return enosys }
func Fchdir(fd int32) int32                                 { return enosys }
func OFDLock(fd int32, kind int16, off, n int64) int32      { return enosys }
func Fgetxattr(fd int32, name, p []byte) int32              { return enosys }
func Fsetxattr(fd int32, name, p []byte, flags int) int32   { return enosys }
func Flistxattr(fd int32, p []byte) int32                   { return enosys }
func Fremovexattr(fd int32, name []byte) int32              { return enosys }
