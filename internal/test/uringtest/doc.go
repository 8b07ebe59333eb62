// Package uringtest is an io_uring written in Go, for tests of code that drives a ring.
//
// A [Kernel] stands in for the real kernel behind sys.Uring. It has rings of the real layout, takes the entries that a
// driver submits, and executes them by plain calls on the descriptors that they name. Requests that have to wait do so
// in an epoll instance, whose edges are those that a poll of io_uring sees, too.
//
//	driver ── uring.Ring ── sys.Uring ──▶ Kernel ── recv, accept, epoll ──▶ Linux
//	             └──── mapped rings ──────────┘
//
// Wherever a kernel is free to do one thing or another, a [Script] decides: how many entries are taken, what an enter
// returns, when and in which order completions appear, how a multishot ends, what a cancel returns. A nil script makes
// a calm kernel. [Random] makes an unruly one from a seed, and a test of one particular behaviour writes a function.
// With a [Clock] only the kernel itself advances the time, so that a script takes no longer than its system calls, and
// a sleep that nothing would end is found at once.
//
// The kernel also checks the driver, and calls Config.Fail for mistakes that a real kernel would ignore, or punish
// later: garbage in fields of an entry that the op does not have, one user data for two requests, a descriptor that is
// another file by the time the request uses it, a buffer that is returned twice, a call from another thread, a ring
// that is closed while requests name memory. What only the driver's own test can know, such as what an address belongs
// to, it leaves to Config.Check, which it calls whenever it is about to use memory.
//
// # Limits
//
// A large write to a blocking socket would block. There are no links, no drain, no ops on registered files or buffers,
// and no SQPOLL. The ops are those in the table of op_unsafe_linux.go.
package uringtest
