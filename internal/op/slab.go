package op

import (
	"fmt"
	"math/bits"
)

// Slab holds a loop's slots. Slots live in chunks on the Go heap and never move, because the kernel holds addresses
// inside them. Only the loop's thread may use a Slab.
//
// Get takes a slot that was freed lately, if there is one, and else the free slot with the lowest index, so that the
// slots in use gather in few chunks and Trim finds the others empty.
type Slab struct {
	free   *Op // freed lately, linked by Next; their chunks count them as in use
	lately int // length of that list
	chunks []chunk
	vacant []uint64 // a bit for each chunk with a free slot
	word   int      // all words of vacant before it are 0
	made   int      // chunks that have memory
	exts   *Ext     // free
	old    *Ext     // free since before the last Trim
	used   int
	stuck  int // free slots that the last Trim could not give back; 0 once one of them was taken
	max    int
}

// chunk is chunkSize slots, or a place whose slots Trim has given back.
type chunk struct {
	ops  *[chunkSize]Op
	free [chunkSize / 64]uint64 // a bit for each slot
	gen  uint32                 // generation of slots that are still to be made
	// began has the times of Begin; nil until the first one in the chunk. It is apart because most ops of connections
	// have no such time, and there is one such op a connection, so each word counts.
	began *[chunkSize]int64
	// quiet: all slots were free at the last Trim, and have been since.
	quiet bool
}

const (
	// chunkSize makes a chunk fill one of the allocator's size classes: 64 slots would leave an eighth of it unused.
	chunkSize = 128
	// latelyMax bounds the slots that are kept for the next use without their chunks knowing that they are free.
	latelyMax = 256
	// SlotsMax bounds a loop's ops: 16 million.
	SlotsMax = 1 << 24
	genMask  = 1<<genBits - 1
	// genBits leaves the top bits of a token to the driver.
	genBits = 28
)

// allFree is the free bits of a chunk without ops.
var allFree = [chunkSize / 64]uint64{^uint64(0), ^uint64(0)}

// The driver may put marks of its own into the top four bits of a token.
const (
	TokenMarks = uint64(0xF) << 60
	TokenShift = 60
)

// NewSlab makes an empty slab for at most max ops; 0 means SlotsMax.
func NewSlab(max int) *Slab {
	if max <= 0 || max > SlotsMax {
		max = SlotsMax
	}
	return &Slab{max: max}
}

// Get takes a slot for an op of the given code. It returns nil if the slab's bound of ops are in use.
func (s *Slab) Get(code Code) *Op {
	o := s.free
	if o != nil {
		s.free = o.Next
		s.lately--
	} else if o = s.alloc(); o == nil {
		return nil
	}
	*o = Op{Code: code, State: Idle, index: o.index, gen: o.gen}
	s.used++
	return o
}

// alloc takes a slot out of its chunk.
func (s *Slab) alloc() *Op {
	s.stuck = 0
	for s.word < len(s.vacant) && s.vacant[s.word] == 0 {
		s.word++
	}
	if s.word == len(s.vacant) && !s.grow() {
		return nil
	}
	i := s.word*64 + bits.TrailingZeros64(s.vacant[s.word])
	c := &s.chunks[i]
	half := 0
	if c.free[0] == 0 {
		half = 1
	}
	bit := bits.TrailingZeros64(c.free[half])
	c.free[half] &^= 1 << bit
	c.quiet = false
	if c.free[0]|c.free[1] == 0 {
		s.vacant[s.word] &^= 1 << (i % 64)
	}
	return &c.ops[half*64+bit]
}

// Ext returns the op's memory for addresses and vectors. It makes it if the op has none yet; Put takes it back.
func (s *Slab) Ext(o *Op) *Ext {
	if o.Ext == nil {
		from := &s.exts
		if *from == nil {
			from = &s.old
		}
		if *from == nil {
			*from = new(Ext)
		}
		o.Ext = *from
		*from, o.Ext.next = o.Ext.next, nil
	}
	return o.Ext
}

// Put frees the slot. It panics if the op is not Idle, because the kernel may still write to the op's memory.
func (s *Slab) Put(o *Op) {
	if o.State != Idle {
		panic(fmt.Sprintf("op: slot %d freed in state %d", o.index, o.State))
	}
	if o.Ext != nil {
		o.Ext.reset()
		o.Ext.next = s.exts
		s.exts = o.Ext
	}
	*o = Op{index: o.index, gen: (o.gen + 1) & genMask}
	s.used--
	if s.lately == latelyMax {
		s.putBack(o)
		return
	}
	o.Next, s.free = s.free, o
	s.lately++
}

