package sock

import (
	"context"
	"slices"

	"ringo/internal/driver"
	"ringo/internal/handle"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
	"ringo/internal/timer"
)

// transfer reads or writes once, and waits until that can be done. The caller has the
// turn.
func (p *Pollable) transfer(a handle.Access, code op.Code, b []byte) (int32, error) {
	dir, interest := handle.In, Readable
	if code == op.Write {
		dir, interest = handle.Out, Writable
	}
	for ready := false; ; ready = true {
		if err := p.state(p.core.Limit(dir)); err != nil {
			return 0, err
		}
		res, ok := p.attempt(a, code, b)
		if ok && res == -sys.EOPNOTSUPP { // each call of this file's may wait
			if ok = ready; ready {
				res = p.offload(a, code, b)
				ok = res != -sys.EAGAIN
			}
		}
		switch {
		case ok && res < 0:
			return 0, posix.Error(res) // the call is of the op's name
		case ok:
			return res, nil
		}
		if _, err := p.await(interest); err != nil {
			return 0, err
		}
	}
}

// attempt reads or writes if that need not wait.
func (p *Pollable) attempt(a handle.Access, code op.Code, b []byte) (res int32, ok bool) {
	var o *op.Op
	if a.Own() {
		o = call(p.l, code)
	} else {
		o = a.Op()
	}
	o.Code, o.FD, o.Buf, o.Off, o.Flags = code, p.core.FD(), b, -1, op.NowOnly
	res, ok = p.l.Try(o)
	o.Buf = nil
	return res, ok
}

// offload makes a call that may wait on a thread of its own. The descriptor stays open
// meanwhile.
func (p *Pollable) offload(a handle.Access, code op.Code, b []byte) int32 {
	if a.Own() {
		p.core.FD().Ref()
		defer p.unref()
	}
	o := &op.Op{Code: code, FD: p.core.FD(), Buf: b, Off: -1}
	res := int32(-sys.EAGAIN) // if it is not run: the state says why
	run := func(context.Context) error {
		res = driver.Call(o)
		return nil
	}
	if l, _ := loop.Current(); l != nil {
		l.Offload(run)
	} else {
		run(nil)
	}
	return res
}

func (p *Pollable) unref() {
	p.core.FD().Unref()
	p.core.Settle()
}

// pollWait is a caller that waits for readiness, by a poll of the loop. It may leave before
// the poll has ended, which has nothing of its.
type pollWait struct {
	p        *Pollable
	parker   loop.Parker
	interest Interest
	res      int32 // what the caller is told
	op       *op.Op
	t        timer.Timer
}

// await waits until the descriptor is ready, and returns for what; 0 if the deadline was
// moved just then.
func (p *Pollable) await(interest Interest) (int32, error) {
	w := &pollWait{p: p, interest: interest}
	if err := p.state(w.limit()); err != nil {
		return 0, err
	}
	w.parker.Begin(loop.Current())
	if !p.onLoop(w.begin) {
		return 0, errEnded
	}
	if _, ok := w.parker.Park(); !ok {
		p.onLoop(w.abort)
		w.res = -sys.ECANCELED
	}
	if w.res >= 0 {
		return w.res, nil
	}
	if err := p.state(w.limit()); err != nil || w.res == -sys.ECANCELED {
		return 0, err
	}
	return 0, callError("poll", w.res)
}

// begin submits the poll. This and the following is the loop thread's.
func (w *pollWait) begin() {
	p := w.p
	if p.core.Closing() {
		w.tell(-sys.ECANCELED)
		return
	}
	o := p.l.NewOp(op.Poll)
	if o == nil {
		w.tell(-sys.ENOBUFS)
		return
	}
	o.FD, o.Events, o.Sink = p.core.FD(), uint16(w.interest), w
	w.op, w.t.Owner = o, w
	p.waits = append(p.waits, w)
	w.follow()
	p.l.Submit(o)
}

// Complete is told of the poll's end.
func (w *pollWait) Complete(o *op.Op, res int32, _ uint32) {
	p := w.p
	w.op = nil
	p.l.FreeOp(o)
	p.l.RemoveTimer(&w.t)
	p.waits = slices.DeleteFunc(p.waits, func(o *pollWait) bool { return o == w })
	w.tell(res)
	p.core.Settle()
}

// tell lets the caller go, unless it has left.
func (w *pollWait) tell(res int32) {
	if w.parker.Claim(0) {
		w.res = res
		w.parker.Wake()
	}
}

// limit is the first deadline of the directions that are waited for.
func (w *pollWait) limit() int64 {
	in, out := w.p.core.Limit(handle.In), w.p.core.Limit(handle.Out)
	if w.interest&(Readable|Urgent) == 0 {
		in = 0
	}
	if w.interest&Writable == 0 {
		out = 0
	}
	if in == 0 || out != 0 && out < in {
		return out
	}
	return in
}

// follow has the timers of all waits follow the deadlines, which may have been set.
func (p *Pollable) follow() {
	for _, w := range p.waits {
		w.follow()
	}
}

func (w *pollWait) follow() {
	if limit := w.limit(); limit != 0 {
		w.p.l.Arm(&w.t, limit)
	} else {
		w.p.l.Disarm(&w.t)
	}
}

// Fire ends the wait: a deadline has passed.
func (w *pollWait) Fire(*timer.Timer) { w.abort() }

func (w *pollWait) abort() {
	if w.op != nil && !w.op.Canceled {
		w.p.l.Cancel(w.op)
	}
}

// pollOwner is a Pollable as the owner of its core. Nothing of it is handed over, or rests.
type pollOwner struct {
	handle.NoOwner
	p *Pollable
}

// Closing ends the waits. Nobody waits for the polls' ends, which a driver that has died may owe.
func (o *pollOwner) Closing() {
	for _, w := range o.p.waits {
		w.abort()
		w.tell(-sys.ECANCELED)
	}
}
