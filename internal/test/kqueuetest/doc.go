// Package kqueuetest has a kqueue for tests on Linux: a shim over epoll that keeps kqueue's rules, so that the poller
// of Darwin and the BSDs is compiled and played where there are none.
//
// It is no kqueue. What it knows is from manual pages (kqueue(2) of FreeBSD, NetBSD, OpenBSD, DragonFly and Darwin),
// from Go's runtime, from other libraries' sources and from the reports of bugs of theirs. No such system has run it,
// nor the poller. What it keeps:
//
//   - A knote is of a descriptor and a filter. EV_ADD of one that is there changes its mark, and has what is ready told
//     once more.
//   - EV_CLEAR is by filter: what arrives is told by the one that reads, whatever the other has told.
//   - EV_EOF comes with what is still to be read, in one event; and a filter for writing has it after one's own
//     shutdown.
//   - A change that fails is an event, beside others of that sort alone, if there is room, and else ends the call; with
//     EV_RECEIPT each change is. EBADF, ENOENT for what is not there to be taken out, EPIPE or EBADF for writing into a
//     pipe that is not read, EINVAL for what has no readiness.
//   - Nothing is told of a write for which a pipe had no room, if a test asks for that (Oddities.FullPipe): the shim
//     can't tell it from one behind a read of all that was there.
//   - No room for events is no wait. EINVAL for a wait of more than 1e6 s.
//   - close(2) takes a descriptor's knotes away, also if the file stays open by another.
//   - A regular file ends the test: some kernels would.
//
// What it does not: EV_EOF carries no error, listeners' backlogs are not counted, and where epoll tells of room to
// write once more than kqueue would, so does the shim.
package kqueuetest
