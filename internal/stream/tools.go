package stream

import (
	"ringo/internal/bufs"
	"ringo/internal/loop"
	"ringo/internal/op"
)

// Tools are what the connections of a loop share: ops for plain calls, one at a time, and memory for unread bytes. nil
// has no memory to share: it is for callers that are not on a loop's thread.
type Tools struct {
	L     *loop.Loop
	recv  op.Op // needs no clearing
	ask   op.Op
	spare bufs.Spare
}

// Init makes the tools those of a loop.
func (t *Tools) Init(l *loop.Loop) {
	t.L, t.recv, t.ask = l, op.Op{Code: op.Recv}, op.Op{Code: op.Poll, Events: Interest}
}

// Get returns memory for at least n bytes, of length 0.
func (t *Tools) Get(n int) []byte {
	if t == nil {
		return new(bufs.Spare).Get(n) // which rounds up, so that what grows piece by piece is seldom moved
	}
	return t.spare.Get(n)
}

// keptMin is what is worth being kept of memory whose front was used.
const keptMin = 512

// Put takes memory back that nobody looks at any more.
func (t *Tools) Put(p []byte) {
	if t != nil && cap(p) >= keptMin && t.spare.Put(p) {
		t.L.HasSpare()
	}
}

// Trim gives memory back that nobody has taken since it was last called, and reports whether more is kept.
func (t *Tools) Trim() (more bool) { return t.spare.Trim() }
