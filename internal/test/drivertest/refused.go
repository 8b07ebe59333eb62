package drivertest

import (
	"ringo/internal/sys"
	"ringo/internal/test/linux"
)

// Ops that the kernel refuses. The error is a completion like any other, and the driver gives back what Submit took for
// the op: the slot and its hold on the descriptor.
var refusedCases = []testCase{
	{name: "no such descriptor", run: refusedEBADF},
	{name: "not a socket", run: refusedENOTSOCK},
	{name: "not a listener", run: refusedEINVAL},
	{name: "not connected", run: refusedENOTCONN},
	{name: "not open for it", run: refusedMode},
}

// badFD is a number that no descriptor has.
const badFD = 1 << 20

func refusedEBADF(h *harness) {
	f := h.desc(badFD)
	b := make([]byte, 8)
	for _, c := range []*call{
		h.accept(f), h.acceptMulti(f), h.recv(f, b), h.recvSelect(f), h.recvMulti(f), h.send(f, b), h.sendFull(f, b),
		h.sendmsg(f, b), h.recvmsg(f, b), h.poll(f, sys.PollIn),
		h.pollMulti(f, sys.PollIn), h.read(f, b, atPosition), h.write(f, b, atPosition), h.read(f, b, 0),
		h.connect(f, new(sys.Sockaddr)),
	} {
		c.submit().want(-sys.EBADF)
	}
	f.Init(-1)
}

func refusedENOTSOCK(h *harness) {
	f := h.eventfd()
	b := make([]byte, 8)
	for _, c := range []*call{
		h.accept(f), h.acceptMulti(f), h.recv(f, b), h.recvMulti(f), h.send(f, b), h.sendmsg(f, b), h.recvmsg(f, b),
	} {
		c.submit().want(-int32(linux.ENOTSOCK))
	}
}

func refusedEINVAL(h *harness) {
	f := h.desc(h.tcpSocket())
	h.accept(f).submit().want(-sys.EINVAL)
	h.acceptMulti(f).submit().want(-sys.EINVAL)
}

func refusedENOTCONN(h *harness) {
	f := h.desc(h.tcpSocket())
	h.recv(f, make([]byte, 8)).submit().want(-int32(linux.ENOTCONN))
}

func refusedMode(h *harness) {
	r, w := h.pipe()
	h.write(r, make([]byte, 8), atPosition).submit().want(-sys.EBADF)
	h.read(w, make([]byte, 8), atPosition).submit().want(-sys.EBADF)
}
