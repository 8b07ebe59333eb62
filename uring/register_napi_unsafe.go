package uring

import (
	"fmt"
	"time"
	"unsafe"

	"ringo/internal/abi"
)

// NAPI configures how a ring polls the receive queues of network cards while it waits, instead of sleeping until an
// interrupt: this lowers latency, and keeps a CPU busy.
type NAPI struct {
	BusyPoll time.Duration // how long to poll at a time, with microsecond precision
	Prefer   bool          // delay interrupts while polling; see SO_PREFER_BUSY_POLL in socket(7)
	Tracking NAPITracking
}

// NAPITracking selects the queues that a ring polls.
type NAPITracking uint32

// The values of NAPITracking.
const (
	NAPIDynamic  NAPITracking = abi.IO_URING_NAPI_TRACKING_DYNAMIC  // the queues that its sockets have received from
	NAPIStatic   NAPITracking = abi.IO_URING_NAPI_TRACKING_STATIC   // the queues added by AddNAPI. Linux 6.13
	NAPIInactive NAPITracking = abi.IO_URING_NAPI_TRACKING_INACTIVE // none; the default
)

// RegisterNAPI sets how the ring polls network queues, and returns the previous settings. EINVAL: a ring with
// Config.IOPoll, or a kernel without CONFIG_NET_RX_BUSY_POLL.
//
// Only the owner may call it. Since Linux 6.9. See io_uring_register_napi(3).
func (r *Ring) RegisterNAPI(n NAPI) (old NAPI, err error) {
	reg := abi.Io_uring_napi{Busy_poll_to: uint32(n.BusyPoll / time.Microsecond), Op_param: uint32(n.Tracking),
		Opcode: abi.IO_URING_NAPI_REGISTER_OP}
	if n.Prefer {
		reg.Prefer_busy_poll = 1
	}
	return r.napi(fmt.Sprintf("io_uring_register(NAPI, %+v)", n), abi.IORING_REGISTER_NAPI, &reg)
}

// UnregisterNAPI ends polling and returns the previous settings.
//
// Only the owner may call it. Since Linux 6.9. See io_uring_unregister_napi(3).
func (r *Ring) UnregisterNAPI() (old NAPI, err error) {
	return r.napi("io_uring_unregister(NAPI)", abi.IORING_UNREGISTER_NAPI, &abi.Io_uring_napi{})
}

// AddNAPI adds a queue to poll, by the id that SO_INCOMING_NAPI_ID returns for a socket. EINVAL: the ring's Tracking is
// not NAPIStatic, or there is no such queue; EEXIST: the ring polls it already.
//
// Only the owner may call it. Since Linux 6.13. See io_uring_register(2), IORING_REGISTER_NAPI.
func (r *Ring) AddNAPI(id uint32) error { return r.napiID(abi.IO_URING_NAPI_STATIC_ADD_ID, id) }

// DropNAPI undoes AddNAPI for a queue. ENOENT: the ring does not poll it.
//
// Only the owner may call it. Since Linux 6.13. See io_uring_register(2), IORING_REGISTER_NAPI.
func (r *Ring) DropNAPI(id uint32) error { return r.napiID(abi.IO_URING_NAPI_STATIC_DEL_ID, id) }

func (r *Ring) napiID(what uint8, id uint32) error {
	reg := abi.Io_uring_napi{Opcode: what, Op_param: id}
	_, err := r.napi(fmt.Sprintf("io_uring_register(NAPI, %d, id %d)", what, id), abi.IORING_REGISTER_NAPI, &reg)
	return err
}

func (r *Ring) napi(step string, op uint32, reg *abi.Io_uring_napi) (old NAPI, err error) {
	if _, err := r.register(step, op, unsafe.Pointer(reg), 1); err != nil {
		return NAPI{}, err
	}
	return NAPI{BusyPoll: time.Duration(reg.Busy_poll_to) * time.Microsecond, Prefer: reg.Prefer_busy_poll != 0,
		Tracking: NAPITracking(reg.Op_param)}, nil
}
