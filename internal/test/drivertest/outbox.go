package drivertest

import (
	"math/rand/v2"
	"slices"
	"time"

	"ringo/internal/driver"
	"ringo/internal/sys"
	"ringo/internal/test/linux"
)

// The outbox: sends that Wait makes before it sleeps.
var outboxCases = []testCase{
	{name: "before the sleep", run: outboxBeforeSleep},
	{name: "several descriptors", run: outboxSeveral},
	{name: "past capacity", run: outboxPast},
	{name: "whole ones do not end the wait", run: outboxSilent},
	{name: "a short one ends the wait", run: outboxShort},
	{name: "no room", run: outboxNoRoom},
	{name: "nobody is there", run: outboxNobody},
	{name: "a number that is closed", run: outboxClosed},
	{name: "with a wake", run: outboxWake},
	{name: "beside ops", run: outboxBeside},
	{name: "each byte once, in order", run: outboxOrder},
	{name: "memory is free after the wait", run: outboxMemory},
	{name: "counted", run: outboxCounted},
	{name: "of a driver that dies", run: outboxDeath},
	{name: "of a dead driver", run: outboxDead},
}

// leave puts a send into the outbox, with a result that a driver must overwrite.
func (h *harness) leave(f *desc, text string) {
	h.out.Sends = append(h.out.Sends, driver.Send{FD: f.Sys(), Res: 12345, Buf: []byte(text)})
}

// sent empties the outbox after a Wait and returns the results. It overwrites the bytes, which the driver must not use
// after the Wait.
func (h *harness) sent() (results []int32) {
	h.Helper()
	short := false
	for i := range h.out.Sends {
		s := &h.out.Sends[i]
		if results = append(results, s.Res); int(s.Res) > len(s.Buf) {
			h.Fatalf("a send of %d bytes gave %s", len(s.Buf), show(s.Res))
		}
		short = short || int(s.Res) != len(s.Buf)
		for j := range s.Buf {
			s.Buf[j] = '!' // so that a later send of these bytes is noticed
		}
	}
	if h.out.Short != short {
		h.Errorf("sends gave %v, and the outbox says that some have not sent all: %t", results, h.out.Short)
	}
	h.out.Reset()
	return results
}

// wantSent is sent, and checks the results.
func (h *harness) wantSent(want ...int32) {
	h.Helper()
	if got := h.sent(); !slices.Equal(got, want) {
		h.Fatalf("sends gave %v, want %v", got, want)
	}
}

func outboxBeforeSleep(h *harness) {
	f, p := h.pair()
	h.recv(f, make([]byte, 1)).submit().wantPending()
	h.leave(f, "hello")
	there := false
	join := h.m.beside(func() {
		there = h.m.awaitReady(p.n, sys.PollIn, waitMax/4) > 0
		h.wake()
	})
	h.wait(driver.Forever)
	join()
	if !there {
		h.Error("the peer got nothing as long as the Wait slept")
	}
	h.wantSent(5)
	p.want("hello")
}

func outboxSeveral(h *harness) {
	for _, deadline := range []int64{driver.Poll, 0, h.now() + int64(time.Millisecond)} {
		a, ap := h.pair()
		b, bp := h.tcp()
		c, cp := h.pair()
		h.leave(a, "one")
		h.leave(b, "three")
		h.leave(a, "")
		h.leave(c, pattern(1, 0, 5000))
		h.wait(deadline)
		h.wantSent(3, 5, 0, 5000)
		ap.want("one")
		bp.want("three")
		cp.want(pattern(1, 0, 5000))
		for _, p := range []*peer{ap, bp, cp} {
			if s, err := p.read(1); s != "" || err != nil {
				h.Errorf("a peer read %q and %v more", s, err)
			}
		}
	}
}

func outboxPast(h *harness) {
	n := min(h.past(), 150)
	h.needDescriptors(2 * n)
	gone := func(i int) bool { return i%7 == 3 }
	var near []*desc
	var far []*peer
	for i := range n {
		f, p := h.pair()
		if near, far = append(near, f), append(far, p); gone(i) {
			p.close()
		}
	}
	for range 2 {
		var want []int32
		for i, f := range near {
			h.leave(f, pattern(i, 0, 20+i))
			if want = append(want, int32(20+i)); gone(i) {
				want[i] = -sys.EPIPE
			}
		}
		h.nop().submit() // so that there is a completion, and the Wait returns
		h.wait(h.now() + int64(time.Hour))
		h.wantSent(want...)
		h.settle()
		for i, p := range far {
			if gone(i) {
				continue
			}
			p.want(pattern(i, 0, 20+i))
			if s, err := p.read(1); s != "" || err != nil {
				h.Errorf("peer %d read %q and %v more", i, s, err)
			}
		}
	}
}

