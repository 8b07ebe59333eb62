package sock

import (
	"ringo/internal/handle"
	"ringo/internal/kernel"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/relay"
	"ringo/internal/stream"
	"ringo/internal/sys"
)

// loopState is what this package keeps per loop: things to reuse.
type loopState struct {
	stream.Tools
	l         *loop.Loop
	scratch   op.Op // for plain calls, one at a time
	send      op.Op // of its own, which needs no clearing
	ext       op.Ext
	name      sys.Sockaddr // for the kernel to fill in
	vector    op.Op        // a call on slices
	vectorExt op.Ext
	gather    []byte // small slices in one piece
	splice    op.Op
	file      fileCall
	pipes     relay.Pipes
	detached  handle.Registry
	packet    *packetLocal
	shownOf   *packet // of whose kept datagrams a callback has one, see packetEvents.Next
	shown     []byte  // the memory of that, which the socket has given up
	rechecks  stream.Rechecks[*inputSink]
}

// kernelCall is a call on a descriptor that needs no turn and does not wait.
type kernelCall = func(k kernel.Kernel, fd int32) int32

// nothing asks nothing, where a call has only to find out whether the handle is open.
func nothing(kernel.Kernel, int32) int32 { return 0 }

func loopStateOf(l *loop.Loop) *loopState {
	if s, ok := l.Above().Local.(*loopState); ok {
		return s
	}
	s := &loopState{l: l, send: op.Op{Code: op.Send}}
	s.file.call = s.file.send
	s.Init(l)
	s.rechecks.Init(l)
	l.Above().Local = s
	s.pipes.Register(l)
	s.detached.Register(l)
	return s
}

// call gives the loop's scratch op, cleared, for one plain call.
func call(l *loop.Loop, code op.Code) *op.Op {
	o := &loopStateOf(l).scratch
	*o = op.Op{Code: code}
	return o
}

// callExt is call with memory for an address.
func callExt(l *loop.Loop, code op.Code) *op.Op {
	o := call(l, code)
	o.Ext = &loopStateOf(l).ext
	return o
}

// vectored gives the loop's op for a plain call on slices.
func (s *loopState) vectored(code op.Code) *op.Op {
	o := &s.vector
	o.Code, o.Ext = code, &s.vectorExt
	return o
}

// Trim gives back what no connection has used since it was last called.
func (s *loopState) Trim() (more bool) {
	s.rechecks.Trim()
	more = s.pipes.Trim()
	more = s.Tools.Trim() || more
	s.shown = nil // a callback may have it yet, so that nobody else gets it
	if pl := s.packet; pl != nil && pl.owner == nil {
		if !pl.used {
			s.packet = nil
		}
		more = more || pl.used
		pl.used = false
	}
	return more
}
