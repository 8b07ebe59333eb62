package op

import "fmt"

// Slab is a loop's slots. Slots live in chunks on the Go heap and never move,
// because the kernel holds addresses inside them. Only the loop's thread may use
// a Slab.
type Slab struct {
	chunks []*[chunkSize]Op
	free   *Op
	exts   *Ext
	used   int
	max    int
}

const (
	// chunkSize makes a chunk as large as one of the allocator's sizes: 64 slots
	// would leave an eighth of it unused.
	chunkSize = 128
	// SlotsMax bounds a loop's ops: 16 million.
	SlotsMax = 1 << 24
	genMask  = 1<<genBits - 1
	// genBits leaves the top bits of a token to the driver.
	genBits = 28
)

// The driver may put marks of its own into the top four bits of a token.
const (
	TokenMarks = uint64(0xF) << 60
	TokenShift = 60
)

// NewSlab makes an empty slab with a bound; 0 means SlotsMax.
func NewSlab(max int) *Slab {
	if max <= 0 || max > SlotsMax {
		max = SlotsMax
	}
	return &Slab{max: max}
}

// Get takes a slot for an op of the given code. It returns nil when as many ops
// as the slab's bound are in use.
func (s *Slab) Get(code Code) *Op {
	if s.free == nil && !s.grow() {
		return nil
	}
	o := s.free
	s.free = o.Next
	*o = Op{Code: code, State: Idle, index: o.index, gen: o.gen}
	s.used++
	return o
}

// Ext gives the op memory for addresses and vectors, if it has none yet. It goes
// back with the op.
func (s *Slab) Ext(o *Op) *Ext {
	if o.Ext == nil {
		if s.exts == nil {
			s.exts = new(Ext)
		}
		o.Ext = s.exts
		s.exts = o.Ext.next
		o.Ext.next = nil
	}
	return o.Ext
}

// Put frees the slot. It panics if the op is in flight: the kernel may still
// write to what it names.
func (s *Slab) Put(o *Op) {
	if o.State != Idle {
		panic(fmt.Sprintf("op: slot %d freed in state %d", o.index, o.State))
	}
	if o.Ext != nil {
		o.Ext.reset()
		o.Ext.next = s.exts
		s.exts = o.Ext
	}
	*o = Op{index: o.index, gen: (o.gen + 1) & genMask, Next: s.free}
	s.free = o
	s.used--
}

// Lookup finds the op that a token names, nil if the slot has been freed since.
func (s *Slab) Lookup(token uint64) *Op {
	i := uint32(token)
	if int(i/chunkSize) >= len(s.chunks) {
		return nil
	}
	o := &s.chunks[i/chunkSize][i%chunkSize]
	if o.State == Free || o.gen != uint32(token>>32)&genMask {
		return nil
	}
	return o
}

// Used is how many slots are taken.
func (s *Slab) Used() int { return s.used }

// Each calls f for every slot that is taken.
func (s *Slab) Each(f func(o *Op)) {
	for _, c := range s.chunks {
		for i := range c {
			if c[i].State != Free {
				f(&c[i])
			}
		}
	}
}

func (s *Slab) grow() bool {
	base := len(s.chunks) * chunkSize
	if base >= s.max {
		return false
	}
	c := new([chunkSize]Op)
	s.chunks = append(s.chunks, c)
	for i := chunkSize - 1; i >= 0; i-- {
		c[i].index = uint32(base + i)
		c[i].gen = 1
		c[i].Next = s.free
		s.free = &c[i]
	}
	return true
}
