package stream

import (
	"ringo/internal/bufs"
	"ringo/internal/loop"
	"ringo/internal/op"
)

// Tools are what the connections of a loop share: ops for plain calls, one call at a time, and memory for unread
// bytes. Callers that are not on a loop's thread use a nil Tools, which shares no memory.
type Tools struct {
	L     *loop.Loop
	recv  op.Op // needs no clearing
	ask   op.Op
	spare bufs.Spare
}

// Init sets the loop.
func (t *Tools) Init(l *loop.Loop) {
	t.L, t.recv, t.ask = l, op.Op{Code: op.Recv}, op.Op{Code: op.Poll, Events: Interest}
}

// Get returns memory for at least n bytes, of length 0.
func (t *Tools) Get(n int) []byte {
	if t == nil {
		return new(bufs.Spare).Get(n) // rounds up, so that memory that grows piece by piece seldom moves
	}
	return t.spare.Get(n)
}

// keptMin is the least capacity for which Put keeps memory whose front was cut off.
const keptMin = 512

// Put takes back memory that no code uses.
func (t *Tools) Put(p []byte) {
	if t != nil && cap(p) >= keptMin && t.spare.Put(p) {
		t.L.HasSpare()
	}
}

// Trim frees memory that was not taken since the last call, and reports whether more is kept.
func (t *Tools) Trim() (more bool) { return t.spare.Trim() }
