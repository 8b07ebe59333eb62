package loop

// Coarse is a time of NowNS in units of 2^24 ns, about 17 ms: half the memory of an exact one, which each parked task
// would pay for. It goes on for two years, and then begins anew.
type Coarse uint32

const coarseShift = 24

// coarsely is the turn's time.
func (l *Loop) coarsely() Coarse { return Coarse(l.clock.now >> coarseShift) }

// Age is how long ago c was, as seen at now.
func (c Coarse) Age(now int64) int64 { return int64(Coarse(now>>coarseShift)-c) << coarseShift }
