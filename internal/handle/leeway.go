package handle

// leewayMax is how many receives a reader may make behind its deadline. It suffices for all that Peek may be asked for,
// and for a record of TLS; and a peer that never stops keeps nobody.
const leewayMax = 32

// leeway lets a reader go on whose deadline has passed while its loop was late. What came in time is with the loop or
// the kernel then, in pieces, and may be for more than one call: of TLS's records each takes two. So who was told in
// time that something has come may look for more, but only at once: each time in the turn of the last, or in that
// behind if it has yielded, and from one call to the next in the same turn. Who waits, having looked, waits for what is
// late.
//
// It is a reader's that is a task of the loop. What foreign callers have is half.leeway, within one call.
type leeway struct {
	until uint64 // the last turn in which it is good
	left  uint8  // receives
}

// anyTurn is the turn of one that is about to run, which may take some.
const anyTurn = ^uint64(0)

// news begins it for who waited, if that was in time, and else ends it.
func (g *leeway) news(inTime bool) {
	g.left = 0
	if inTime {
		g.until, g.left = anyTurn, leewayMax
	}
}

// yields keeps it for who goes on in another turn, or begins one for who is in time now.
func (g *leeway) yields(turn uint64, inTime bool) {
	if inTime || g.left > 0 && turn <= g.until {
		g.until = anyTurn
	}
	if inTime {
		g.left = leewayMax
	}
}

// use takes one receive from it, and reports whether there was one.
func (g *leeway) use(turn uint64) bool {
	if g.left == 0 || turn > g.until {
		g.left = 0
		return false
	}
	g.left--
	g.until = turn + 1
	return true
}

// leaves is the end of a call: the next one has what is left in this turn.
func (g *leeway) leaves(turn uint64) { g.until = turn }

// end ends it.
func (g *leeway) end() { g.left = 0 }
