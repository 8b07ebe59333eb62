//go:build linux

package socktest

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/file"
	"ringo/internal/test/patience"
)

// place is where cells run: on the system's kernel, with peers of packages net and os, or in a simulated world, where
// only tasks act. Its methods are for the runner of a cell: the test's goroutine, or in a world a task.
type place interface {
	latch() latch
	guard() guard
	// begin runs f beside the cell. f may use what belongs to loop l and counts as none of the cell's callers; with a
	// nil l it may use what belongs to the peer.
	begin(l *ringo.Loop, f func())
	// pass lets d pass.
	pass(d time.Duration)
	now() time.Time
	// stand keeps a loop from running until the given time. It calls f as soon as the loop stands still, and then
	// meanwhile, if not nil.
	stand(r *run, until time.Time, f func() error, meanwhile func()) error
	// another returns a kind of caller that takes its turn separately from k: a task of the loop, or a goroutine.
	another(k *caller) *caller
	// closes reports whether a handle whose loop has ended can be closed once more.
	closes() bool

	// connect makes two connected ends. full fills the direction towards the peer; loose leaves datagram sockets
	// unconnected.
	connect(w *runs, n *network, full, loose bool) (*ends, error)
	// listens returns an address for a listener of the network.
	listens(n *network) string
	// dial connects to a listener, as a peer.
	dial(network, address string) (io.Closer, error)
	// source makes a file with size bytes of the stream, positioned at at.
	source(w *runs, at, size int) (source, error)

	// newPipe makes a pipe with little room. The end to write, or else the end to read, is a file.File.
	newPipe(writes bool) (*pipeEnds, error)
	// disk returns the place's files; folder makes a directory for one test.
	disk() disk
	folder(t *testing.T) string
}

// pipeEnds are the two ends of a pipe. in is how many bytes of the stream were written until it was full, if ours is
// the end to write.
type pipeEnds struct {
	ours  *file.File
	other otherEnd
	in    int
}

// otherEnd is the end that the runner of the cell uses.
type otherEnd interface {
	io.ReadWriteCloser
	SetDeadline(t time.Time) error
}

// disk reads and writes whole files, for the runner of a cell.
type disk struct {
	read  func(name string) ([]byte, error)
	write func(name string, data []byte, perm fs.FileMode) error
}

// source is a file to send. The runner of the cell closes it.
type source interface {
	io.ReaderAt
	io.ReadSeekCloser
	syscall.Conn
}

// awaited is something that happens once. await waits for it, with a time limit.
type awaited interface{ await() error }

// latch is opened once, by any caller.
type latch interface {
	awaited
	open()
}

// guard is a lock with a condition variable.
type guard interface {
	sync.Locker
	Wait()
	Broadcast()
}

// system is the place on the system's kernel, where goroutines act.
type system struct{}

// channel is a latch for goroutines.
type channel chan struct{}

func (c channel) open() { close(c) }

func (c channel) await() error {
	_, err := patience.Receive(c)
	return err
}

func (system) latch() latch                  { return make(channel) }
func (system) begin(_ *ringo.Loop, f func()) { go f() }
func (system) pass(d time.Duration)          { time.Sleep(d) }
func (system) now() time.Time                { return time.Now() }
func (system) closes() bool                  { return true }

// monitor is a guard for goroutines.
type monitor struct {
	sync.Mutex
	sync.Cond
}

func (system) guard() guard {
	c := new(monitor)
	c.L = &c.Mutex
	return c
}

func (system) another(k *caller) *caller {
	if k.own {
		return callers[3]
	}
	return callers[0]
}

func (system) stand(r *run, until time.Time, f func() error, meanwhile func()) error {
	held, release := make(chan struct{}), make(chan struct{})
	if err := r.l.Post(func() { close(held); <-release }); err != nil {
		return err
	}
	<-held
	defer close(release)
	err := f()
	if meanwhile != nil {
		meanwhile()
	}
	time.Sleep(time.Until(until))
	return err
}

func (system) listens(n *network) string {
	if n.name == "tcp" {
		return "127.0.0.1:0"
	}
	return abstractName()
}

func (system) dial(network, address string) (io.Closer, error) {
	return net.DialTimeout(network, address, patience.Max)
}

func (system) source(_ *runs, at, size int) (source, error) {
	f, err := os.CreateTemp("", "socktest")
	if err != nil {
		return nil, err
	}
	os.Remove(f.Name())
	if err = fillFile(f, at, size); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// fillFile writes the first size bytes of the stream into a file, and seeks to at.
func fillFile(f io.WriteSeeker, at, size int) error {
	_, err := f.Write(stream(0, size))
	if err == nil {
		_, err = f.Seek(int64(at), io.SeekStart)
	}
	return err
}

func (system) disk() disk                 { return disk{os.ReadFile, os.WriteFile} }
func (system) folder(t *testing.T) string { return t.TempDir() }

func (system) newPipe(writes bool) (*pipeEnds, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p, mine, other := new(pipeEnds), r, w
	if writes {
		mine, other = w, r
	}
	p.other = other
	raw, err := w.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 4096)
			for size := 4096; writes && size > 0; {
				if n, err := unix.Write(int(fd), stream(p.in, size)); err == nil {
					p.in += n
				} else {
					size /= 2
				}
			}
		})
	}
	if err == nil {
		p.ours, err = file.Adopt(mine)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close(), w.Close())
	}
	return p, other.SetDeadline(patience.Deadline())
}
