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

// loopState is what this package keeps for each loop, mostly memory to reuse.
type loopState struct {
	stream.Tools
	l        *loop.Loop
	scratch  op.Op // for plain calls, one at a time
	send     op.Op // only for sends, so that it needs no clearing
	ext      op.Ext
	name     sys.Sockaddr // memory for addresses that the kernel fills in
	vector   op.Op        // for sends of slices
	gather   []byte       // for small slices that are copied together
	splice   op.Op
	file     fileCall
	pipes    relay.Pipes
	detached handle.Registry
	packet   *packetLocal
	shownOf  *packet // a callback has one of its kept datagrams, see packetEvents.Next
	shown    []byte  // that datagram's memory, which the socket has given up
	rechecks stream.Rechecks[*inputSink]
}

// kernelCall is a system call on a descriptor that needs no access and does not wait.
type kernelCall = func(k kernel.Kernel, fd int32) int32

// nothing makes no call, for callers that only have to find out whether the handle is open.
func nothing(kernel.Kernel, int32) int32 { return 0 }

func loopStateOf(l *loop.Loop) *loopState {
	if s, ok := l.Above().Local.(*loopState); ok {
		return s
	}
	s := &loopState{l: l, send: op.Op{Code: op.Send}, vector: op.Op{Code: op.Sendmsg, Ext: new(op.Ext)}}
	s.file.call = s.file.send
	s.Init(l)
	s.rechecks.Init(l)
	l.Above().Local = s
	s.pipes.Register(l)
	s.detached.Register(l)
	return s
}

// call returns the loop's scratch op, cleared, for one plain call.
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

// Trim gives back the memory that no connection has used since the last call. It returns true if more is kept.
func (s *loopState) Trim() (more bool) {
	s.rechecks.Trim()
	more = s.pipes.Trim()
	more = s.Tools.Trim() || more
	s.shown = nil // a callback may still use it, so it can't be reused
	if pl := s.packet; pl != nil && pl.owner == nil {
		if !pl.used {
			s.packet = nil
		}
		more = more || pl.used
		pl.used = false
	}
	return more
}
