// Package poller tells which descriptors are ready: by epoll, kqueue, poll, select, or an
// io_uring that only polls, behind one small contract.
//
// A poller knows descriptors, not ops. Who waits for what, whether an edge was
// used up and which event is of a descriptor long closed is the soft driver's
// business; it gives every registration a key, and gets the key back with each
// event.
//
// # Edge, level, one-shot
//
// An edge-triggered poller is told of a descriptor once, with all that could ever
// interest, and reports each change. A level-triggered one reports what is ready
// for as long as it is, so it must be told each time what is waited for, and told
// to stop. EdgeTriggered says which kind one is; the driver does the rest.
//
//   - Edges are right where the set is kept in the kernel and a change to it is a
//     system call: epoll, and a ring with multishot polls. One call serves a
//     stream, a listener or an eventfd for its life, because the driver keeps the
//     readiness in user space and clears it on EAGAIN. The eventfd that wakes a loop
//     is not even read: each write is an edge. The price is that an edge which is
//     forgotten is lost for ever, so nobody but the driver may use one up.
//   - Levels are right where the set is handed over at each wait anyway, so that
//     adding and removing are stores in user space: poll and select. The set is then
//     what somebody waits for and nothing else, which is what bounds its cost, and
//     keeps a peer that sends unasked from keeping the loop awake.
//   - One-shot is right where a poll is used up by its event by nature: a ring
//     before Linux 5.13. Armed again with the next wait it is a level, and costs an
//     entry in a submission that happens anyway. It would be right, too, for a set
//     that several threads wait on, which this driver has not.
//
// An event that cannot be used up is a storm to a level and to a one-shot poll: a
// half-close stays, and a ring reports it unasked; select shows it, and data that
// nobody waits for, in one bit. Such news is told once, or not at all if nobody asked
// for it, and looked at again some milliseconds later.
//
// # Files
//
// Epoll refuses what has no readiness, with EPERM. The others report it as always
// ready, which is no answer to whether a call would block, so the driver asks what
// kind a descriptor is before it lets a read or a write wait here.
package poller
