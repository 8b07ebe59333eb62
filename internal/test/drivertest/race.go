package drivertest

import (
	"math/rand/v2"
	"time"

	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/test/linux"
)

// Cancels that race with events from another thread, at any moment. Whichever comes first, nothing may be lost, doubled
// or left open.
var raceCases = []testCase{
	{name: "recv and data", run: func(h *harness) {
		raceData(h, func(f *desc, b []byte) *call { return h.recv(f, b) })
	}},
	{name: "selecting recv and data", run: func(h *harness) {
		raceData(h, func(f *desc, _ []byte) *call { return h.recvSelect(f) })
	}},
	{name: "multishot recv and data", run: func(h *harness) {
		raceData(h, func(f *desc, _ []byte) *call { return h.recvMulti(f) })
	}},
	{name: "accept and a peer", run: func(h *harness) { raceAccept(h, (*harness).accept) }},
	{name: "multishot accept and peers", run: func(h *harness) { raceAccept(h, (*harness).acceptMulti) }},
	{name: "kept accept and a peer", run: raceKept},
	{name: "connect", run: raceConnect},
	{name: "full send and a reader", run: raceSend},
	{name: "timeout", run: raceTimeout},
	{name: "traffic orders memory", run: trafficOrders},
}

// aWhile spends a random time without sleeping, as short as the events it is to coincide with.
func (h *harness) aWhile() { h.m.spend(time.Duration(rand.IntN(30_000))) }

func raceData(h *harness, recv func(f *desc, b []byte) *call) {
	f, p := h.pair()
	b := make([]byte, 64)
	var got []byte
	sent := 0
	for range scaled(150) {
		text := pattern(14, sent, 1+rand.IntN(8))
		c := recv(f, b).submit()
		if rand.IntN(2) == 0 {
			h.settle()
		}
		join := h.m.beside(func() {
			h.aWhile()
			p.write(text)
		})
		h.aWhile()
		if !c.ended {
			c.cancel()
		}
		res := c.end()
		join()
		sent += len(text)
		switch {
		case c.data != nil:
			got = append(got, c.data...)
		case res > 0:
			got = append(got, b[:res]...)
		case res != -sys.ECANCELED:
			h.Fatalf("%s completed with %s", c, show(res))
		}
		for len(got) < sent {
			n := h.recv(f, b).submit().end()
			h.checkRes(n)
			got = append(got, b[:n]...)
		}
		if len(got) > sent {
			h.Fatalf("%d bytes came of %d", len(got), sent)
		}
	}
	if at := mismatch(got, 14, 0); at >= 0 {
		h.Errorf("byte %d of %d is not what was sent", at, sent)
	}
}

// The driver closes descriptors that come too late; finish counts them.
func raceAccept(h *harness, accept func(*harness, *desc) *call) {
	l, addr := h.listen(64)
	for range scaled(150) {
		c := accept(h, l).submit()
		if rand.IntN(2) == 0 {
			h.settle()
		}
		n := h.tcpSocket()
		join := h.m.beside(func() {
			h.aWhile()
			h.m.Connect(n, addr)
		})
		h.aWhile()
		c.cancel()
		c.wantEnd(-sys.ECANCELED)
		join()
		h.m.Close(n)
		for {
			late := h.m.accept(l.Sys())
			if late < 0 {
				break
			}
			h.m.Close(late)
		}
	}
}

// With op.Keep, descriptors that come too late are reported like all others.
func raceKept(h *harness) {
	l, addr := h.listen(64)
	for range scaled(100) {
		c := h.acceptMulti(l).with(op.Keep).submit()
		if rand.IntN(2) == 0 {
			h.settle()
		}
		p := h.peer(h.tcpSocket())
		h.checkRes(h.m.block(p.n))
		join := h.m.beside(func() {
			h.aWhile()
			h.m.Connect(p.n, addr)
		})
		h.aWhile()
		c.cancel().end()
		join()
		if n := h.peersOf(l, c, 1); n != 1 {
			h.Fatalf("a peer came, and %d were accepted or are in the backlog (the op ended with %s)", n, show(c.end()))
		}
	}
}

func raceConnect(h *harness) {
	l, addr := h.listen(64)
	for range scaled(100) {
		f := h.desc(h.tcpSocket())
		c := h.connect(f, addr).submit()
		if rand.IntN(2) == 0 {
			h.wait(h.now())
		}
		if !c.ended {
			c.cancel()
		}
		switch res := c.end(); res {
		case 0:
			var peer sys.Sockaddr
			if res := h.m.Getpeername(f.Sys(), &peer); res < 0 {
				h.Fatalf("a connect completed with 0, and the socket has no peer: %s", show(res))
			}
		case -sys.ECANCELED:
		default:
			h.Fatalf("%s completed with %s", c, show(res))
		}
		h.closeDesc(f)
		if n := h.m.accept(l.Sys()); n >= 0 {
			h.m.Close(n)
		}
	}
}

// The count that a cancelled full send returns is how many bytes its reader gets.
func raceSend(h *harness) {
	for i := range scaled(40) {
		f, p := h.pair()
		h.smallBuffers(f)
		const size = 40_000
		c := h.sendFull(f, []byte(pattern(i, 0, size))).submit()
		if rand.IntN(2) == 0 {
			h.settle()
		}
		if i%3 == 0 {
			p.shutdown()
		}
		h.checkRes(h.m.block(p.n))
		got := make([]byte, 0, size)
		join := h.m.beside(func() {
			b := make([]byte, 3000)
			for {
				n := h.m.awaitRead(p.n, b)
				if n <= 0 {
					return
				}
				got = append(got, b[:n]...)
				h.aWhile()
			}
		})
		h.aWhile()
		if !c.ended {
			c.cancel()
		}
		res := c.end()
		h.checkRes(h.m.Shutdown(f.Sys(), linux.SHUT_WR))
		join()
		if res != int32(len(got)) && !(res == -sys.ECANCELED && len(got) == 0) {
			h.Fatalf("%s completed with %s, and its reader got %d bytes", c, show(res), len(got))
		}
		if at := mismatch(got, i, 0); at >= 0 {
			h.Fatalf("byte %d of %d is not what was sent", at, len(got))
		}
	}
}

func raceTimeout(h *harness) {
	for range scaled(100) {
		c := h.timeout(time.Duration(rand.IntN(40)) * time.Microsecond).submit()
		h.wait(h.now())
		h.aWhile()
		if !c.ended {
			c.cancel()
		}
		if res := c.end(); res != -sys.ETIME && res != -sys.ECANCELED {
			h.Fatalf("%s completed with %s", c, show(res))
		}
	}
}

// What happened before a send happens before what follows its receive, whichever side the driver is on. The race
// detector checks it; package syscall gives it the same order for its calls.
func trafficOrders(h *harness) {
	f, p := h.pair()
	n := p.n
	h.checkRes(h.m.block(n))
	shared := 0
	failed := false
	join := h.m.beside(func() {
		b := make([]byte, 1)
		for range 50 {
			if h.m.awaitRead(n, b) != 1 {
				failed = true
				return
			}
			shared++
			if h.m.awaitWrite(n, b) != 1 {
				failed = true
				return
			}
		}
	})
	b := make([]byte, 1)
	for i := range 50 {
		shared++
		h.send(f, []byte{1}).submit().want(1)
		if i%2 == 0 {
			h.recv(f, b).submit().want(1)
		} else {
			c := h.recvMulti(f).submit()
			c.wantMore()
			c.wantCanceled()
		}
	}
	join()
	if shared != 100 || failed {
		h.Errorf("counted %d in turns, want 100", shared)
	}
}
