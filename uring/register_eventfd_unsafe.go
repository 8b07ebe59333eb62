package uring

import (
	"unsafe"

	"ringo/internal/abi"
)

// RegisterEventfd makes the kernel add one to the eventfd whenever it posts completions; with SetupDeferTaskrun it does
// so earlier, when it defers the work that will post them. SetEventfd turns the signals off and on. EBUSY: there is one
// already.
//
// Only the owner may call it. Since Linux 5.2. See io_uring_register_eventfd(3).
func (r *Ring) RegisterEventfd(fd int) error {
	return r.registerEventfd("io_uring_register(EVENTFD)", abi.IORING_REGISTER_EVENTFD, fd)
}

// RegisterEventfdAsync is like RegisterEventfd, but only for completions by the kernel's worker threads. It signals
// neither completions within Enter nor those of requests that waited by poll, so it can't be used to wait for sockets.
//
// Only the owner may call it. Since Linux 5.6. See io_uring_register_eventfd_async(3).
func (r *Ring) RegisterEventfdAsync(fd int) error {
	return r.registerEventfd("io_uring_register(EVENTFD_ASYNC)", abi.IORING_REGISTER_EVENTFD_ASYNC, fd)
}

func (r *Ring) registerEventfd(step string, op uint32, fd int) error {
	if err := asFD(step, &fd); err != nil {
		return err
	}
	n := int32(fd)
	_, err := r.register(step, op, unsafe.Pointer(&n), 1)
	return err
}

// UnregisterEventfd undoes RegisterEventfd and RegisterEventfdAsync. ENXIO: there is no eventfd.
//
// Only the owner may call it. Since Linux 5.2. See io_uring_unregister_eventfd(3).
func (r *Ring) UnregisterEventfd() error {
	_, err := r.register("io_uring_unregister(EVENTFD)", abi.IORING_UNREGISTER_EVENTFD, nil, 0)
	return err
}
