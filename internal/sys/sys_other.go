//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !windows

package sys

// This package knows no kernel here: simulated worlds have their own.

func Socket(domain, typ, proto int) int32                        { return enosys }
func Bind(fd int32, sa *Sockaddr) int32                          { return enosys }
func Listen(fd int32, backlog int) int32                         { return enosys }
func Accept(fd int32) int32                                      { return enosys }
func Connect(fd int32, sa *Sockaddr) int32                       { return enosys }
func Recv(fd int32, p []byte, flags uint32) int32                { return enosys }
func Send(fd int32, p []byte, flags uint32) int32                { return enosys }
func Sendmsg(fd int32, msg *Msghdr, flags uint32) int32          { return enosys }
func Recvmsg(fd int32, msg *Msghdr, flags uint32) int32          { return enosys }
func Shutdown(fd int32, how int) int32                           { return enosys }
func Dup(fd int32) int32                                         { return enosys }
func Fcntl(fd int32, cmd, arg int) int32                         { return enosys }
func Close(fd int32) int32                                       { return enosys }
func SetsockoptInt(fd int32, level, name, value int) int32       { return enosys }
func SetLinger(fd int32, on bool, sec int) int32                 { return enosys }
func GetsockoptInt(fd int32, level, name int) (value, res int32) { return 0, enosys }
func Getsockname(fd int32, sa *Sockaddr) int32                   { return enosys }
func Getpeername(fd int32, sa *Sockaddr) int32                   { return enosys }
func Read(fd int32, p []byte) int32                              { return enosys }
func Write(fd int32, p []byte) int32                             { return enosys }
func ReadAt(fd int32, p []byte, off int64) int32                 { return enosys }
func ReadAtInMemory(fd int32, p []byte, off int64) int32         { return enosys }
func WriteAt(fd int32, p []byte, off int64) int32                { return enosys }
func IsRegular(fd int32) bool                                    { return false }
func FileType(fd int32) int32                                    { return enosys }
func Poll(fd int32, mask uint32) int32                           { return enosys }
func Getsockopt(fd int32, level, name int, p []byte) int32       { return enosys }
func Setsockopt(fd int32, level, name int, p []byte) int32       { return enosys }
func PeerCred(fd int32) (cred Ucred, res int32)                  { return Ucred{}, enosys }
func Socketpair(typ int) (a, b, res int32)                       { return 0, 0, enosys }
func Pipe() (r, w, res int32)                                    { return 0, 0, enosys }
func SetPipeSize(fd int32, n int) int32                          { return enosys }
func Splice(in, out int32, n int) int32                          { return enosys }
func Sendfile(out, in int32, off int64, n int) int32             { return enosys }
func Recvmmsg(fd int32, b *Batch, flags uint32) int32            { return enosys }
func Sendmmsg(fd int32, b *Batch, flags uint32) int32            { return enosys }
func Gettid() int32                                              { return 0 }
func PidFD(pid int) int32                                        { return enosys }

func SendTo(fd int32, p []byte, flags uint32, sa *Sockaddr) int32 { return enosys }

type Filter struct {
	Code   uint16
	Jt, Jf uint8
	K      uint32
}

func SetsockoptFilter(fd int32, level, name int, program []Filter) int32 { return enosys }

// WakerCall is the call that makes a Waker.
const WakerCall = "waker"

const WakerFills = false

func NewWaker() (Waker, int32) { return Waker{}, enosys }
func (w Waker) Signal()        {}
func (w Waker) Unsignal()      {}
func (w Waker) Close()         {}

// Monotonic returns 0: this system has no such clock here.
func Monotonic() (ns int64) { return 0 }