// h.wait fails the case if one of these Waits ends before its deadline.
func outboxSilent(h *harness) {
	f, p := h.pair()
	g, q := h.tcp()
	h.recv(f, make([]byte, 1)).submit()
	h.settle()
	for range 10 {
		h.leave(f, "a")
		h.leave(g, "b")
		h.wait(h.now() + int64(time.Millisecond))
		h.wantSent(1, 1)
	}
	p.want("aaaaaaaaaa")
	q.want("bbbbbbbbbb")
}

func outboxShort(h *harness) {
	for _, deadline := range []int64{driver.Forever, h.now() + int64(time.Hour), driver.Poll} {
		f, p := h.pair()
		g, q := h.pair()
		h.smallBuffers(f)
		text := pattern(1, 0, 200_000)
		h.leave(f, text)
		h.leave(g, "whole")
		h.wait(deadline)
		res := h.sent()
		if res[0] <= 0 || int(res[0]) >= len(text) || res[1] != 5 {
			h.Fatalf("sends gave %v, want one that is short", res)
		}
		if n := p.drain(); n != int(res[0]) {
			h.Errorf("a send gave %d, and %d bytes came", res[0], n)
		}
		q.want("whole")
	}
}

func outboxNoRoom(h *harness) {
	f, p := h.pair()
	n := f.plain().fill()
	for _, deadline := range []int64{driver.Forever, driver.Poll} {
		h.leave(f, "more")
		h.wait(deadline)
		h.wantSent(-sys.EAGAIN)
	}
	if m := p.drain(); m != n {
		h.Errorf("%d bytes came, want %d", m, n)
	}
}

func outboxNobody(h *harness) {
	f, p := h.pair()
	p.close()
	h.leave(f, "hello")
	h.wait(driver.Forever)
	h.wantSent(-sys.EPIPE)
	g, q := h.tcp()
	q.reset()
	h.poll(g, sys.PollHup).submit().end() // until the reset has arrived
	h.leave(g, "hello")
	h.wait(driver.Forever)
	if res := h.sent(); res[0] != -int32(linux.ECONNRESET) && res[0] != -sys.EPIPE {
		h.Errorf("a send after a reset gave %s", show(res[0]))
	}
}

func outboxClosed(h *harness) {
	f, _ := h.pair()
	g, q := h.pair()
	h.closeDesc(f)
	h.out.Sends = append(h.out.Sends, driver.Send{FD: 1 << 20, Buf: []byte("nobody")})
	h.leave(f, "hello") // of number -1
	h.leave(g, "hello")
	h.wait(driver.Forever)
	h.wantSent(-sys.EBADF, -sys.EBADF, 5)
	q.want("hello")
}

func outboxWake(h *harness) {
	f, p := h.pair()
	for range 5 {
		h.leave(f, "hello")
		h.wake()
		h.wait(driver.Forever)
		h.wantSent(5)
		p.want("hello")
	}
}

// Ops of several kinds are under way, and more are queued than the ring has room for.
func outboxBeside(h *harness) {
	f, p := h.pair()
	b := make([]byte, 8)
	recv := h.recv(f, b).submit()
	l, addr := h.listen(4)
	accept := h.accept(l).submit()
	h.wait(driver.Poll)
	g, q := h.pair()
	gone := h.recv(g, make([]byte, 1)).submit()
	h.wait(driver.Poll)
	gone.cancel()
	var nops []*call
	for range h.past() {
		nops = append(nops, h.nop().submit())
	}
	h.leave(f, "answer")
	h.leave(g, "another")
	h.wait(h.now() + int64(time.Hour))
	h.wantSent(6, 7)
	p.write("request")
	recv.wantBytes(b, "request")
	dialled := h.dial(addr)
	h.connected(h.fdOf(accept), dialled)
	gone.want(-sys.ECANCELED)
	h.untilEnded(nops...)
	p.want("answer")
	q.want("another")
}

