// Faults runs this module's programs where the kernel, the disk and the machine fail them, and looks at them from
// outside, with clients that know every byte.
//
//	faults [-short] [-run PATTERN] [-list] [-beside N] [-v] DIR
//	faults -churn TIME [-round TIME] DIR
//
// DIR has the programs: ringo, frames, proxy and keeper. A case is one run of one of them with one sort of fault. It
// passes if who talks to the program gets the right bytes, or is told by a reset, an end or an answer that there are
// none; if the program lives on for the others and ends in order when it is asked to, or else ends with an exit code
// and a message that names the step; and if all of that comes in bounded time.
//
// The groups of cases are:
//
//	inject  each system call that a program makes fails, by strace, with each error that its manual names among
//	        EINTR, EAGAIN, ENOMEM, ENOBUFS, ENOSPC, EIO, and EBUSY of a ring, at a thread's first, second, third and
//	        tenth call
//	limit   RLIMIT_AS, RLIMIT_FSIZE and RLIMIT_NOFILE
//	memory  a control group whose memory is little
//	full    a file system that is full
//	eio     a disk below a file system that can't be read, or written
//	stop    SIGSTOP and SIGCONT under load
//	clock   a machine that has been up for 95 years
//	kill    SIGKILL at any moment, of what keeps data
//
// A case that fails runs a second time, since machines stand still for seconds; the end names it in any case. What
// can't be had here is skipped, with the reason. The last line is "faults: N passed, M failed, K skipped".
//
// With -churn nothing fails: proxies and file servers are started anew by SIGHUP once in each round, under some
// hundred clients of all manners, until the time is over. Each time that the clients have gone nothing may be left of
// them. The last line is "churn: N rounds played, F failed, E excused, L leaked, R restarts, C connections, Q
// requests".
package main
