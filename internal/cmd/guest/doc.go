// Guest is the first process of a virtual machine that runs tests, and what these need there.
//
// As process 1 it mounts proc, sysfs, devtmpfs, devpts, a tmpfs on /tmp and a disk, if there is one, on /var/tmp,
// brings up the loopback, raises RLIMIT_NOFILE, has a child run the plan in /plan, and powers the machine off.
// Otherwise its first argument says what it is to do:
//
//	run FILE               run a plan: PASS or FAIL for each step, what was skipped and why, and counts at the end
//	with ... COMMAND       run a command with another environment, user, limits, or without /proc
//	expect RE COMMAND      run a command whose output must have a line that matches a regular expression
//	echo SERVER -- ARGS    start a server such as "ringo echo", run "load ARGS" against it, and have it end; with
//	                       -kill before SERVER it is killed
//
// A plan has one step in a line: a verb, a name, a limit of time and a command with its arguments, in which single
// quotes keep words together.
//
//	show  probe             20s  ringo probe
//	run   {driver}/sock     60s  with RINGO_DRIVER={driver} sock.test -test.v
//	run   {uring}/contract  60s  driver-uring.test -test.v
//
// The verb show prints what the command has printed, run does that of one that failed. A step whose name has {driver}
// in it is one for each driver that can be had in this machine, which ringo probe is asked; one with {uring} in its
// name is there if uring is one of these. The limit is for how long a step may print nothing; in all it may take five
// times as long, which a test with -test.v is told, by -test.timeout.
//
// Nothing here can be relied upon to exist: there is no shell, no user database and no other program but those that the
// file system was made of.
package main
