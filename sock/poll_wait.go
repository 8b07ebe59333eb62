package sock

import (
	"context"
	"net"

	"ringo/internal/handle"
	"ringo/internal/lane"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// transfer reads or writes once, and waits until that is possible. The caller has access.
func (p *Pollable) transfer(a handle.Access, code op.Code, b []byte) (int32, error) {
	dir := handle.In
	if code == op.Write {
		dir = handle.Out
	}
	if err := p.state(a, dir); err != nil {
		return 0, err
	}
	for ready := false; ; ready = true {
		if a.Own() && p.core.Closing() {
			return 0, net.ErrClosed
		}
		res, ok := p.attempt(a, code, b)
		if ok && res == -sys.EOPNOTSUPP { // every call on this file may wait
			if ok = ready; ready {
				res = p.offload(a, code, b)
				ok = res != -sys.EAGAIN
			}
		}
		switch {
		case ok && res < 0:
			return 0, posix.Error(res) // the op names the call
		case ok:
			return res, nil
		}
		var err error
		if dir == handle.Out {
			_, err = p.core.Room()
		} else {
			_, err = p.core.Ready(uint16(Readable))
		}
		if err != nil {
			return 0, err
		}
	}
}

// state returns the error for which a caller that has access must not go on.
func (p *Pollable) state(a handle.Access, dir handle.Dir) error {
	if a.Own() {
		return p.core.State(dir)
	}
	return a.Late()
}

// attempt reads or writes if that is possible without waiting.
func (p *Pollable) attempt(a handle.Access, code op.Code, b []byte) (res int32, ok bool) {
	var o *op.Op
	if a.Own() {
		o = call(p.l, code)
	} else {
		o = a.Op()
	}
	o.Code, o.FD, o.Buf, o.Off, o.Flags = code, p.core.FD(), b, -1, op.NowOnly
	res, ok = p.l.Ops().Try(o)
	o.Buf = nil
	return res, ok
}

// offload makes a call that may wait on a thread of its own. The descriptor stays open meanwhile.
func (p *Pollable) offload(a handle.Access, code op.Code, b []byte) int32 {
	if a.Own() {
		p.core.FD().Ref()
		defer p.unref()
	}
	o := &op.Op{Code: code, FD: p.core.FD(), Buf: b, Off: -1}
	res := int32(-sys.EAGAIN) // if run is not called: the state has the reason
	run := func(context.Context) error {
		res = loop.Call(o)
		return nil
	}
	if l, _ := loop.Current(); l != nil {
		l.OffloadIn(lane.StandIns, run)
	} else {
		run(nil)
	}
	return res
}

func (p *Pollable) unref() {
	p.core.FD().Unref()
	p.core.Settle()
}
