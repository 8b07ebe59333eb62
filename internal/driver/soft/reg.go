package soft

import (
	"fmt"

	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/poller"
	"ringo/internal/sys"
)

// The bits of readiness by direction. Errors and hang-ups belong to both.
const (
	both     = sys.PollErr | sys.PollHup
	inMask   = sys.PollIn | sys.PollPri | sys.PollRdhup | both
	outMask  = sys.PollOut | both
	allMask  = inMask | outMask
	pollMask = both | sys.PollRdhup // every Poll op reports these, as io_uring does

	// lasting are the bits with which a short read does not mean that the queue is empty.
	lasting = sys.PollPri | sys.PollRdhup | both
	// untried is set while no attempt was made yet, and counts as ready.
	untried = 1 << 31
)

// direction is one direction of a descriptor: the ops that wait there, and its readiness as far as it is known.
type direction struct {
	op.List
	ready uint32
}

// registration is what the driver knows of a descriptor. The FD's Slot is the index plus one. Index and generation are
// the poller's key, by which find ignores events of a registration that has ended.
type registration struct {
	index uint32
	gen   uint32
	sys   int32
	armed uint32  // the mask that the poller has, 0: it does not know the descriptor
	watch op.List // Poll ops
	in    direction
	out   direction
	owner *fd.FD

	hot     *registration // the next in engine.hot
	heated  bool          // it is in that list
	rests   *registration // the next in engine.resting
	resting bool          // it is in that list
	checked bool          // file is known
	file    bool          // its calls may block whatever its readiness
	tcp     int8          // 1: it is TCP, -1: it is not, 0: not known

	free *registration
}

func (r *registration) key() uint64 { return uint64(r.gen)<<32 | uint64(r.index) }

// directionOf returns the direction in which an op waits.
func (r *registration) directionOf(o *op.Op) *direction {
	if o.Def().Interest&sys.PollOut != 0 {
		return &r.out
	}
	return &r.in
}

// isFile reports whether calls on the descriptor may block whatever its readiness. It asks the system once.
func (r *registration) isFile() bool {
	if !r.checked {
		r.checked = true
		r.file = sys.IsRegular(r.sys)
	}
	return r.file
}

// isTCP reports whether the descriptor is of TCP. It asks the system once. Only for TCP does a short read mean that the
// queue is empty: datagrams, packets and passed descriptors end a read early.
func (r *registration) isTCP() bool {
	if r.tcp == 0 {
		r.tcp = -1
		if proto, res := sys.GetsockoptInt(r.sys, sys.SolSocket, sys.SoProtocol); res >= 0 && proto == sys.ProtoTCP {
			r.tcp = 1
		}
	}
	return r.tcp > 0
}

// wants returns the mask that a level-triggered poller should wait for. PollPri is no part of it for ops that wait in a
// direction: it stays set until somebody reads the urgent byte.
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

// regTable is a slab of registrations. They are in chunks and never move.
type regTable struct {
	chunks []*[regChunk]registration
	free   *registration
	used   int
}

const regChunk = 64

// at returns the registration with an index that is in use or was.
func (t *regTable) at(index uint32) *registration { return &t.chunks[index/regChunk][index%regChunk] }

// find returns the registration that an event's key names, nil if it has ended.
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

// of returns the registration of f, nil if it has none.
func (t *regTable) of(f *fd.FD) *registration {
	if f.Slot == 0 || int((f.Slot-1)/regChunk) >= len(t.chunks) {
		return nil
	}
	if r := t.at(f.Slot - 1); r.owner == f {
		return r
	}
	return nil
}

// get returns the registration of f. It makes one if there is none.
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

// put ends a registration. It panics if an op waits on it.
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

// grow adds a chunk of free registrations.
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
