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

// machine is the kernel that a case runs on, its clock, and who else is there. A driver's descriptors are of its
// machine, and so are the peers': a case makes them, and does what peers do, by the machine alone. Results are those
// of system calls, a value or a negated errno; nothing waits that doesn't say so.
type machine interface {
	kernel.Kernel
	clock
	// call makes the plain call of an op.
	call(o *op.Op) int32

	read(fd int32, p []byte) int32
	write(fd int32, p []byte) int32
	accept(fd int32) int32
	send(fd int32, p []byte, flags uint32) int32
	// sendmsg sends a message with control messages, and recvmsg tells how many bytes of them came with one.
	sendmsg(fd int32, p, control []byte) int32
	recvmsg(fd int32, p, control []byte) (n, controls int32)

	// block has a peer's calls wait from now on; awaitRead and awaitWrite are those calls, for what runs beside the
	// case.
	block(fd int32) int32
	awaitRead(fd int32, p []byte) int32
	awaitWrite(fd int32, p []byte) int32
	// awaitReady waits until any of these is ready, and gives what is; 0: nothing was for so long.
	awaitReady(fd int32, mask uint32, d time.Duration) int32

	eventfd() int32
	// blockingPipe is Pipe, of ends in blocking mode.
	blockingPipe() (r, w, res int32)
	// move gives a descriptor another number, which is free.
	move(fd, to int32) int32
	// inherited reports whether programs that are started get the descriptor.
	inherited(fd int32) bool
	// identity is the same for descriptors of one file, and for others not.
	identity(fd int32) (ino uint64, res int32)
	// exhaust makes it run out of descriptors until the function that it gives is called.
	exhaust() (restore func(), res int32)
	// descriptors is how many there may be.
	descriptors() int
	// opened names the descriptors that are open.
	opened(t *testing.T) map[string]bool

	folders
}

// clock is a machine's time, and those who live in it beside the case.
type clock interface {
	// now is the clock of the deadlines. It starts nowhere in particular, so a driver that looks at a clock of its
	// own is found out.
	now() int64
	// spend passes so much time without sleeping.
	spend(d time.Duration)
	// pass lets others go on, for who looks again and again for what they do.
	pass()
	// beside runs f beside the case, and gives a function that waits for its end.
	beside(f func()) (join func())
	// pin keeps who calls on one thread, as drivers want it, where there are threads.
	pin()
	// idles finds what is wrong with waits that should do nothing for so long each: empty if nothing is.
	idles(wait func(), span time.Duration) string
	// virtual: nothing moves the clock but who waits.
	virtual() bool
}

// folders are files by their names.
type folders interface {
	// folder is a new one, by its whole name.
	folder(t *testing.T) string
	// socketName is a name for a Unix socket that nobody else has, short enough.
	socketName(t *testing.T) string
	open(name string, flags int, mode uint32) int32
	symlink(to, name string) int32
	fifo(name string) int32
	remove(name string) int32
	// mode is as of stat(2).
	mode(name string) (mode uint32, res int32)
	// leads is what a symlink says.
	leads(name string) (to string, res int32)
	// names are those in a folder, in their order.
	names(name string) (all []string, res int32)
	// content is what a file has from its beginning on, whatever it was opened for.
	content(fd int32) (text string, res int32)
	// found reports whether a read that must not wait finds what was just read.
	found(fd int32) bool
}

// ground is what the cases of a run are given: drivers, on machines.
type ground struct {
	open    func(t *testing.T, m machine, cfg driver.Config) driver.Driver
	machine func(t *testing.T) machine // a new one for each harness
	entries int
	excused map[string]string // cases that are not run, by their names, and why
}

// opOn is an op on a descriptor, for call.
func opOn(code op.Code, n int32, fill func(o *op.Op)) *op.Op {
	o := &op.Op{Code: code, FD: new(fd.FD), Off: atPosition}
	o.FD.Init(n)
	if fill != nil {
		fill(o)
	}
	return o
}

// errOf is a negated errno as an error, nil for anything else.
func errOf(res int32) error {
	if res < 0 {
		return posix.Error(res)
	}
	return nil
}
