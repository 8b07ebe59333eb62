//go:build !linux || portable

package sys

import "ringo/internal/posix"

// Only Linux has native AIO. AIOSetup reports that, and callers then use none of the others.

type (
	// AIO names a context; there is none here.
	AIO uintptr
	// Iocb is one request.
	Iocb struct{}
	// AIOEvent is one completion.
	AIOEvent struct {
		Data uint64
		res  int32
	}
)

func NewAIOEvent(data uint64, res int32) AIOEvent                                   { return AIOEvent{data, res} }
func (e *AIOEvent) Res() int32                                                      { return e.res }
func (*Iocb) PrepRead(fd int32, p []byte, off int64, data uint64, eventFD int32)    {}
func (*Iocb) PrepReadv(fd int32, v []Iovec, off int64, data uint64, eventFD int32)  {}
func (*Iocb) PrepWritev(fd int32, v []Iovec, off int64, data uint64, eventFD int32) {}
func (*Iocb) PrepSync(fd int32, dataOnly bool, data uint64, eventFD int32)          {}
func (*Iocb) Data() uint64                                                          { return 0 }
func (*Iocb) PrepWrite(fd int32, p []byte, off int64, data uint64, eventFD int32)   {}
func AIOSetup(requests uint32, ctx *AIO) int32                                      { return posix.Lack(ENOSYS) }
func AIOSubmit(ctx AIO, list []*Iocb) int32                                         { return enosys }
func AIOPending(ctx AIO) bool                                                       { return false }
func AIOEvents(ctx AIO, events []AIOEvent) int32                                    { return enosys }
func AIOWait(ctx AIO, events []AIOEvent, timeoutNS int64) int32                     { return enosys }
func AIOCancel(ctx AIO, b *Iocb) int32                                              { return enosys }
func AIODestroy(ctx AIO) int32                                                      { return enosys }
