package drivertest

import (
	"ringo/internal/sys"
	"ringo/internal/test/linux"
)

// Ops that connect sockets, and the end of sockets.
var socketCases = []testCase{
	{name: "accept", run: acceptOne},
	{name: "accept before the peer comes", run: acceptEarly},
	{name: "accept takes a backlog one by one", run: acceptBacklog},
	{name: "accept without descriptors", run: acceptEMFILE},
	{name: "connect", run: connectOne},
	{name: "connect refused", run: connectRefused},
	{name: "shutdown sends the end", run: shutdownEnds},
	{name: "shutdown ends a receive", run: shutdownRecv},
	{name: "close", run: closeOne},
	{name: "close ends the peer's input", run: closeEnds},
}

// connected checks a descriptor that an op made, and that it is p's other end.
func (h *harness) connected(f *desc, p *peer) {
	h.Helper()
	p.write("hello")
	h.recv(f, make([]byte, 8)).submit().want(5)
	h.loopFlags(f)
}

// loopFlags checks that a descriptor made by an op is non-blocking and not inherited, as a loop needs it.
func (h *harness) loopFlags(f *desc) {
	h.Helper()
	status := h.m.Getfl(f.Sys())
	h.checkRes(status)
	if inherited := h.m.inherited(f.Sys()); status&sys.ONonblock == 0 || inherited {
		h.Errorf("descriptor with status %#x, inherited %t, want non-blocking and CLOEXEC", status, inherited)
	}
}

// fdOf waits for a call's result, which must be a descriptor.
func (h *harness) fdOf(c *call) *desc {
	h.Helper()
	res := c.end()
	if res < 0 {
		h.Fatalf("%s completed with %s, want a descriptor", c, show(res))
	}
	return h.desc(res)
}

func acceptOne(h *harness) {
	l, addr := h.listen(8)
	p := h.dial(addr)
	h.connected(h.fdOf(h.accept(l).submit()), p)
}

func acceptEarly(h *harness) {
	l, addr := h.listen(8)
	c := h.accept(l).submit().wantPending()
	p := h.dial(addr)
	h.connected(h.fdOf(c), p)
}

// After the first connection there is no new readiness, although more connections are there.
func acceptBacklog(h *harness) {
	l, addr := h.listen(8)
	c := h.accept(l).submit().wantPending()
	peers := []*peer{h.dial(addr), h.dial(addr), h.dial(addr)}
	for _, p := range peers {
		h.connected(h.fdOf(c), p)
		c = h.accept(l).submit()
	}
	c.wantPending()
}

// A connection that found no descriptor stays in the backlog.
func acceptEMFILE(h *harness) {
	l, addr := h.listen(8)
	p := h.dial(addr)
	restore := h.noMoreFDs()
	defer restore()
	h.accept(l).submit().want(-sys.EMFILE)
	restore()
	h.connected(h.fdOf(h.accept(l).submit()), p)
}

// noMoreFDs makes the machine run out of descriptors until restore is called.
func (h *harness) noMoreFDs() (restore func()) {
	h.Helper()
	restore, res := h.m.exhaust()
	h.checkRes(res)
	return restore
}

func connectOne(h *harness) {
	l, addr := h.listen(8)
	f := h.desc(h.tcpSocket())
	h.connect(f, addr).submit().want(0)
	n := h.m.accept(l.Sys())
	h.checkRes(n)
	h.connected(f, h.peer(n))
}

func connectRefused(h *harness) {
	l, addr := h.listen(1)
	l.release()
	l.Init(-1)
	h.connect(h.desc(h.tcpSocket()), addr).submit().want(-int32(linux.ECONNREFUSED))
}

func shutdownEnds(h *harness) {
	f, p := h.tcp()
	h.shutdown(f, linux.SHUT_WR)
	p.wantEnd()
	h.send(f, []byte("late")).submit().want(-sys.EPIPE)
	p.write("still")
	h.recv(f, make([]byte, 8)).submit().want(5)
}

func shutdownRecv(h *harness) {
	f, _ := h.tcp()
	r := h.recv(f, make([]byte, 8)).submit().wantPending()
	h.shutdown(f, linux.SHUT_RD)
	r.want(0)
}

func closeOne(h *harness) {
	f := h.eventfd()
	number := f.Sys()
	h.closeDesc(f)
	if res := h.m.Getfl(number); res != -sys.EBADF {
		h.Errorf("the number is still open: %s", show(res))
	}
}

// Whatever ops there were before, a close reaches the peer.
func closeEnds(h *harness) {
	f, p := h.tcp()
	p.write("data")
	h.recv(f, make([]byte, 4)).submit().want(4)
	h.recv(f, make([]byte, 4)).submit().wantPending().wantCanceled()
	h.closeDesc(f)
	p.wantEnd()
}
