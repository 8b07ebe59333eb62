package sock

import (
	"context"
	"slices"

	"ringo/internal/driver"
	"ringo/internal/handle"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
	"ringo/internal/timer"
)

// transfer reads or writes once, and waits until that can be done. The caller has the
// turn.
func (p *Pollable) transfer(name string, code op.Code, dir handle.Dir, b []byte) (int32, error) {
	interest := Readable
	if code == op.Write {
		interest = Writable
	}
	ready := false
	for {
		if err := p.state(name, p.core.Limit(dir)); err != nil {
			return 0, err
		}
		o := call(p.l, code)
		o.FD, o.Buf, o.Off, o.Arg = p.core.FD(), b, -1, op.NowOnly
		res, ok := p.l.Try(o)
		o.Buf = nil
		if ok && res == -sys.EOPNOTSUPP { // each call of this file's may wait
			if ok = ready; ready {
				res = p.offload(code, b)
				ok = res != -sys.EAGAIN
			}
		}
		switch {
		case ok && res < 0:
			return 0, p.fail(name, posix.Error(res)) // the call is of the op's name
		case ok:
			return res, nil
		}
		if _, err := p.await(name, interest); err != nil {
			return 0, err
		}
		ready = true
	}
}

// offload makes a call that may wait on a thread of its own. The descriptor stays open
// meanwhile.
func (p *Pollable) offload(code op.Code, b []byte) int32 {
	p.core.FD().Ref()
	defer p.unref()
	o := &op.Op{Code: code, FD: p.core.FD(), Buf: b, Off: -1}
	res := int32(-sys.EAGAIN) // if it is not run: the state says why
	p.l.Offload(func(context.Context) error {
		res = driver.Call(o)
		return nil
	})
	return res
}

func (p *Pollable) unref() {
	p.core.FD().Unref()
	p.core.Settle()
}

// pollWait is a task that waits for readiness.
type pollWait struct {
	p        *Pollable
	op       *op.Op
	interest Interest
	t        timer.Timer
}

// await parks until the descriptor is ready, and gives what for; 0 if the deadline was
// moved just then.
func (p *Pollable) await(name string, interest Interest) (int32, error) {
	w := &pollWait{p: p, interest: interest}
	if err := p.state(name, w.limit()); err != nil {
		return 0, err
	}
	o := p.l.NewOp(op.Poll)
	if o == nil {
		return 0, p.fail(name, callError("poll", -sys.ENOBUFS))
	}
	o.FD, o.Arg = p.core.FD(), uint32(interest)
	w.op, w.t.Owner = o, w
	p.waits = append(p.waits, w)
	w.limited()
	res := p.l.Do(o)
	p.l.FreeOp(o)
	p.l.RemoveTimer(&w.t)
	p.waits = slices.DeleteFunc(p.waits, func(o *pollWait) bool { return o == w })
	p.core.Settle()
	if res >= 0 {
		return res, nil
	}
	if err := p.state(name, w.limit()); err != nil || res == -sys.ECANCELED {
		return 0, err
	}
	return 0, p.fail(name, callError("poll", res))
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

// limited is told that deadlines may have been set.
func (w *pollWait) limited() {
	if limit := w.limit(); limit != 0 {
		w.p.l.Arm(&w.t, limit)
	} else {
		w.p.l.Disarm(&w.t)
	}
}

// Fire ends the wait: a deadline has passed.
func (w *pollWait) Fire(*timer.Timer) { w.abort() }

func (w *pollWait) abort() {
	if !w.op.Canceled {
		w.p.l.Cancel(w.op)
	}
}

// pollOwner is a Pollable as the owner of its core. Nothing of it is handed over, or rests.
type pollOwner struct {
	handle.NoOwner
	p *Pollable
}

// Closing ends the waits.
func (o *pollOwner) Closing() {
	for _, w := range o.p.waits {
		w.abort()
	}
}
