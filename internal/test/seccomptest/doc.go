// Package seccomptest runs programs under seccomp filters, so that tests can see
// what a container that forbids io_uring sees.
//
// A [Policy] lists system calls and the errors that they end in. [Command] makes
// an exec.Cmd for any program under a policy: the test binary starts itself once
// more, that second process installs the filter on all its threads before any
// test runs, and then becomes the program. A filter can't be taken off and outlives
// exec, so the program and all its children stay under it, and the test doesn't.
//
//	test ── fork, exec ──▶ test binary, in this package's init ── exec ──▶ program
//	                       no_new_privs, seccomp(2)
//
// [Interrupt] is for one thread of the test itself: calls end with EINTR as often as it
// says, which no signal can be made to do at will.
//
// The filter is assembled here and needs no privilege, no outside tool and no
// library. It exists on Linux only.
package seccomptest
