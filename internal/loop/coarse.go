package loop

// coarse is a time of NowNS in units of 2^24 ns, about 17 ms: half the memory of an exact one, which each parked task
// would pay for. It goes on for two years, and then begins anew.
type coarse uint32

const coarseShift = 24

// coarsely is the turn's time.
func (l *Loop) coarsely() coarse { return coarse(l.now >> coarseShift) }

// age is how long ago c was, as seen at now.
func (c coarse) age(now int64) int64 { return int64(coarse(now>>coarseShift)-c) << coarseShift }
