package loop

// Coarse is a time of NowNS in units of 2^24 ns, about 17 ms. It takes half the memory of an exact time, which each
// parked task would pay for. It wraps around after two years.
type Coarse uint32

const coarseShift = 24

// coarsely returns the time of the turn.
func (c *loopClock) coarsely() Coarse { return Coarse(c.now >> coarseShift) }

// Age returns the nanoseconds from c to now.
func (c Coarse) Age(now int64) int64 { return int64(Coarse(now>>coarseShift)-c) << coarseShift }
