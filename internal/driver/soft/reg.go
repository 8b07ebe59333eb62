package soft

import (
	"fmt"

	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/poller"
	"ringo/internal/sys"
)

// Readiness by direction. Errors and hang-ups concern both.
const (
	both     = sys.PollErr | sys.PollHup
	inMask   = sys.PollIn | sys.PollPri | sys.PollRdhup | both
	outMask  = sys.PollOut | both
	allMask  = inMask | outMask
	pollMask = both | sys.PollRdhup // what every Poll op is told, as io_uring does

	// lasting bits mean that a short read says nothing about what is left.
	lasting = sys.PollPri | sys.PollRdhup | both
	// untried stands for ready where nobody has looked yet.
	untried = 1 << 31
)

// direction is one direction of a descriptor.
type direction struct {
	op.List
	ready uint32
}

// registration is what the driver knows of one descriptor. Its index plus one is the FD's
// Slot; index and generation are the poller's key, so that an event that comes
// after the registration has ended is told apart.
type registration struct {
	index uint32
	gen   uint32
	sys   int32
	armed uint32  // what the poller was told, 0: it does not know the descriptor
	watch op.List // Poll ops
	in    direction
	out   direction
	owner *fd.FD

	hot     *registration // the next in the driver's hot list
	heated  bool          // in that list
	rests   *registration // the next in the driver's list of those that rest
	resting bool          // in that list
	checked bool          // whether it is a file was looked at
	file    bool          // readiness means nothing here
	tcp     int8          // 1 yes, -1 no, 0 not looked at

	free *registration
}

func (r *registration) key() uint64 { return uint64(r.gen)<<32 | uint64(r.index) }

// directionOf is where an op of this code waits.
func (r *registration) directionOf(o *op.Op) *direction {
	if o.Def().Interest&sys.PollOut != 0 {
		return &r.out
	}
	return &r.in
}

// isFile asks, once, whether the calls of this descriptor may block whatever its
// readiness.
func (r *registration) isFile() bool {
	if !r.checked {
		r.checked = true
		r.file = sys.IsRegular(r.sys)
	}
	return r.file
}

// isTCP asks, once, for the protocol. Only of TCP is it known that a short read
// means an empty queue: datagrams, packets and passed descriptors end one early.
func (r *registration) isTCP() bool {
	if r.tcp == 0 {
		r.tcp = -1
		if proto, res := sys.GetsockoptInt(r.sys, sys.SolSocket, sys.SoProtocol); res >= 0 && proto == sys.ProtoTCP {
			r.tcp = 1
		}
	}
	return r.tcp > 0
}

// wants is what a level-triggered poller should wait for. PollPri is not part of
// it: it stays until somebody takes the urgent byte out of line.
func (r *registration) wants() (mask uint32) {
	if !r.in.Empty() {
		mask |= sys.PollIn
	}
	if !r.out.Empty() && !r.resting {
		mask |= sys.PollOut
	}
	for o := r.watch.First(); o != nil; o = o.Next {
		if mask |= uint32(o.Events); o.Flags&op.Rough == 0 || o.Events&sys.PollIn == 0 {
			mask |= pollMask | poller.Why
		}
	}
	return mask
}

// regTable is a slab of registrations. They lie in chunks and never move.
type regTable struct {
	chunks []*[regChunk]registration
	free   *registration
	used   int
}

const regChunk = 64

// at gives the registration of an index that this table gave out.
func (t *regTable) at(index uint32) *registration { return &t.chunks[index/regChunk][index%regChunk] }

// find gives the registration that an event's key names, nil if it has ended.
func (t *regTable) find(key uint64) *registration {
	index := uint32(key)
	if int(index/regChunk) >= len(t.chunks) {
		return nil
	}
	if r := t.at(index); r.gen == uint32(key>>32) && r.owner != nil {
		return r
	}
	return nil
}

// of gives the registration of f, if it has one here.
func (t *regTable) of(f *fd.FD) *registration {
	if f.Slot == 0 || int((f.Slot-1)/regChunk) >= len(t.chunks) {
		return nil
	}
	if r := t.at(f.Slot - 1); r.owner == f {
		return r
	}
	return nil
}

// get gives the registration of f, a new one if need be.
func (t *regTable) get(f *fd.FD) *registration {
	if r := t.of(f); r != nil {
		return r
	}
	if t.free == nil {
		t.grow()
	}
	r := t.free
	t.free = r.free
	t.used++
	*r = registration{index: r.index, gen: r.gen, sys: f.Sys(), owner: f, hot: r.hot, heated: r.heated,
		rests: r.rests, resting: r.resting}
	r.in.ready, r.out.ready = untried, untried
	f.Slot = r.index + 1
	return r
}

// put ends a registration on which nothing waits.
func (t *regTable) put(r *registration) {
	if !r.in.Empty() || !r.out.Empty() || !r.watch.Empty() {
		panic(fmt.Sprintf("driver/soft: registration %d ends while ops wait on it (fd %d)", r.index, r.sys))
	}
	r.owner.Slot = 0
	r.owner = nil
	r.armed = 0
	r.gen++
	r.free = t.free
	t.free = r
	t.used--
}

func (t *regTable) grow() {
	base := uint32(len(t.chunks) * regChunk)
	c := new([regChunk]registration)
	t.chunks = append(t.chunks, c)
	for i := regChunk - 1; i >= 0; i-- {
		c[i].index = base + uint32(i)
		c[i].free = t.free
		t.free = &c[i]
	}
}

// each calls f for every registration.
func (t *regTable) each(f func(r *registration)) {
	for _, c := range t.chunks {
		for i := range c {
			if c[i].owner != nil {
				f(&c[i])
			}
		}
	}
}
