package drivertest

import (
	"ringo/internal/driver"
	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/test/linux"
)

// Try runs an op as a plain call at once: it never waits, and changes nothing in the driver.
var tryCases = []testCase{
	{name: "done", run: tryDone},
	{name: "would wait", run: tryWouldWait},
	{name: "refused", run: tryRefused},
	{name: "can't be tried", run: tryCannot},
	{name: "beside the same op in flight", run: tryBeside},
	{name: "from any goroutine", run: tryAnywhere},
}

// try calls Try with an op that is in no slab. Such an op never gets a completion.
func (h *harness) try(o *op.Op) (res int32, ok bool) {
	o.Sink = forbidden{h}
	if res, ok = h.d.Try(o); ok {
		h.cov.result(o.Code, res, false)
	}
	return res, ok
}

func (h *harness) wantTry(o *op.Op, want int32) {
	h.Helper()
	if res, ok := h.try(o); !ok || res != want {
		h.Errorf("Try of %s gave %s, %v; want %s, true", o.Def().Name, show(res), ok, show(want))
	}
}

func (h *harness) wantNoTry(o *op.Op) {
	h.Helper()
	if res, ok := h.try(o); ok {
		h.Errorf("Try of %s gave %s, true; want false", o.Def().Name, show(res))
	}
}

func tryDone(h *harness) {
	f, p := h.pair()
	p.write("hello")
	b := make([]byte, 8)
	h.wantTry(&op.Op{Code: op.Nop}, 0)
	h.wantTry(&op.Op{Code: op.Poll, FD: &f.FD, Events: sys.PollIn}, sys.PollIn)
	h.wantTry(&op.Op{Code: op.Recv, FD: &f.FD, Buf: b}, 5)
	if string(b[:5]) != "hello" {
		h.Errorf("got %q, want %q", b[:5], "hello")
	}
	h.wantTry(&op.Op{Code: op.Send, FD: &f.FD, Buf: []byte("world")}, 5)
	p.want("world")
	l, addr := h.listen(8)
	q := h.dial(addr)
	n, ok := h.try(&op.Op{Code: op.Accept, FD: &l.FD})
	if !ok || n < 0 {
		h.Fatalf("Try of accept gave %s, %v; want a descriptor", show(n), ok)
	}
	h.connected(h.desc(n), q)
	h.settle()
}

func tryWouldWait(h *harness) {
	f, _ := h.pair()
	h.wantNoTry(&op.Op{Code: op.Recv, FD: &f.FD, Buf: make([]byte, 8)})
	h.wantNoTry(&op.Op{Code: op.Poll, FD: &f.FD, Events: sys.PollIn})
	f.plain().fill()
	h.wantNoTry(&op.Op{Code: op.Send, FD: &f.FD, Buf: make([]byte, 8)})
	l, _ := h.listen(8)
	h.wantNoTry(&op.Op{Code: op.Accept, FD: &l.FD})
	r, w := h.pipe()
	h.wantNoTry(&op.Op{Code: op.Read, FD: &r.FD, Buf: make([]byte, 8), Off: atPosition})
	w.plain().fill()
	h.wantNoTry(&op.Op{Code: op.Write, FD: &w.FD, Buf: make([]byte, 8), Off: atPosition})
}

func tryRefused(h *harness) {
	f, p := h.pair()
	p.close()
	h.wantTry(&op.Op{Code: op.Send, FD: &f.FD, Buf: make([]byte, 8)}, -sys.EPIPE)
	h.wantTry(&op.Op{Code: op.Recv, FD: &f.FD, Buf: make([]byte, 8)}, 0)
	e := h.eventfd()
	h.wantTry(&op.Op{Code: op.Recv, FD: &e.FD, Buf: make([]byte, 8)}, -int32(linux.ENOTSOCK))
}

// An op that ends by the clock can't be done at once.
func tryCannot(h *harness) {
	h.wantNoTry(&op.Op{Code: op.Timeout, Ext: new(op.Ext)})
}

// A Try leaves an op that waits on the same descriptor alone: it neither completes it nor disturbs it.
func tryBeside(h *harness) {
	f, p := h.pair()
	b, q := make([]byte, 8), make([]byte, 8)
	for range 10 {
		c := h.recv(f, b).submit().wantPending()
		h.wantNoTry(&op.Op{Code: op.Recv, FD: &f.FD, Buf: q})
		h.wantTry(&op.Op{Code: op.Send, FD: &f.FD, Buf: []byte("out")}, 3)
		p.want("out")
		p.write("in")
		c.wantBytes(b, "in")
	}
}

func tryAnywhere(h *harness) {
	var users []func()
	for range 4 {
		f, p := h.pair()
		users = append(users, h.m.beside(func() {
			var mine fd.FD
			mine.Init(f.Sys())
			o, b := new(op.Op), make([]byte, 1)
			for range 50 {
				*o = op.Op{Code: op.Recv, FD: &mine, Buf: b}
				if res, ok := h.d.Try(o); ok {
					h.Errorf("Try of recv gave %s, true; want false", show(res))
				}
				h.m.write(p.n, b)
				*o = op.Op{Code: op.Recv, FD: &mine, Buf: b}
				if res, ok := h.d.Try(o); !ok || res != 1 {
					h.Errorf("Try of recv gave %s, %v; want 1", show(res), ok)
				}
				h.m.pass()
			}
			h.wake()
		}))
	}
	f, p := h.pair()
	b := make([]byte, 1)
	for range 50 {
		c := h.recv(f, b).submit()
		h.wait(driver.Poll)
		p.write("x")
		c.want(1)
	}
	for _, join := range users {
		join()
	}
}
