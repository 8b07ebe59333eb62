package poller

// Poller is a set of descriptors and what is waited for on each. One thread owns
// it and makes all calls. A sleep is ended from elsewhere as it is by anything
// else: through a descriptor in the set.
//
// Results are those of a completion: a value, or a negated errno.
type Poller interface {
	// Name is the poller's own, "epoll".
	Name() string
	// Features names what it uses of what the kernel offers.
	Features() []string
	// EdgeTriggered says which kind this is, see the package comment.
	EdgeTriggered() bool
	// Bound is the number that descriptors must be below to be watched.
	Bound() int32
	// Add puts fd into the set. interest is a poll mask; PollErr and PollHup
	// are always part of it. What is ready already is reported by the next
	// Wait. -EPERM means that readiness has no meaning for fd, as for a
	// regular file; -EEXIST that it is in the set; -EBADF that it is none, which
	// a poller that doesn't ask the kernel tells by PollNval in the next Wait;
	// -EMFILE that fd is not below Bound.
	//
	// With Why in the interest an event tells all that is known. Without, it may
	// say readable for a hang-up and an error: a poller that has to ask for the
	// reason does not.
	Add(fd int32, interest uint32, key uint64) int32
	// Modify changes what is waited for, and the key. What is ready is reported
	// by the next Wait, once more.
	Modify(fd int32, interest uint32, key uint64) int32
	// Remove takes fd out of the set, before it is closed: a set may know
	// descriptors by what they stand for, and that lives on in a duplicate. No
	// event of fd is reported after it.
	Remove(fd int32) int32
	// Wait puts what is ready into events and gives the number, 0 after
	// timeoutNS nanoseconds and not before. Negative is no timeout; with 0 it
	// doesn't wait. -EINTR may come at any time, because only the caller knows
	// its deadline.
	Wait(timeoutNS int64, events []Event) int32
	// Close frees the poller. It is the last call.
	Close()
}

// Why is no part of a poll mask, but of an interest: the reasons are wanted, also
// where they cost a call.
const Why uint32 = 1 << 31

// Event is one descriptor that is ready.
type Event struct {
	Key   uint64
	Ready uint32 // a poll mask, all that is known of the descriptor now
}
