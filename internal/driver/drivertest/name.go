//go:build linux

package drivertest

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"

	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// What sets a socket up and asks about it: rows with one face, which give the same
// submitted as tried.
var nameCases = []testCase{
	{name: "bind, listen and names, submitted", run: func(h *harness) { names(h, h.byWait) }},
	{name: "bind, listen and names, tried", run: func(h *harness) { names(h, h.byTry) }},
	{name: "duplicate, submitted", run: func(h *harness) { duplicate(h, h.byWait) }},
	{name: "duplicate, tried", run: func(h *harness) { duplicate(h, h.byTry) }},
	{name: "status flags, submitted", run: func(h *harness) { statusFlags(h, h.byWait) }},
	{name: "status flags, tried", run: func(h *harness) { statusFlags(h, h.byTry) }},
	{name: "options, submitted", run: func(h *harness) { options(h, h.byWait) }},
	{name: "options, tried", run: func(h *harness) { options(h, h.byTry) }},
	{name: "linger, submitted", run: func(h *harness) { linger(h, h.byWait) }},
	{name: "linger, tried", run: func(h *harness) { linger(h, h.byTry) }},
	{name: "what is in memory, submitted", run: func(h *harness) { resident(h, h.byWait) }},
	{name: "what is in memory, tried", run: func(h *harness) { resident(h, h.byTry) }},
}

// runs runs an op to its end; seen, if not nil, is shown it there.
type runs func(f *desc, o op.Op, seen func(o *op.Op)) int32

func (h *harness) byWait(f *desc, o op.Op, seen func(o *op.Op)) int32 {
	h.Helper()
	c := h.op(o.Code, f).args(o.Arg, o.Arg2)
	c.o.Off = o.Off
	if o.Ext != nil {
		h.slab.Ext(c.o).Addr = o.Ext.Addr
	}
	c.onEnd = func(o *op.Op, _ int32) {
		if seen != nil {
			seen(o)
		}
	}
	return c.submit().end()
}

func (h *harness) byTry(f *desc, o op.Op, seen func(o *op.Op)) int32 {
	h.Helper()
	o.FD = &f.FD
	res, ok := h.try(&o)
	if !ok {
		h.Fatalf("Try of %s would wait", o.Def().Name)
	}
	if seen != nil {
		seen(&o)
	}
	return res
}

func (h *harness) gave(what string, res, want int32) {
	h.Helper()
	if res != want {
		h.Fatalf("%s gave %s, want %s", what, show(res), show(want))
	}
}

// nameBy asks for one end's address.
func (h *harness) nameBy(run runs, f *desc, code op.Code) (ap netip.AddrPort) {
	h.Helper()
	res := run(f, op.Op{Code: code, Ext: new(op.Ext)}, func(o *op.Op) { ap = o.Ext.Addr.AddrPort() })
	h.gave(op.Table[code].Name, res, 0)
	return ap
}

func names(h *harness, run runs) {
	l := h.desc(h.tcpSocket())
	at := new(op.Ext)
	at.Addr.Set(netip.MustParseAddrPort("127.0.0.1:0"))
	h.gave("bind", run(l, op.Op{Code: op.Bind, Ext: at}, nil), 0)
	h.gave("bind again", run(l, op.Op{Code: op.Bind, Ext: at}, nil), -sys.EINVAL)
	h.gave("listen", run(l, op.Op{Code: op.Listen, Arg: 8}, nil), 0)
	addr := h.nameBy(run, l, op.SockName)
	if addr.Addr() != netip.MustParseAddr("127.0.0.1") || addr.Port() == 0 {
		h.Errorf("the listener is at %v", addr)
	}
	h.gave("getpeername of a listener", run(l, op.Op{Code: op.PeerName, Ext: new(op.Ext)}, nil), -int32(unix.ENOTCONN))

	var to sys.Sockaddr
	to.Set(addr)
	h.dial(&to)
	f := h.fdOf(h.accept(l).submit())
	if got := h.nameBy(run, f, op.SockName); got != addr {
		h.Errorf("the accepted socket is at %v, want %v", got, addr)
	}
	if got := h.nameBy(run, f, op.PeerName); got.Addr() != addr.Addr() || got.Port() == 0 || got == addr {
		h.Errorf("the peer is at %v", got)
	}
}

