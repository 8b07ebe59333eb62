// Package poller reports which descriptors are ready: by epoll, kqueue, poll, select, or an io_uring that only polls,
// behind one small contract.
//
// A poller knows descriptors, not ops. The soft driver keeps track of which op waits for what, of edges that were used
// up, and of events of descriptors that are closed by now; it gives each registration a key, and gets the key back
// with each event.
//
// # Edge, level, one-shot
//
// An edge-triggered poller is told of a descriptor once, with everything that may ever be of interest, and reports
// each change. A level-triggered one reports a descriptor as long as it is ready, so it must be told each time what to
// wait for, and when to stop. EdgeTriggered says which kind a poller is; the driver does the rest.
//
//   - Edges are right where the kernel keeps the set and a change to it is a system call: epoll, and a ring with
//     multishot polls. One call serves a stream, a listener or an eventfd for its life, because the driver keeps the
//     readiness in user space and clears it on EAGAIN. The eventfd that wakes a loop is not even read: each write is an
//     edge. The price is that an edge that is forgotten is lost for ever, so only the driver may use one up.
//   - Levels are right where the set is passed with each wait anyway, so that adding and removing are stores in user
//     space: poll and select. The set then holds only what an op waits for, which bounds its cost, and keeps a peer
//     that sends unasked from keeping the loop awake.
//   - One-shot is right where a poll ends with its first event: a ring before Linux 5.13. Armed again with the next
//     wait it behaves as a level, and costs an entry in a submission that happens anyway. One-shot would also be right
//     for a set that several threads wait on, which this driver does not have.
//
// An event that can't be used up would make a level-triggered or one-shot poller report it without end: a half-close
// stays, and a ring reports it unasked; select shows it by the same bit as data that no op waits for. The poller
// reports such news once, or not at all if no op has asked for it, and looks again some milliseconds later.
//
// # Files
//
// Epoll refuses descriptors without readiness with EPERM. The others report them as always ready, which does not say
// whether a call would block, so the driver asks for a descriptor's kind before it lets a read or a write wait here.
package poller