// putBack returns a slot to its chunk.
func (s *Slab) putBack(o *Op) {
	i, slot := int(o.index/chunkSize), o.index%chunkSize
	c := &s.chunks[i]
	c.free[slot/64] |= 1 << (slot % 64)
	c.quiet = false
	s.vacant[i/64] |= 1 << (i % 64)
	s.word = min(s.word, i/64)
}

// Lookup returns the op that a token names; nil if the slot was freed since.
func (s *Slab) Lookup(token uint64) *Op {
	i := uint32(token)
	if int(i/chunkSize) >= len(s.chunks) {
		return nil
	}
	ops := s.chunks[i/chunkSize].ops
	if ops == nil {
		return nil
	}
	o := &ops[i%chunkSize]
	if o.State == Free || o.gen != uint32(token>>32)&genMask {
		return nil
	}
	return o
}

// Begin records the time at which the op began, for Began. The op must have come from Get.
func (s *Slab) Begin(o *Op, at int64) {
	c := &s.chunks[o.index/chunkSize]
	if c.began == nil {
		c.began = new([chunkSize]int64)
	}
	c.began[o.index%chunkSize] = at
}

// Began returns the time that Begin has recorded, and clears it; 0 if there is none.
func (s *Slab) Began(o *Op) (at int64) {
	if c := &s.chunks[o.index/chunkSize]; c.began != nil {
		p := &c.began[o.index%chunkSize]
		at, *p = *p, 0
	}
	return at
}

// Used returns how many slots are in use.
func (s *Slab) Used() int { return s.used }

// Spare reports whether enough slots are free that Trim may find some to give back.
func (s *Slab) Spare() bool { return s.unused() > max(2*chunkSize, s.stuck) }

// Kept returns how many slots have memory, in use or not.
func (s *Slab) Kept() int { return s.made * chunkSize }

// unused returns how many slots are free.
func (s *Slab) unused() int { return s.Kept() - s.used }

// Trim frees the memory that was not used since the last Trim, except for the first chunk. It reports whether there is
// more that is unused now.
func (s *Slab) Trim() (more bool) {
	for s.free != nil {
		o := s.free
		s.free, o.Next = o.Next, nil
		s.putBack(o)
	}
	s.lately = 0
	for i := range s.chunks {
		c := &s.chunks[i]
		switch {
		case i == 0 || c.free != allFree:
		case c.quiet && c.giveBack():
			s.vacant[i/64] &^= 1 << (i % 64)
			s.made--
		default:
			more = more || !c.quiet
			c.quiet = true
		}
	}
	s.stuck = 0
	if !more {
		s.stuck = s.unused()
	}
	s.old, s.exts = s.exts, nil
	return more || s.old != nil
}

// giveBack drops the slots of a chunk, and remembers which generation comes next there. It keeps the chunk if a slot
// has counted far, which takes more than a hundred million uses: after a wrap it could not tell which of two
// generations is newer.
func (c *chunk) giveBack() bool {
	gen := uint32(0)
	for i := range c.ops {
		gen = max(gen, c.ops[i].gen)
	}
	if gen > genMask/2 {
		return false
	}
	*c = chunk{gen: gen}
	return true
}

// Each calls f for every slot that is in use.
func (s *Slab) Each(f func(o *Op)) {
	for i := 0; s.EachIn(i, f); i++ {
	}
}

// EachIn is Each for the i-th chunk; it reports whether there are more.
func (s *Slab) EachIn(i int, f func(o *Op)) (more bool) {
	if i >= len(s.chunks) {
		return false
	}
	if ops := s.chunks[i].ops; ops != nil {
		for k := range ops {
			if ops[k].State != Free {
				f(&ops[k])
			}
		}
	}
	return i+1 < len(s.chunks)
}

// grow makes a chunk of slots, in the first place without one, and sets word to it.
func (s *Slab) grow() bool {
	i := s.made
	if i < len(s.chunks) { // Trim has given some back
		for i = 0; s.chunks[i].ops != nil; i++ {
		}
	}
	if i*chunkSize >= s.max {
		return false
	}
	if i == len(s.chunks) {
		s.chunks = append(s.chunks, chunk{gen: 1})
		if i/64 == len(s.vacant) {
			s.vacant = append(s.vacant, 0)
		}
	}
	c := &s.chunks[i]
	c.ops, c.free = new([chunkSize]Op), allFree
	for k := range c.ops {
		c.ops[k].index, c.ops[k].gen = uint32(i*chunkSize+k), c.gen
	}
	s.made++
	s.vacant[i/64] |= 1 << (i % 64)
	s.word = i / 64
	return true
}
