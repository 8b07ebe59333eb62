// Package soft is the driver for where there is no io_uring: an io_uring in user
// space, over a poller.
//
// An op is tried as a plain call. If it would have to wait, its descriptor is
// made known to the poller and the op waits in a list of the descriptor's
// registration; readiness runs it again. What blocks without readiness, as
// regular files do, goes to the offload.
//
//	Submit ──▶ queue ──Wait──▶ attempt ──EAGAIN──▶ direction of a registration ──event──▶ attempt ...
//	                              │                                                     │
//	                              └────────────────▶ completion ◀───────────────────────┘
//
// # Readiness
//
// A registration has two sides, in and out, each with the ops that wait in their
// order and with readiness bits. Only the first op of a direction is tried, so a
// stream has one receive and one send under way. Bits are set by events and
// cleared by EAGAIN alone: an edge is told once, and whoever forgets it waits for
// ever. One EAGAIN may be saved: when a TCP socket gave less than was asked for,
// its queue was empty, and what comes later is another edge. That does not hold
// once the events spoke of the stream's end, of an error or of urgent data,
// because these end a read early and have had their edge already; then the read
// is repeated until EAGAIN.
//
// A registration starts out as if it were ready, so the first attempt comes before
// the poller hears of the descriptor. To add it afterwards loses nothing: adding
// reports what is ready already.
//
// Poll ops wait beside the sides, in a list of their own. A multishot one costs
// one epoll_ctl in a connection's life and, per edge, a load of the registration
// and of the op.
//
// # Closing
//
// The poller's set knows the file and not the number, so a descriptor that was
// duplicated would go on making events after close(2). Therefore Forget comes before
// that, and takes it out of the set by the registration that its FD names; a Close that
// is submitted does so by itself. One without an FD takes the number out of the set,
// because a ring's poll holds the file, and the peer would not hear of the close.
//
// # Numbers
//
// select watches descriptors below FD_SETSIZE only. One that is higher is refused
// where it is made, by an accept or a socket call, tried or submitted: it is closed
// and the result is -EMFILE, so that listeners do as at any shortage of
// descriptors. One that came from elsewhere fails what would have to wait on it.
package soft