func options(h *harness, run runs) {
	f, _ := h.tcp()
	for _, value := range []int64{1, 0} {
		option := op.Op{Arg: unix.SOL_SOCKET, Arg2: unix.SO_KEEPALIVE, Off: value}
		option.Code = op.SetOption
		h.gave("setsockopt", run(f, option, nil), 0)
		option.Code, option.Off = op.GetOption, -1
		got := int64(-1)
		h.gave("getsockopt", run(f, option, func(o *op.Op) { got = o.Off }), 0)
		if got != value {
			h.Errorf("SO_KEEPALIVE is %d after it was set to %d", got, value)
		}
	}
	unknown := op.Op{Arg: unix.SOL_SOCKET, Arg2: 12345}
	for _, code := range []op.Code{op.SetOption, op.GetOption} {
		unknown.Code = code
		h.gave(op.Table[code].Name+" of no such option", run(f, unknown, nil), -int32(unix.ENOPROTOOPT))
	}
}

// duplicate: the file lives on in it, and children don't get it.
func duplicate(h *harness, run runs) {
	f, p := h.pair()
	n := run(f, op.Op{Code: op.Dup}, nil)
	if n < 0 {
		h.Fatalf("dup gave %s", show(n))
	}
	second := h.desc(int(n))
	h.closeOp(f).submit().want(0)
	h.send(second, []byte("still here")).submit().want(10)
	p.want("still here")
	h.loopFlags(second)
	number := &fd.FD{}
	number.Init(-1)
	if res, ok := h.try(&op.Op{Code: op.Dup, FD: number}); !ok || res != -int32(unix.EBADF) {
		h.Errorf("dup of no descriptor = %s, %v", show(res), ok)
	}
}

// statusFlags: they are read and set, for the file and not for the descriptor.
func statusFlags(h *harness, run runs) {
	f, _ := h.pair()
	second := h.desc(int(run(f, op.Op{Code: op.Dup}, nil)))
	for _, flags := range []int32{0, unix.O_NONBLOCK} {
		h.gave("fcntl(F_SETFL)", run(f, op.Op{Code: op.Fcntl, Arg: sys.FSetfl, Off: int64(flags)}, nil), 0)
		res := run(second, op.Op{Code: op.Fcntl, Arg: sys.FGetfl}, nil)
		if res < 0 || res&unix.O_NONBLOCK != flags {
			h.Errorf("fcntl(F_GETFL) gave %s after %#x was set", show(res), flags)
		}
	}
}

// linger: with a time of 0, close resets; without the option it ends in order.
func linger(h *harness, run runs) {
	for _, seconds := range []int64{0, -1} {
		f, p := h.tcp()
		h.gave("setsockopt(SO_LINGER)", run(f, op.Op{Code: op.SetLinger, Off: seconds}, nil), 0)
		h.closeOp(f).submit().want(0)
		var text string
		var err error
		h.untilPeer("what the close tells the peer", func() bool {
			text, err = p.read(1)
			return err != nil
		})
		if reset := errors.Is(err, unix.ECONNRESET); reset != (seconds == 0) || text != "" {
			h.Errorf("with a linger of %d s the peer reads %q, %v", seconds, text, err)
		}
	}
	closed := &fd.FD{}
	closed.Init(-1)
	if res, ok := h.try(&op.Op{Code: op.SetLinger, FD: closed}); !ok || res != -int32(unix.EBADF) {
		h.Errorf("linger of no descriptor = %s, %v", show(res), ok)
	}
}
