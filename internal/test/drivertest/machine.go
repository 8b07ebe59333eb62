package drivertest

import (
	"testing"
	"time"

	"ringo/internal/driver"
	"ringo/internal/fd"
	"ringo/internal/kernel"
	"ringo/internal/op"
	"ringo/internal/posix"
)

// machine is the kernel that a case runs on, its clock, and what runs beside the case. The descriptors of the driver
// and of the peers belong to it: a case makes them, and acts for the peers, through the machine alone. Results are
// those of system calls: a value, or a negated errno. No method waits unless its comment says so.
type machine interface {
	kernel.Kernel
	clock
	// call runs an op as a plain call.
	call(o *op.Op) int32

	read(fd int32, p []byte) int32
	write(fd int32, p []byte) int32
	accept(fd int32) int32
	send(fd int32, p []byte, flags uint32) int32
	// sendmsg sends a message with control messages; recvmsg returns how many bytes of control messages came with one.
	sendmsg(fd int32, p, control []byte) int32
	recvmsg(fd int32, p, control []byte) (n, controls int32)

	// block puts a peer's descriptor into blocking mode. awaitRead and awaitWrite then wait; only what runs beside the
	// case calls them.
	block(fd int32) int32
	awaitRead(fd int32, p []byte) int32
	awaitWrite(fd int32, p []byte) int32
	// awaitReady waits until at least one event of mask is ready and returns those that are, or 0 after d without any.
	awaitReady(fd int32, mask uint32, d time.Duration) int32

	eventfd() int32
	// blockingPipe is Pipe with both ends in blocking mode.
	blockingPipe() (r, w, res int32)
	// move changes a descriptor's number to one that is free.
	move(fd, to int32) int32
	// inherited reports whether a program that the process starts would inherit the descriptor.
	inherited(fd int32) bool
	// identity returns a number that two descriptors share only if they are of the same file.
	identity(fd int32) (ino uint64, res int32)
	// exhaust makes the machine run out of descriptors, until restore is called.
	exhaust() (restore func(), res int32)
	// descriptors returns how many descriptors there may be.
	descriptors() int
	// opened returns the names of the open descriptors.
	opened(t *testing.T) map[string]bool

	folders
}

// clock is a machine's time, and what runs on it beside the case.
type clock interface {
	// now reads the clock that deadlines refer to. It starts at an arbitrary value, to expose drivers that read another
	// clock.
	now() int64
	// spend lets d pass without sleeping.
	spend(d time.Duration)
	// pass lets others run. A case that polls for the work of others calls it in each round.
	pass()
	// beside runs f beside the case, and returns a function that waits for its end.
	beside(f func()) (join func())
	// pin locks the caller to its thread, as drivers require, where the machine has threads.
	pin()
	// idles calls wait several times, which should do nothing for span each time, and describes what is wrong; "" means
	// nothing is.
	idles(wait func(), span time.Duration) string
	// virtual reports whether the clock advances only while something waits for it.
	virtual() bool
}

// folders are operations on files by name.
type folders interface {
	// folder makes a new directory and returns its absolute name.
	folder(t *testing.T) string
	// socketName returns an unused name for a Unix socket, short enough for an address.
	socketName(t *testing.T) string
	open(name string, flags int, mode uint32) int32
	symlink(to, name string) int32
	fifo(name string) int32
	remove(name string) int32
	// mode returns the mode as stat(2) does.
	mode(name string) (mode uint32, res int32)
	// leads returns a symlink's target.
	leads(name string) (to string, res int32)
	// names lists a directory's names, sorted.
	names(name string) (all []string, res int32)
	// content returns a file's content from its beginning, whatever mode the descriptor is open for.
	content(fd int32) (text string, res int32)
	// found reports whether a nowait read finds in the cache what has just been read.
	found(fd int32) bool
}

// ground is what the cases of a run are given: drivers, on machines.
type ground struct {
	open    func(t *testing.T, m machine, cfg driver.Config) driver.Driver
	machine func(t *testing.T) machine // a new one for each harness
	entries int
	excused map[string]string // cases that are not run, by their names, and why
}

// opOn returns an op on descriptor n, for machine.call.
func opOn(code op.Code, n int32, fill func(o *op.Op)) *op.Op {
	o := &op.Op{Code: code, FD: new(fd.FD), Off: atPosition}
	o.FD.Init(n)
	if fill != nil {
		fill(o)
	}
	return o
}

// errOf returns a negated errno as an error, and nil for any other result.
func errOf(res int32) error {
	if res < 0 {
		return posix.Error(res)
	}
	return nil
}
