package drivertest

import (
	"errors"
	"io"

	"ringo/internal/fd"
	"ringo/internal/sys"
	"ringo/internal/test/linux"
)

// desc is a descriptor that ops run on, in non-blocking mode as all descriptors of a loop are. The harness closes it
// after the driver.
type desc struct {
	fd.FD
	h     *harness
	name  string // of a file that the harness made
	calls int    // ops that were built on it and have not ended
}

// release closes the descriptor unless an op has closed it.
func (f *desc) release() {
	if f.Sys() >= 0 {
		f.h.m.Close(f.Sys())
	}
}

// desc makes a desc of a descriptor, which the harness will close.
func (h *harness) desc(number int32) *desc {
	f := &desc{h: h}
	f.Init(number)
	h.descs = append(h.descs, f)
	return f
}

// closeDesc closes f, after it has told the driver to forget its registration. No op may be in flight on f.
func (h *harness) closeDesc(f *desc) {
	h.Helper()
	h.d.Forget(&f.FD)
	h.checkRes(h.m.Close(f.Take()))
}

// shutdown ends f's output, or its input.
func (h *harness) shutdown(f *desc, how int) {
	h.Helper()
	h.checkRes(h.m.Shutdown(f.Sys(), how))
}

// peer is the other end of something, which the case itself uses by plain calls that don't wait. Code beside the case
// that blocks uses its number n directly.
type peer struct {
	h *harness
	n int32
}

func (h *harness) peer(number int32) *peer {
	p := &peer{h: h, n: number}
	h.peers = append(h.peers, p)
	return p
}

// close closes the end, once.
func (p *peer) close() {
	if p.n >= 0 {
		p.h.m.Close(p.n)
		p.n = -1
	}
}

// reset closes a TCP end so that the other end sees a reset.
func (p *peer) reset() {
	p.h.Helper()
	p.h.checkRes(p.h.m.SetLinger(p.n, 0))
	p.close()
}

// shutdown ends the peer's output.
func (p *peer) shutdown() {
	p.h.Helper()
	p.h.checkRes(p.h.m.Shutdown(p.n, linux.SHUT_WR))
}

// write writes b, for which there must be room.
func (p *peer) write(b string) {
	p.h.Helper()
	if n := p.h.m.write(p.n, []byte(b)); int(n) != len(b) {
		p.h.Fatalf("drivertest: a peer's write of %d bytes gave %s", len(b), show(n))
	}
}

// read returns what is there now, up to max bytes, or io.EOF at the end.
func (p *peer) read(max int) (string, error) {
	b := make([]byte, max)
	n := p.h.m.read(p.n, b)
	switch {
	case n == -sys.EAGAIN:
		return "", nil
	case n < 0:
		return "", errOf(n)
	case n == 0 && max > 0:
		return "", io.EOF
	}
	return string(b[:n]), nil
}

// want drives the driver until the peer has read exactly this.
func (p *peer) want(text string) {
	p.h.Helper()
	got := ""
	p.h.untilPeer("the peer's data", func() bool {
		s, err := p.read(len(text) - len(got))
		if err != nil {
			p.h.Fatalf("a peer read %d bytes and then %v, want %d bytes", len(got), err, len(text))
		}
		got += s
		return len(got) == len(text)
	})
	if got != text {
		p.h.Fatalf("a peer read %s, want %s", abbreviate(got), abbreviate(text))
	}
}

// wantEnd drives the driver until the peer has read the end of its input, with no more data before it.
func (p *peer) wantEnd() {
	p.h.Helper()
	p.h.untilPeer("the end of the peer's input", func() bool {
		s, err := p.read(1)
		if s != "" || err != nil && !errors.Is(err, io.EOF) {
			p.h.Fatalf("a peer read %q and %v, want the end", s, err)
		}
		return err != nil
	})
}

// take reads exactly n bytes, which must be there already.
func (p *peer) take(n int) {
	p.h.Helper()
	for n > 0 {
		s, err := p.read(n)
		if s == "" {
			p.h.Fatalf("a peer finds nothing (%v), and wants %d bytes more", err, n)
		}
		n -= len(s)
	}
}

// drain reads all that is there now and returns its length. It does not drive the driver, but what an earlier Wait has
// started may still arrive during it.
func (p *peer) drain() (n int) {
	p.h.Helper()
	for {
		s, err := p.read(1 << 16)
		if n += len(s); s == "" || err != nil {
			return n
		}
	}
}

