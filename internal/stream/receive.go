package stream

import (
	"ringo/internal/bufs"
	"ringo/internal/fd"
	"ringo/internal/sys"
)

// Recv receives into p without waiting. It returns a count; ok is false if there is nothing now, or nothing more to
// come.
func (in *In) Recv(t *Tools, f *fd.FD, p []byte, by Way) (n int, ok bool) {
	res, ok := t.Receive(f, p, 0)
	return in.Took(t, res, ok, len(p), by)
}

// HowLong makes a receive return the length of the next record, and leave the record there. See recv(2).
const HowLong = sys.MsgPeek | sys.MsgTrunc

// Receive makes the plain call, with MSG_ flags.
func (t *Tools) Receive(f *fd.FD, p []byte, flags uint32) (res int32, ok bool) {
	o := &t.recv
	o.FD, o.Buf, o.CallFlags = f, p, flags
	res, ok = t.L.Ops().Try(o)
	o.Buf = nil
	return res, ok
}

// Took records what a plain receive that asked for so many bytes says about the stream.
func (in *In) Took(t *Tools, res int32, ok bool, asked int, by Way) (int, bool) {
	switch {
	case !ok:
		in.Dry()
		in.set(unasked, false)
		return 0, false
	case res > 0:
		switch {
		case by == Records:
		case int(res) >= t.L.Config().BufferSize:
			in.bulk = bulkMax
		case in.bulk > 0:
			in.bulk--
		}
		// A short count means that the stream is empty now. Where readiness is level-triggered the driver also reports
		// what comes next, including an end. Where buffers are lent, the receive that is armed next finds what is
		// left, and the kernel serves the connections in turn.
		empty := int(res) < asked && (in.bits&hangup == 0 || !t.L.Edges())
		if empty || by == Lent {
			in.Dry()
		}
		in.set(unasked, !empty)
		return int(res), true
	case res == 0:
		in.bits |= eof
	default:
		in.Fail(res)
	}
	return 0, false
}

// Fill receives at most most bytes into a buffer of the loop. It returns nil if there is nothing now, or no buffer.
// large allows a large buffer, which Fill uses if much comes at once.
func (in *In) Fill(t *Tools, f *fd.FD, large bool, most int, by Way) *bufs.Buffer {
	pool := t.L.Buffers().Plain
	if in.bulk > 0 && large {
		pool = t.L.Buffers().Large
	}
	b := pool.Take()
	if b == nil {
		return nil
	}
	p := b.Mem()
	p = p[:min(len(p), max(most, t.L.Buffers().Plain.Size()))]
	res, ok := t.Receive(f, p, 0) // as Recv does, with one frame less on the stack of a task
	n, ok := in.Took(t, res, ok, len(p), by)
	if !ok {
		pool.Put(b)
		return nil
	}
	b.Off, b.End = 0, n
	return b
}
