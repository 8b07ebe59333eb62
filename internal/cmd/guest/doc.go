// Guest is the first process of a virtual machine that runs tests, and has the commands that tests need there.
//
// As process 1 it mounts proc, sysfs, devtmpfs, devpts, a tmpfs on /tmp and a disk, if there is one, on /var/tmp, loads
// the modules in /modules, brings up the loopback, raises RLIMIT_NOFILE, starts a child that runs the plan in /plan,
// and powers the machine off.
// Otherwise its first argument says what it does:
//
//	run FILE               run a plan: PASS or FAIL for each step, what was skipped and why, and counts at the end
//	with ... COMMAND       run a command with another environment, user, limits, or without /proc
//	expect RE COMMAND      run a command whose output must have a line that matches a regular expression
//	echo SERVER -- ARGS    start a server such as "ringo echo", run "load ARGS" against it, and end it; with
//	                       -kill before SERVER it is killed
//
// A plan has one step per line: a verb, a name, a time limit and a command with its arguments, in which single quotes
// keep words together.
//
//	show  probe             20s  ringo probe
//	run   {driver}/sock     60s  with RINGO_DRIVER={driver} sock.test -test.v
//	run   {uring}/contract  60s  driver-uring.test -test.v
//
// The verb show prints what the command has printed, run only if it failed. A step with {driver} in its name is run
// once for each driver that works in this machine, by ringo probe; one with {uring} in its name only if uring is one of
// these. The limit is how long a step may print nothing. In all it may take five times as long, which a test with
// -test.v gets as its -test.timeout.
//
// A command can't rely on anything here: there is no shell, no user database and no program but those in the file
// system that the machine was started with.
package main
