// Package seccomptest runs programs under seccomp filters, so that tests can see what a program in a container that
// forbids io_uring sees.
//
// A [Policy] lists system calls and the errors with which they fail. [Command] makes an exec.Cmd for any program under
// a policy: the test binary starts itself once more, this second process installs the filter on all its threads before
// any test runs, and then becomes the program. A filter can't be removed and survives exec, so it applies to the
// program and all its children, but not to the test.
//
//	test ── fork, exec ──▶ test binary, in this package's init ── exec ──▶ program
//	                       no_new_privs, seccomp(2)
//
// [Interrupt] is for one thread of the test itself: it makes a chosen number of calls fail with EINTR, which signals
// can't do reliably.
//
// The filter is assembled here and needs no privilege, no other tool and no library. The package is for Linux only.
package seccomptest