// fill writes until there is no more room and returns how many bytes it wrote.
func (p *peer) fill() (n int) {
	p.h.Helper()
	for {
		m := p.h.m.write(p.n, make([]byte, 1<<14))
		if m == -sys.EAGAIN {
			return n
		}
		p.h.checkRes(m)
		if n += int(m); n > fillMax {
			p.h.Fatalf("drivertest: %d bytes that nobody reads were taken, and there is room for more", n)
		}
	}
}

// fillMax is more than any queue has room for.
const fillMax = 256 << 20

// plain returns the driver's own end as a peer, for calls that bypass the driver.
func (f *desc) plain() *peer { return &peer{h: f.h, n: f.Sys()} }

func (h *harness) check(err error) {
	h.Helper()
	if err != nil {
		h.Fatalf("drivertest: %v", err)
	}
}

// pair makes a socketpair; the driver gets one end.
func (h *harness) pair() (*desc, *peer) {
	h.Helper()
	return h.messagePair(linux.SOCK_STREAM)
}

// listen makes a listening TCP socket.
func (h *harness) listen(backlog int) (*desc, *sys.Sockaddr) {
	h.Helper()
	var any, addr sys.Sockaddr
	any.Set(loopback)
	n := h.tcpSocket()
	h.checkRes(h.m.Bind(n, &any))
	h.checkRes(h.m.Listen(n, backlog))
	h.checkRes(h.m.Getsockname(n, &addr))
	return h.desc(n), &addr
}

func (h *harness) checkRes(res int32) {
	h.Helper()
	if res < 0 {
		h.Fatalf("drivertest: %s", show(res))
	}
}

// needDescriptors skips the case where RLIMIT_NOFILE leaves fewer than n descriptors, after 50 for the process itself.
func (h *harness) needDescriptors(n int) {
	h.Helper()
	if room := h.m.descriptors() - 50; room < n {
		h.Skipf("RLIMIT_NOFILE leaves %d descriptors, this needs %d", max(room, 0), n)
	}
}

// tcpSocket makes a TCP socket, which the caller has to close.
func (h *harness) tcpSocket() int32 {
	h.Helper()
	n := h.m.Socket(linux.AF_INET, linux.SOCK_STREAM, 0)
	h.checkRes(n)
	return n
}

// dial connects to a listener, whose backlog has room.
func (h *harness) dial(addr *sys.Sockaddr) *peer {
	h.Helper()
	p := h.peer(h.tcpSocket())
	if res := h.m.Connect(p.n, addr); res != 0 && res != -sys.EINPROGRESS {
		h.checkRes(res)
	}
	return p
}

// tcp makes a TCP connection; the driver gets one end.
func (h *harness) tcp() (*desc, *peer) {
	h.Helper()
	l, addr := h.listen(1)
	p := h.dial(addr)
	n := int32(-sys.EAGAIN)
	h.untilPeer("a connection", func() bool {
		n = h.m.accept(l.Sys())
		return n != -sys.EAGAIN
	})
	h.checkRes(n)
	l.release()
	l.Init(-1)
	return h.desc(n), p
}

// pipe makes a pipe and gives both its ends to the driver.
func (h *harness) pipe() (r, w *desc) {
	h.Helper()
	rn, wn, res := h.m.Pipe(0)
	h.checkRes(res)
	return h.desc(rn), h.desc(wn)
}

// eventfd makes an eventfd.
func (h *harness) eventfd() *desc {
	h.Helper()
	n := h.m.eventfd()
	h.checkRes(n)
	return h.desc(n)
}

// file makes a regular file with this content.
func (h *harness) file(content string) *desc {
	h.Helper()
	name := h.m.folder(h.T) + "/file"
	h.writeFile(name, content, 0o600)
	f := h.open(name, sys.ORdwr)
	f.name = name
	return f
}

// writeFile makes a regular file with a name.
func (h *harness) writeFile(name, content string, mode uint32) {
	h.Helper()
	n := h.m.open(name, sys.OWronly|sys.OCreat|sys.OExcl, mode)
	h.checkRes(n)
	defer h.m.Close(n)
	if res := h.m.write(n, []byte(content)); int(res) != len(content) {
		h.Fatalf("drivertest: a write of %d bytes to a new file gave %s", len(content), show(res))
	}
}

// open opens a file for the driver.
func (h *harness) open(name string, flags int) *desc {
	h.Helper()
	n := h.m.open(name, flags, 0)
	h.checkRes(n)
	return h.desc(n)
}

// abbreviate keeps messages about much data short.
func abbreviate(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}
