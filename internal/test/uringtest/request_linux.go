//go:build linux

package uringtest

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"ringo/internal/abi"
)

// A Request is an entry that was taken, until its last CQE is in the ring. Functions that are called with a Request
// must not keep it.
type Request struct {
	SQE abi.Io_uring_sqe

	def      *def
	file     identity // what FD named when the entry was taken
	events   uint32   // the readiness that it waits for
	deadline int64    // when a timeout expires, or a notification is due
	done     uint32   // bytes so far, if it goes on until it has moved all
	brought  uint32   // bytes so far, in buffers of a group
	late     int      // rounds until its readiness is noticed
	misses   int      // cancels that were told, wrongly, that it is not there or is running
	issuing  bool     // its entry is being taken
	waiting  bool     // it is in its file's list
	queued   bool     // it is in the list of work
	started  bool     // it is a connect that is under way
	worker   bool     // a cancel has found it running, and it ends soon
	owes     bool     // it is done, and its notification is still to come
	ended    bool     // its last CQE was made
}

// String names the request in messages.
func (r *Request) String() string {
	name := fmt.Sprintf("op %d", r.SQE.Opcode)
	if r.def != nil {
		name = r.def.name
	}
	if r.multishot() {
		name = "multishot " + name
	}
	return fmt.Sprintf("%s of fd %d, %d bytes at %#x, user data %#x", name, r.SQE.Fd, r.SQE.Len,
		r.SQE.Addr, r.SQE.User_data)
}

// New reports whether its entry is being taken at this moment.
func (r *Request) New() bool { return r.issuing }

// selects reports whether it takes its memory from a buffer group.
func (r *Request) selects() bool { return r.SQE.Flags&abi.IOSQE_BUFFER_SELECT != 0 }

// multishot reports whether it makes many CQEs.
func (r *Request) multishot() bool {
	switch r.SQE.Opcode {
	case abi.IORING_OP_ACCEPT:
		return r.SQE.Ioprio&abi.IORING_ACCEPT_MULTISHOT != 0
	case abi.IORING_OP_RECV, abi.IORING_OP_RECVMSG:
		return r.SQE.Ioprio&abi.IORING_RECV_MULTISHOT != 0
	case abi.IORING_OP_POLL_ADD:
		return r.SQE.Len&abi.IORING_POLL_ADD_MULTI != 0
	}
	return false
}

// pollFirst reports whether its entry says that a try at once is useless.
func (r *Request) pollFirst() bool {
	switch r.SQE.Opcode {
	case abi.IORING_OP_RECV, abi.IORING_OP_SEND, abi.IORING_OP_RECVMSG, abi.IORING_OP_SENDMSG:
		return r.SQE.Ioprio&abi.IORING_RECVSEND_POLL_FIRST != 0
	}
	return false
}

// impatient reports whether it is a send that either is done when its entry is taken, or fails.
func (r *Request) impatient() bool {
	return r.SQE.Opcode == abi.IORING_OP_SEND && r.SQE.Rw_flags&unix.MSG_DONTWAIT != 0
}

// silent reports whether this result makes no CQE.
func (r *Request) silent(res int32) bool {
	if r.SQE.Flags&abi.IOSQE_CQE_SKIP_SUCCESS == 0 || res < 0 {
		return false
	}
	switch r.SQE.Opcode {
	case abi.IORING_OP_RECV, abi.IORING_OP_SEND: // with MSG_WAITALL only the whole length counts as success
		return r.SQE.Rw_flags&unix.MSG_WAITALL == 0 || uint32(res) == r.SQE.Len
	}
	return true
}

func (k *Kernel) request() *Request {
	if n := len(k.spare); n > 0 {
		r := k.spare[n-1]
		k.spare = k.spare[:n-1]
		return r
	}
	return new(Request)
}

// check calls the driver's Config.Check, and checks that the descriptor is still the same file.
func (k *Kernel) check(r *Request) {
	if r.file != (identity{}) {
		switch now, err := k.identify(r.SQE.Fd); {
		case err != nil:
			k.failf("fd %d was closed under %v", r.SQE.Fd, r)
		case now != r.file:
			k.failf("fd %d is another file than when the kernel was given %v", r.SQE.Fd, r)
		}
	}
	if k.cfg.Check != nil {
		if err := k.cfg.Check(r); err != nil {
			k.failf("%v: %v", r, err)
		}
	}
}

