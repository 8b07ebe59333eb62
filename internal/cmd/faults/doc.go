// Faults runs this module's programs while the kernel, the disk or the machine fails them, and observes them from
// outside, with clients that know every byte.
//
//	faults [-short] [-run PATTERN] [-list] [-beside N] [-v] DIR
//	faults -churn TIME [-round TIME] DIR
//
// DIR has the programs: ringo, frames, proxy and keeper. A case is one run of one of them with one kind of fault. It
// passes if clients get the right bytes, or learn by a reset, an end or an answer that they get none; if the program
// goes on serving the others and ends in order when it is asked to, or else ends with an exit code and a message that
// names the step; and if all of that happens in bounded time.
//
// The groups of cases are:
//
//	inject  each system call that a program makes fails, by strace, with each error that its manual names among
//	        EINTR, EAGAIN, ENOMEM, ENOBUFS, ENOSPC, EIO, and EBUSY of a ring, at a thread's first, second, third and
//	        tenth call
//	limit   RLIMIT_AS, RLIMIT_FSIZE and RLIMIT_NOFILE
//	memory  a control group with little memory
//	full    a file system that is full
//	eio     a disk below a file system that can't be read, or written
//	stop    SIGSTOP and SIGCONT under load
//	clock   a machine that has been up for 95 years
//	kill    SIGKILL at any moment, for programs that keep data
//
// Each case runs once, and the end names those that failed. Cases that can't run here are skipped, with the reason. The
// last line is "faults: N passed, M failed, K skipped".
//
// With -churn nothing is made to fail: proxies and file servers are restarted by SIGHUP once in each round, under some
// hundred clients of all manners, until the time is over. Each time that the clients have gone, nothing may be left of
// them. The last line is "churn: N rounds played, F failed, E excused, L leaked, R restarts, C connections, Q
// requests".
package main
