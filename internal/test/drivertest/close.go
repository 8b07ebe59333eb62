package drivertest

import (
	"sync/atomic"
	"time"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// Close ends everything and leaves nothing. In every case finish checks that each op has completed once, and that
// slots, descriptors and buffers are back.
var closeCases = []testCase{
	{name: "at once", run: func(h *harness) { h.close() }},
	{name: "twice", run: closeTwice},
	{name: "ops of all kinds", run: closeAllKinds},
	{name: "ops of all kinds, never waited for", run: closeUnwaited},
	{name: "ops past capacity", run: closePastCapacity},
	{name: "ops that wait their turn", run: closeTurns},
	{name: "cancels under way", run: closeCancels},
	{name: "completions that were not collected", run: closeUncollected},
	{name: "connections that were not collected", run: closeConnections},
	{name: "a file's ops", run: closeFileOps},
	{name: "peers that go on", run: closeUnderTraffic},
	{name: "a wake pending", run: func(h *harness) { h.wake(); h.close() }},
	{name: "many drivers, one after the other", run: closeMany},
}

func closeTwice(h *harness) {
	f, _ := h.pair()
	h.recv(f, make([]byte, 1)).submit()
	h.close()
	if err := h.d.Close(&h.done); err != nil || h.done.Len() != 0 {
		h.Errorf("the second Close gave %v and %d completions, want nothing", err, h.done.Len())
	}
	if err := h.d.Wait(driver.Poll, &h.done); err == nil {
		h.Error("Wait of a driver that is closed gave no error")
	}
}

// submitAll submits one op of each kind that waits.
func (h *harness) submitAll() {
	h.Helper()
	for _, k := range waitingKinds {
		c, _ := k.make(h)
		c.submit()
	}
}

func closeAllKinds(h *harness) {
	h.submitAll()
	h.settle()
	h.close()
}

func closeUnwaited(h *harness) {
	h.submitAll()
	h.nop().submit()
	h.closeKeeping()
}

// closeKeeping is close, and takes over the descriptors that ops still returned.
func (h *harness) closeKeeping() {
	h.Helper()
	var makers []*call
	for o, c := range h.live {
		if o.Def().FDResult {
			makers = append(makers, c)
		}
	}
	h.close()
	for _, c := range makers {
		for _, r := range c.results {
			if r.res >= 0 {
				h.desc(r.res)
			}
		}
	}
}

func closePastCapacity(h *harness) {
	f := h.eventfd()
	for range h.past() {
		h.poll(f, sys.PollIn).submit()
		h.timeout(time.Hour).submit()
	}
	h.close()
}

func closeTurns(h *harness) {
	f, _ := h.pair()
	f.plain().fill()
	for range 10 {
		h.recv(f, make([]byte, 1)).submit()
		h.sendFull(f, make([]byte, 1)).submit()
	}
	h.wait(driver.Poll)
	for range 10 {
		h.recvMulti(f).submit()
	}
	h.close()
}

func closeCancels(h *harness) {
	f := h.eventfd()
	var calls []*call
	for range h.past() {
		calls = append(calls, h.poll(f, sys.PollIn).submit())
	}
	h.settle()
	for _, c := range calls {
		c.cancel()
	}
	h.close()
}

// Either an op is reported as done, or it has not happened.
func closeUncollected(h *harness) {
	f, p := h.pair()
	single, q := h.pair()
	c, d := h.recv(single, make([]byte, 8)).submit(), h.recvMulti(f).submit()
	h.settle()
	p.write("multi")
	q.write("single")
	s := h.send(f, []byte("sent")).submit()
	h.close()
	if n := len(single.plain().mustRead()); n+int(max(c.end(), 0)) != 6 {
		h.Errorf("a receive of 6 bytes ended with %s and left %d", show(c.end()), n)
	}
	if n := len(f.plain().mustRead()); n+len(d.data) != 5 {
		h.Errorf("a receive of 5 bytes ended with %s and left %d", show(d.end()), n)
	}
	if n := len(p.mustRead()); n != int(max(s.end(), 0)) {
		h.Errorf("a send ended with %s, and %d bytes came", show(s.end()), n)
	}
}

// mustRead returns what the peer can read now.
func (p *peer) mustRead() string {
	p.h.Helper()
	s, err := p.read(100)
	p.h.check(err)
	return s
}

func closeConnections(h *harness) {
	l, addr := h.listen(64)
	single, saddr := h.listen(64)
	h.acceptMulti(l).submit()
	h.accept(single).submit()
	h.settle()
	for range 20 {
		h.dial(addr)
		h.dial(saddr)
	}
	h.closeKeeping()
}

func closeFileOps(h *harness) {
	f := h.file("content")
	for i := range 20 {
		h.read(f, make([]byte, 7), 0).submit()
		h.write(f, []byte("more"), int64(i)).submit()
		if i == 10 {
			h.wait(driver.Poll)
		}
	}
	h.close()
}

func closeUnderTraffic(h *harness) {
	for range scaled(10) {
		h.closeOneUnderTraffic()
	}
}

func (h *harness) closeOneUnderTraffic() {
	o := start(h.T, h.ground, testCase{}, h.cov)
	l, addr := o.listen(64)
	o.acceptMulti(l).submit()
	f, p := o.pair()
	o.recvMulti(f).submit()
	o.wait(driver.Poll)
	n := o.tcpSocket()
	var stop atomic.Bool
	join := o.m.beside(func() {
		o.m.Connect(n, addr)
		for !stop.Load() {
			o.m.write(p.n, make([]byte, 10))
			o.m.pass()
		}
	})
	o.aWhile()
	o.closeKeeping()
	stop.Store(true)
	join()
	o.m.Close(n)
}

// A driver leaves nothing behind that a later one could stumble over.
func closeMany(h *harness) {
	for range 20 {
		slab := op.NewSlab(0)
		d := h.another(driver.Config{Slab: slab, Entries: h.entries})
		o := slab.Get(op.Nop)
		d.Submit(o)
		var done driver.Queue
		if err := d.Wait(driver.Forever, &done); err != nil || done.Len() != 1 {
			h.Fatalf("Wait: %v, and %d completions; want 1", err, done.Len())
		}
		h.check(d.Close(&done))
	}
}