// identity tells files apart that have an inode of their own. Anonymous ones, such as eventfds, share one.
type identity struct{ dev, ino uint64 }

func (k *Kernel) identify(fd int32) (identity, error) {
	if err := unix.Fstat(int(fd), &k.stat); err != nil {
		return identity{}, err
	}
	return identity{uint64(k.stat.Dev), uint64(k.stat.Ino)}, nil
}

// issue starts a request: it is done at once if possible, or waits. It returns false if the entry was refused.
func (k *Kernel) issue(r *Request) bool {
	r.issuing = true
	defer func() { r.issuing = false }()
	k.unique(r)
	k.live = append(k.live, r)
	if r.def = ops[r.SQE.Opcode]; r.def == nil {
		k.complete(r, -int32(unix.EINVAL), 0)
		return true
	}
	k.checkFields(r)
	if r.impatient() && k.choose(Refuse, 2, r) != 0 {
		k.check(r)
		k.complete(r, -int32(unix.ENOMEM), 0)
		return false
	}
	if r.def.fd || r.def.slow && r.SQE.Fd >= 0 { // a name may be relative to the working directory
		file, err := k.identify(r.SQE.Fd)
		if err != nil {
			k.complete(r, -int32(unix.EBADF), 0)
			return true
		}
		r.file = file
	}
	k.check(r)
	if r.def.slow {
		k.slow(r)
		return true
	}
	if r.def.wants == nil {
		r.def.run(k, r)
		return true
	}
	r.events = r.def.wants(r)
	if k.spoilt(r) {
		return true
	}
	if !r.pollFirst() && (r.impatient() || k.choose(Punt, 2, r) == 0) && r.def.run(k, r) {
		return true
	}
	k.arm(r)
	return true
}

// restartSys is ERESTARTSYS, which old kernels return to programs in place of EINTR.
const restartSys = 512

// unique checks that no other request has this user data.
func (k *Kernel) unique(r *Request) {
	k.byData[r.SQE.User_data]++
	if k.byData[r.SQE.User_data] == 1 || k.cfg.Shared != nil && k.cfg.Shared(r.SQE.User_data) {
		return
	}
	k.Live(func(other *Request) {
		if other.SQE.User_data == r.SQE.User_data {
			k.failf("user data %#x stands for two requests: %v, and %v", r.SQE.User_data, other, r)
		}
	})
}

// complete makes a request's last CQE, unless it is to have none.
func (k *Kernel) complete(r *Request, res int32, flags uint32) {
	if r.ended {
		panic(fmt.Sprintf("uringtest: %v ended twice", r))
	}
	r.ended = true
	k.leave(r)
	i := slices.Index(k.live, r)
	k.live = slices.Delete(k.live, i, i+1)
	if r.silent(res) {
		k.check(r)
		k.forget(r)
		return
	}
	k.hold(r, res, flags, true)
}

// invent ends a request with a result that has no cause.
func (k *Kernel) invent(r *Request, res int32) {
	k.injected[injection{r.SQE.User_data, res}] = true
	k.complete(r, res, 0)
}

// more makes a CQE of a multishot request and reports whether the request lives on. It ends if the CQ is full, or
// because the script says so, without a reason that a program could know.
func (k *Kernel) more(r *Request, res int32, flags uint32) bool {
	how := k.choose(EndMultishot, 4, r)
	if how == 1 || k.room() <= 0 {
		k.complete(r, res, flags)
		return false
	}
	k.hold(r, res, flags|abi.IORING_CQE_F_MORE, false)
	switch {
	case how == 2:
		k.invent(r, -int32(unix.ECANCELED))
	case how == 3 && r.selects():
		k.invent(r, -int32(unix.ENOBUFS))
	case how == 3 && r.SQE.Opcode == abi.IORING_OP_ACCEPT:
		k.invent(r, -int32(unix.ENFILE))
	}
	return !r.ended
}
