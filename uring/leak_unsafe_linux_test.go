//go:build linux

package uring

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/seam"
	"ringo/internal/sys"
)

// ledger is the real kernel with a book of what it has given. It can refuse one call of many.
type ledger struct {
	t      *testing.T
	maps   map[unsafe.Pointer]int
	fds    map[int]bool
	groups map[uint16]bool
	calls  int
	fail   int // the call to refuse, counted from 1; 0: none
}

func newLedger(t *testing.T, fail int) *ledger {
	return &ledger{t: t, maps: map[unsafe.Pointer]int{}, fds: map[int]bool{}, groups: map[uint16]bool{}, fail: fail}
}

// refuses counts a call that may fail.
func (l *ledger) refuses() bool {
	l.calls++
	return l.calls == l.fail
}

func (l *ledger) Setup(entries uint32, p *abi.Io_uring_params) (int, syscall.Errno) {
	if l.refuses() {
		return -1, syscall.EMFILE
	}
	fd, errno := sys.UringSetup(entries, p)
	if errno == 0 {
		l.fds[fd] = true
	}
	return fd, errno
}

func (l *ledger) Map(fd int, offset uint64, size int) (unsafe.Pointer, syscall.Errno) {
	if l.refuses() {
		return nil, syscall.ENOMEM
	}
	p, errno := sys.UringMap(fd, offset, size)
	if errno == 0 {
		l.maps[p] = size
	}
	return p, errno
}

func (l *ledger) Unmap(p unsafe.Pointer, size int) syscall.Errno {
	if l.maps[p] != size {
		l.t.Errorf("unmapped %p, %d bytes; mapped were %d", p, size, l.maps[p])
	}
	delete(l.maps, p)
	return sys.UringUnmap(p, size)
}

func (l *ledger) Enter(fd int, submit, wait, flags uint32, arg *abi.Io_uring_getevents_arg) syscall.Errno {
	return sys.UringEnter(fd, submit, wait, flags, arg)
}

func (l *ledger) Register(fd int, op uint32, arg unsafe.Pointer, n uint32) (int, syscall.Errno) {
	if op != abi.IORING_UNREGISTER_PBUF_RING && op != abi.IORING_UNREGISTER_RING_FDS && l.refuses() {
		return 0, syscall.EPERM
	}
	res, errno := sys.UringRegister(fd, op, arg, n)
	switch {
	case errno != 0:
	case op == abi.IORING_REGISTER_PBUF_RING:
		l.groups[(*abi.Io_uring_buf_reg)(arg).Bgid] = true
	case op == abi.IORING_UNREGISTER_PBUF_RING:
		delete(l.groups, (*abi.Io_uring_buf_reg)(arg).Bgid)
	}
	return res, errno
}

func (l *ledger) Close(fd int) syscall.Errno {
	if !l.fds[fd] {
		l.t.Errorf("closed %d, which is none of ours", fd)
	}
	delete(l.fds, fd)
	l.groups = map[uint16]bool{}
	return sys.UringClose(fd)
}

func (l *ledger) settled() {
	l.t.Helper()
	if len(l.maps)+len(l.fds)+len(l.groups) > 0 {
		l.t.Errorf("left: mappings %v, descriptors %v, groups %v", l.maps, l.fds, l.groups)
	}
}

// TestFailuresLeaveNothing refuses each call in turn on the way to a ring with a buffer ring, and none at last.
func TestFailuresLeaveNothing(t *testing.T) {
	need(t, CheckBufRing)
	for _, g := range geometries {
		t.Run(g.name, func(t *testing.T) {
			for fail := 1; ; fail++ {
				l := newLedger(t, fail)
				err := openAndClose(t, l, g)
				l.settled()
				if l.calls < fail {
					if err != nil {
						t.Error("nothing refused, yet", err)
					}
					return
				}
				var s *SetupError
				if err != nil && (!errors.As(err, &s) || s.Step == "") {
					t.Errorf("call %d refused: %v", fail, err)
				}
			}
		})
	}
}

func openAndClose(t *testing.T, l *ledger, g geometry) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cfg := g.cfg
	cfg.seam.Kernel = l
	r, err := Open(g.entries, &cfg)
	if err != nil {
		return err
	}
	defer r.Close()
	b, err := r.BufRing(1, 3, 5000)
	if err != nil {
		return err
	}
	want(t, do(t, r, (*SQE).PrepNop), 0)
	return b.Close()
}

// TestBufRingMemoryGoes: both the ring's and the buffers' pages are unmapped, whichever ring is closed first.
func TestBufRingMemoryGoes(t *testing.T) {
	need(t, CheckBufRing)
	for _, ringFirst := range []bool{false, true} {
		t.Run(fmt.Sprintf("ring first=%v", ringFirst), func(t *testing.T) {
			l := newLedger(t, 0)
			r := open(t, 2, &Config{seam: seam.Seam{Kernel: l}})
			b, err := r.BufRing(0, 16, 4096)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(l.maps); n < 4 {
				t.Fatalf("%d mappings in the book: %v", n, l.maps)
			}
			if ringFirst {
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
			for range 2 {
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			l.settled()
		})
	}
}
