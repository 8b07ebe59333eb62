// Package kqueuetest has an imitation of a kqueue for tests on Linux: a shim over epoll that keeps kqueue's rules, so
// that the poller of Darwin and the BSDs is compiled and run where there is no kqueue.
//
// The shim is no kqueue. What it knows comes from manual pages (kqueue(2) of FreeBSD, NetBSD, OpenBSD, DragonFly and
// Darwin), from Go's runtime, from the sources of other libraries and from their bug reports. Neither the shim nor the
// poller has been run on any of these systems. The shim keeps these rules:
//
//   - A knote belongs to a descriptor and a filter. EV_ADD of one that exists changes its mark, and reports once more
//     what is ready.
//   - EV_CLEAR is per filter: the read filter reports what arrives, whatever the write filter has reported.
//   - EV_EOF comes in one event with what is still to be read. A write filter also has it after the program's own
//     shutdown.
//   - A change that fails is reported as an event if there is room for one, and the call then returns only such
//     events; without room the call fails with the change's error. With EV_RECEIPT every change is reported so. The
//     errors are EBADF; ENOENT for the deletion of a knote that does not exist; EPIPE or EBADF for writing into a pipe
//     without a reader; EINVAL for a file that has no readiness.
//   - If a test asks for that (Oddities.FullPipe), a write for which a pipe had no room is not reported: the shim can't
//     tell it from a write after a read of everything.
//   - A call without room for events does not wait. A wait of more than 1e6 s fails with EINVAL.
//   - close(2) removes a descriptor's knotes, even if the file stays open through another descriptor.
//   - Watching a regular file panics, and so ends the test: some kernels panic, too.
//
// The shim does not imitate everything: EV_EOF carries no error, the backlogs of listeners are not counted, and where
// epoll reports room to write more often than kqueue would, so does the shim.
package kqueuetest
