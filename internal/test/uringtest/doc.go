// Package uringtest is an io_uring in Go, for tests of what drives one.
//
// A [Kernel] stands in for the real one behind sys.Uring. It has rings of the real
// layout, takes the entries that a driver submits, and does what they say with
// plain calls on the descriptors they name; what has to wait waits in an epoll
// instance, whose edges are those that a poll of io_uring sees, too.
//
//	driver ── uring.Ring ── sys.Uring ──▶ Kernel ── recv, accept, epoll ──▶ Linux
//	             └──── mapped rings ──────────┘
//
// Wherever a kernel is free to do one thing or another, a [Script] decides: which
// entries are taken, what an enter returns, when and in which order completions
// appear, how a multishot ends, what a cancel is told. A nil script is a calm
// kernel. [Random] makes an unruly one of a seed, and a test that is about one
// behaviour writes a function. With a [Clock] no time passes but what the kernel
// lets pass, so that a script takes no longer than its system calls, and a sleep
// that nothing would end is found at once.
//
// The kernel also watches whoever drives it, and calls Config.Fail for what a real
// kernel would let pass or take revenge for later: entries with garbage in fields
// that the op does not have, one user data for two requests, a descriptor that is
// another file by the time the request gets to it, a buffer returned twice, a call
// from a foreign thread, a ring closed under requests that name memory. What only
// the driver's own test can know, such as who owns an address, Config.Check is
// asked whenever the kernel is about to use it.
//
// # Limits
//
// A large write to a blocking socket would block. There are no links, no drain, no registered files or
// buffers, no SQPOLL. The ops are those in the table of op_unsafe_linux.go.
package uringtest
