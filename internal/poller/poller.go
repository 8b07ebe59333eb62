package poller

// Poller is a set of descriptors with what is waited for on each. One thread owns it and makes all calls. Another
// thread ends a sleep as any event does: through a descriptor in the set.
//
// Results are those of a completion: a value, or a negated errno.
type Poller interface {
	// Name returns the poller's name, such as "epoll".
	Name() string
	// Features names the kernel features that it uses.
	Features() []string
	// EdgeTriggered says which kind this is, see the package comment.
	EdgeTriggered() bool
	// Bound returns the bound of descriptors: only those below it can be watched.
	Bound() int32
	// Add puts fd into the set. interest is a poll mask, to which PollErr and PollHup always belong. If fd is ready
	// already, the next Wait reports it. -EPERM means that readiness has no meaning for fd, as for a regular file;
	// -EEXIST that fd is in the set; -EMFILE that fd is not below Bound; -EBADF that fd is not open, which a poller
	// that does not ask the kernel reports by PollNval in the next Wait instead.
	//
	// With Why in the interest, an event tells everything that is known. Without it, the event may say readable for a
	// hang-up or an error: a poller that would need a call to find out the reason does not make it.
	Add(fd int32, interest uint32, key uint64) int32
	// Modify changes the interest and the key. If fd is ready, the next Wait reports it once more.
	Modify(fd int32, interest uint32, key uint64) int32
	// Remove takes fd out of the set. It must be called before fd is closed: a set may know a descriptor by its open
	// file, which lives on in a duplicate. No event of fd is reported after Remove.
	Remove(fd int32) int32
	// Wait puts what is ready into events and returns the number. It returns 0 only once timeoutNS nanoseconds have
	// passed; if negative there is no timeout, and with 0 Wait does not wait. -EINTR may come at any time, and the
	// caller, who knows its deadline, calls again.
	Wait(timeoutNS int64, events []Event) int32
	// Close frees the poller. It is the last call.
	Close()
}

// Why is not part of a poll mask, but of an interest: it asks for the reasons, even where they cost a call.
const Why uint32 = 1 << 31

// Event is one descriptor that is ready.
type Event struct {
	Key   uint64
	Ready uint32 // a poll mask: all that is known of the descriptor now
}
