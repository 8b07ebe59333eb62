//go:build linux

package uring

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/uring"
)

func (w *world) nop() *call { return w.submit(w.op(op.Nop, nil)) }

func (w *world) timeout(d time.Duration) *call {
	c := w.op(op.Timeout, nil)
	w.slab.Ext(c.o).Time = uring.NewTimespec(d)
	c.due = w.soon(d)
	return w.submit(c)
}

// closeFD closes a descriptor that no op is on.
func (w *world) closeFD(f *fd.FD) {
	w.d.Forget(f)
	sys.Close(f.Take())
}

// file is a regular file of fileSize bytes, each its own place.
type file struct{ fd.FD }

const fileSize = 250

func (w *world) openFile() *file {
	if w.file != nil {
		return w.file
	}
	n, err := unix.MemfdCreate("script", unix.MFD_CLOEXEC)
	if err != nil {
		w.Fatal(err)
	}
	b := make([]byte, fileSize)
	for i := range b {
		b[i] = byte(i)
	}
	if _, err := unix.Write(n, b); err != nil {
		w.Fatal(err)
	}
	w.file = new(file)
	w.file.Init(int32(n))
	return w.file
}

// readFile reads at a place of the file.
func (w *world) readFile(n int, at int64) *call {
	c := w.op(op.Read, &w.openFile().FD)
	c.in = make([]byte, n)
	c.o.Buf, c.o.Off = c.in, at
	return w.submit(c)
}

func (w *world) accountFile(c *call, res int32) {
	if left := fileSize - int(c.o.Off); res < 0 || res == 0 && left > 0 && len(c.in) > 0 ||
		int(res) > min(len(c.in), max(left, 0)) {
		w.fail("%s of %d bytes at %d of %d completed with %d", c, len(c.in), c.o.Off, fileSize, res)
	}
	for i, b := range c.in[:res] {
		if b != byte(int(c.o.Off)+i) {
			w.fail("%s at %d: byte %d of %d is not the file's", c, c.o.Off, i, res)
		}
	}
}

// listener is a TCP socket that waits for peers, and the peers.
type listener struct {
	fd.FD
	addr     sys.Sockaddr
	dialed   int
	accepted int
	lossy    bool // an accept was cancelled that need not give what it got
	peers    []int
	dialing  []*fd.FD // descriptors of connect ops
}

func (w *world) listen() *listener {
	if w.listener != nil {
		return w.listener
	}
	l := new(listener)
	l.Init(sys.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0))
	l.addr.Set(netip.MustParseAddrPort("127.0.0.1:0"))
	if sys.Bind(l.Sys(), &l.addr) < 0 || sys.Listen(l.Sys(), 64) < 0 || sys.Getsockname(l.Sys(), &l.addr) < 0 {
		w.fail("no listener")
	}
	w.listener = l
	return l
}

// dial comes as a peer.
func (l *listener) dial() {
	n := sys.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	sys.SetLinger(n, true, 0)
	if res := sys.Connect(n, &l.addr); res == 0 || res == -sys.EINPROGRESS {
		l.dialed++
	}
	l.peers = append(l.peers, int(n))
}

func (w *world) accept(flags op.Flags) *call {
	c := w.op(op.Accept, &w.listen().FD)
	c.o.Flags = flags
	return w.submit(c)
}

// connect comes as a peer by an op.
func (w *world) connect() *call {
	l, f := w.listen(), new(fd.FD)
	f.Init(sys.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0))
	sys.SetLinger(f.Sys(), true, 0)
	l.dialing = append(l.dialing, f)
	c := w.op(op.Connect, f)
	w.slab.Ext(c.o).Addr = l.addr
	return w.submit(c)
}

// accountFD takes a descriptor that an op has brought.
func (w *world) accountFD(c *call, res int32, ours bool) {
	if res < 0 || ours && !w.closed && c.o.Flags&op.Keep == 0 && c.canceled {
		w.fail("%s (cancelled: %v) completed with %d", c, c.canceled, res)
	}
	sys.SetLinger(res, true, 0)
	sys.Close(res)
	if c.o.Code == op.Accept {
		w.listener.accepted++
	}
}

// finish counts the peers: each was accepted or is in the backlog.
func (l *listener) finish(w *world) {
	if l.Busy() {
		w.fail("the listener is held after Close")
	}
	left := 0
	for n := sys.Accept(l.Sys()); n >= 0; n = sys.Accept(l.Sys()) {
		sys.SetLinger(n, true, 0)
		sys.Close(n)
		left++
	}
	// Of connect ops that were cancelled the peer may have come or not.
	if came := l.accepted + left; !l.lossy && came < l.dialed || came > l.dialed+len(l.dialing) {
		w.fail("%d peers came, and %d by ops; %d were accepted, %d are left", l.dialed, len(l.dialing), l.accepted,
			left)
	}
	sys.Close(l.Sys())
	for _, n := range l.peers {
		unix.Close(n)
	}
	for _, f := range l.dialing {
		sys.Close(f.Sys())
	}
}
