package drivertest

import (
	"math/rand/v2"

	"ringo/internal/driver"
	"ringo/internal/sys"
	"ringo/internal/test/linux"
)

// A great number of ops, bytes or connections at once.
var loadCases = []testCase{
	{name: "streams in both directions", run: streamsBothWays},
	{name: "five thousand descriptors", run: fiveThousand},
	{name: "connections come and go", run: comeAndGo},
}

// flow is one connection with random data both ways. The driver's side runs in the case, and the peer's side beside it.
type flow struct {
	h          *harness
	id         int
	f          *desc
	p          *peer
	recv, send *call
	got, sent  int
	size       int
	join       func()
	fault      string // what went wrong at the peer
}

func streamsBothWays(h *harness) {
	var flows []*flow
	for id := range 6 {
		w := &flow{h: h, id: id, size: scaled(200_000) + rand.IntN(1000)}
		if w.f, w.p = h.pair(); id%2 == 0 {
			w.f, w.p = h.tcp()
		}
		h.checkRes(h.m.block(w.p.n))
		w.join = h.m.beside(w.peer)
		flows = append(flows, w)
	}
	defer func() {
		for _, w := range flows {
			h.m.Shutdown(w.f.Sys(), linux.SHUT_RDWR)
			w.join()
		}
	}()
	h.until("the end of all streams", func() bool {
		through := true
		for _, w := range flows {
			through = w.pump() && through
		}
		return through
	})
	for _, w := range flows {
		if w.join(); w.fault != "" {
			h.Errorf("stream %d: the peer %s", w.id, w.fault)
		}
	}
}

// pump keeps the driver's side going and reports whether it has finished.
func (w *flow) pump() bool {
	w.pumpIn()
	w.pumpOut()
	return w.got == w.size && w.sent == w.size && w.send == nil
}

func (w *flow) pumpIn() {
	if r := w.recv; r != nil {
		if at := mismatch(r.data, w.id, w.got); at >= 0 {
			w.h.Fatalf("stream %d: byte %d is not what was sent", w.id, w.got+at)
		}
		w.got += len(r.data)
		r.data = r.data[:0]
		if !r.ended {
			return
		}
		w.h.resumed(r)
	}
	if w.recv = nil; w.got < w.size {
		w.recv = w.h.recvMulti(w.f).submit()
	}
}

func (w *flow) pumpOut() {
	if s := w.send; s != nil {
		if !s.ended {
			return
		}
		if s.end() <= 0 {
			w.h.Fatalf("stream %d: a send completed with %s", w.id, show(s.end()))
		}
	}
	if w.send = nil; w.sent < w.size {
		n := min(1+rand.IntN(30_000), w.size-w.sent)
		w.send = w.h.sendFull(w.f, []byte(pattern(w.id+100, w.sent, n))).submit()
		w.sent += n
	}
}

// peer sends and receives in random pieces, one after the other.
func (w *flow) peer() {
	b := make([]byte, 20_000)
	out, in := 0, 0
	for out < w.size || in < w.size {
		if n := min(1+rand.IntN(5000), w.size-out); n > 0 {
			fillPattern(b[:n], w.id, out)
			m := w.h.m.awaitWrite(w.p.n, b[:n])
			if m < 0 {
				w.fault = "could not write: " + show(m)
				return
			}
			out += int(m)
		}
		if in < w.size {
			m := w.h.m.awaitRead(w.p.n, b[:1+rand.IntN(len(b))])
			if m <= 0 {
				w.fault = "read no more"
				return
			}
			if mismatch(b[:m], w.id+100, in) >= 0 {
				w.fault = "read what was not sent"
				return
			}
			in += int(m)
		}
	}
}

// fiveThousand arms ops on so many descriptors at once, and ends them in every possible way.
func fiveThousand(h *harness) {
	pairs := 2500
	h.needDescriptors(500)
	if room := h.m.descriptors() - 500; room < 2*pairs {
		pairs = room / 2
	}
	var calls []*call
	var near, far []*desc
	for range pairs {
		a, b, res := h.m.Socketpair(linux.SOCK_STREAM)
		h.checkRes(res)
		near, far = append(near, h.desc(a)), append(far, h.desc(b))
		calls = append(calls, h.recv(near[len(near)-1], make([]byte, 4)).submit(),
			h.poll(far[len(far)-1], sys.PollIn).submit())
	}
	h.settle()
	for i := 0; i < pairs; i += 4 {
		far[i].plain().write("data")
		calls[2*i+3].cancel()
	}
	for i := 0; i < pairs; i += 4 {
		calls[2*i].want(4)
		calls[2*i+3].want(-sys.ECANCELED)
	}
	h.settle()
	h.close()
}

// Multishot accept while connections are closed, so that descriptor numbers are used again all the time.
func comeAndGo(h *harness) {
	l, addr := h.listen(64)
	c := h.acceptMulti(l).submit()
	b := make([]byte, 8)
	for i := range scaled(150) {
		p := h.dial(addr)
		var fds []*desc
		c, fds = h.accepted(l, c, 1)
		f := fds[0]
		r := h.recv(f, b).submit()
		h.wait(driver.Poll)
		if i%3 == 0 {
			p.reset()
		} else {
			p.write("x")
			p.close()
		}
		if res := r.end(); res < 0 && res != -int32(linux.ECONNRESET) {
			h.Fatalf("%s completed with %s", r, show(res))
		}
		h.closeDesc(f)
	}
}
