//go:build linux

package main

import "strings"

// When a change moves these figures for good, change this file: set the usual ratios to what .ci/gate prints on a
// quiet machine, and the calls to what it counts.

// ratioBounds are requests per second of server CPU, relative to those of package net and of the C server on the same
// driver, as they usually are. Both ratios vary with what the host charges for a system call and for a wake-up, each
// in its own way; a loss of Ringo itself lowers both.
var ratioBounds = []ratioBound{
	{"ringo-uring-request", cell{50, 64, 1}, 1.20, 0.96},
	{"ringo-uring-conn", cell{50, 64, 1}, 1.20, 0.96},
	{"ringo-uring-goroutine", cell{50, 64, 1}, 0.95, none},
	{"ringo-epoll-request", cell{50, 64, 1}, 1.14, 0.96},
	{"ringo-uring-request", cell{50, 64, 16}, 1.19, 0.92},
	{"ringo-epoll-request", cell{50, 64, 16}, 1.15, 0.92},
}

// lossMax is the part of the usual ratios that may be missing. A server that needs 15 % more CPU has 0.87 of its usual
// ratio; medians on a busy machine are off by 0.03. lossMaxAlone is for servers with one yardstick only, where the
// host's price of a wake-up looks like a loss: medians of goroutines were 0.89 to 1.02 on hosts whose system calls
// cost 0.25 to 2 us.
const (
	lossMax      = 0.07
	lossMaxAlone = 0.11
)

// callBounds are the system calls of a request at 50 x 64 bytes, with request handlers.
var callBounds = map[string][]callBound{
	"uring": {
		{"sendto", 0, 0},           // sends go in with the enter
		{"io_uring_enter", 0, 0.2}, // one a turn, which serves most of the connections
	},
	"epoll": {
		{"sendto", 1, 1},
		{"recvfrom", 1, 1}, // a short read means that no more is there
		// The latter before Linux 5.11, and in Go's runtime. Under strace a call takes so long that a turn ends after
		// a few of them, so that written bytes do not wait.
		{"epoll_pwait2 epoll_pwait", 0.005, 0.6},
	},
}

const (
	// timedMax is how many of the timed calls a request may make.
	timedMax = 0.2

	// timedSecond is how many of the timed calls there may be for each second: some 1,500 on a machine busy with other
	// things, where few requests share them.
	timedSecond = 2500

	// otherSecond is the same for calls of any other name: those of a watcher that looks at a loop that is held up.
	otherSecond = 100

	// connMax is how many calls of one name a connection may make, from accept to close.
	connMax = 5

	// onceMax is how many calls of one name a server may make apart from that.
	onceMax = 100
)

// timedCalls depend on time and not on requests. All but the last are of Go's runtime: its monitor's sleeps, threads
// that wake each other, its poller, its clock. By the last, Ringo's watcher looks at a task that holds a loop.
var timedCalls = strings.Fields(`nanosleep clock_nanosleep futex epoll_pwait clock_gettime gettimeofday sched_yield
	tgkill getpid gettid rt_sigreturn madvise mmap munmap restart_syscall process_vm_readv`)