// What a short send left over is sent again, from where it stopped.
func outboxOrder(h *harness) {
	const streams = 4
	var near [streams]*desc
	var far [streams]*peer
	var out, in [streams]int
	for i := range near {
		if near[i], far[i] = h.pair(); i%2 == 0 {
			near[i], far[i] = h.tcp()
		}
		h.smallBuffers(near[i])
	}
	size := scaled(300_000)
	for done := false; !done; {
		var at []int
		for i := range near {
			if n := min(1+rand.IntN(9000), size-out[i]); n > 0 {
				h.leave(near[i], pattern(i, out[i], n))
				at = append(at, i)
			}
		}
		h.wait(h.now() + int64(50*time.Microsecond))
		for j, res := range h.sent() {
			if res > 0 {
				out[at[j]] += int(res)
			} else if res != -sys.EAGAIN {
				h.Fatalf("stream %d: a send gave %s", at[j], show(res))
			}
		}
		done = true
		for i, p := range far {
			s, err := p.read(1 + rand.IntN(8000))
			if h.check(err); mismatch([]byte(s), i, in[i]) >= 0 {
				h.Fatalf("stream %d: after %d bytes the peer read what was not sent next", i, in[i])
			}
			in[i] += len(s)
			done = done && in[i] == size
		}
	}
}

func outboxMemory(h *harness) {
	f, p := h.pair()
	b := make([]byte, 1000)
	for i := range 20 {
		fillPattern(b, 1, i*len(b))
		h.out.Sends = append(h.out.Sends, driver.Send{FD: f.Sys(), Buf: b})
		h.wait(driver.Poll)
		h.wantSent(int32(len(b)))
	}
	h.settle()
	p.want(pattern(1, 0, 20*len(b)))
}

func outboxCounted(h *harness) {
	f, _ := h.pair()
	g, q := h.pair()
	q.close()
	before := h.d.Info().Stats
	h.leave(f, "x")
	h.leave(f, "")
	h.leave(g, "x")
	h.wait(driver.Forever)
	h.wantSent(1, 0, -sys.EPIPE)
	after := h.d.Info().Stats
	if after.Sends-before.Sends != 2 || after.ShortSends-before.ShortSends != 1 {
		h.Errorf("%d sends are counted, %d of them short; want 2 and 1", after.Sends-before.Sends,
			after.ShortSends-before.ShortSends)
	}
}

// The driver dies in the Wait that makes the sends.
func outboxDeath(h *harness) {
	f, p := h.pair()
	g, q := h.pair()
	h.recv(f, make([]byte, 1)).submit()
	h.settle()
	h.death.Store(&errDeath)
	h.leave(f, "hello")
	h.leave(g, "there")
	h.waitDead()
	h.wantSent(5, 5)
	h.wantOnce(p, "hello")
	h.wantOnce(q, "there")
}

// A dead driver still makes the sends: tasks that are ending still answer their peers.
func outboxDead(h *harness) {
	f, p := h.pair()
	h.die()
	for range 3 {
		h.leave(f, "hello")
		h.waitDead()
		h.wantSent(5)
		h.waitDead()
		h.wantOnce(p, "hello")
	}
}

// wantOnce checks that the peer can read exactly text. It is want without a driver to wait with.
func (h *harness) wantOnce(p *peer, text string) {
	h.Helper()
	if got, err := p.read(len(text) + 1); got != text || err != nil {
		h.Errorf("a peer read %q and %v, want %q", got, err, text)
	}
}

// allocOutbox is a case of allocCases.
func allocOutbox(h *harness) {
	f, p := h.pair()
	g, _ := h.pair()
	g.plain().fill()
	mem, b := make([]byte, 64), make([]byte, 64)
	h.wantNoAllocs(func() {
		h.out.Sends = append(h.out.Sends, driver.Send{FD: f.Sys(), Buf: mem}, driver.Send{FD: g.Sys(), Buf: mem})
		if err := h.d.Wait(driver.Forever, &h.done); err != nil {
			h.Fatal(err)
		}
		if s := h.out.Sends; s[0].Res != 64 || s[1].Res != -sys.EAGAIN {
			h.Fatalf("sends gave %d and %s", s[0].Res, show(s[1].Res))
		}
		h.out.Reset()
		h.m.read(p.n, b)
	})
}
