//go:build !linux || portable

package sys

// HaveEpoll says whether this OS has epoll at all.
const HaveEpoll = false

// EpollEvent is struct epoll_event of the Linux ABI.
type EpollEvent struct {
	Events  uint32
	Fd, Pad int32
}

// Key returns the 64 bits that an event carries.
func Key(e *EpollEvent) uint64 { return uint64(uint32(e.Pad))<<32 | uint64(uint32(e.Fd)) }

func EpollCreate() int32                                        { return enosys }
func EpollAdd(ep, fd int32, events uint32, key uint64) int32    { return enosys }
func EpollModify(ep, fd int32, events uint32, key uint64) int32 { return enosys }
func EpollRemove(ep, fd int32) int32                            { return enosys }
func EpollPoll(ep int32, events []EpollEvent) int32             { return enosys }
func EpollPwait2(ep int32, events []EpollEvent, ns int64) int32 { return enosys }
func EpollPwait(ep int32, events []EpollEvent, ms int32) int32  { return enosys }
