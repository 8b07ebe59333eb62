// Package soft is the driver for systems without io_uring: an io_uring in user space, on top of a poller.
//
// The driver tries an op as a plain call. If the op would have to wait, the driver adds the descriptor to the poller
// and puts the op into a list of the descriptor's registration, and tries it again when the poller reports readiness.
// Calls that block whatever the readiness, such as those on regular files, go to the offload.
//
//	Submit ──▶ queue ──Wait──▶ attempt ──EAGAIN──▶ direction of a registration ──event──▶ attempt ...
//	                              │                                                     │
//	                              └────────────────▶ completion ◀───────────────────────┘
//
// # Readiness
//
// A registration has two directions, in and out. Each has the ops that wait, in the order of their submission, and
// readiness bits. Only the first op of a direction is tried, so a stream has at most one receive and one send under
// way. Events set the bits, and only EAGAIN clears them: the poller reports an edge once, so a driver that dropped it
// would wait for ever. One EAGAIN can be saved: if a TCP socket returned less than was asked for, its queue was empty,
// and what arrives later makes another edge. That does not hold once events have reported the stream's end, an error
// or urgent data: these end a read early, and their edge has come already. From then on reads are repeated until
// EAGAIN.
//
// A registration starts as if it were ready, so that the first attempt comes before the descriptor is added to the
// poller. No readiness is lost in between, because Add reports what is ready already.
//
// Poll ops wait in a list of their own beside the directions. A multishot one costs one epoll_ctl in a connection's
// life and, per edge, a load of the registration and of the op.
//
// # Closing
//
// The poller's set knows the open file rather than the number, so a descriptor that was duplicated would make events
// even after close(2), and the poll of a ring holds the file open, so the peer would not notice the close. Therefore
// the owner calls Forget before it closes a descriptor: Forget takes the descriptor out of the set, by the registration
// that its FD names.
//
// # Numbers
//
// select watches only descriptors below FD_SETSIZE. If an accept, tried or submitted, makes a higher one, the driver
// closes it, and the result is -EMFILE, so that a listener does the same as at any shortage of descriptors. For those
// that are made elsewhere the engine has a method Bound; ops that would have to wait on one that is too high fail.
package soft
