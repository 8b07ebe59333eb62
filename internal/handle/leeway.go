package handle

import "ringo/internal/timer"

// leewayMax is how many receives a reader may make behind its deadline. It suffices for all that Peek may be asked for,
// and for a record of TLS; and a peer that never stops keeps nobody.
const leewayMax = 32

// leeway lets a reader go on whose deadline has passed while its loop was late. What came in time is with the loop or
// the kernel then, in pieces, and may be for more than one call: of TLS's records each takes two. So who has waited in
// time, and is told that something has come, may look for more, but only at once: each time in the turn of the last,
// or in that behind if it has yielded, and from one call to the next in the same turn. Who waits again, when the loop
// has heard of all that came in time, waits for what is late.
//
// It is a reader's that is a task of the loop. What foreign callers have is half.leeway, within one call.
type leeway struct {
	until uint32 // the last turn in which it is good
	left  uint8  // receives
	any   bool   // it is good in any turn, for who is about to run, which may take some
}

// due is the timer of a direction's deadline, with the leeway of who waits by it.
type due struct {
	timer.Timer
	leeway leeway
}

// waits begins it for who waits, if that is in time, and else ends it.
func (w *leeway) waits(inTime bool) {
	*w = leeway{any: true}
	if inTime {
		w.left = leewayMax
	}
}

// yields keeps it for who goes on in another turn, or begins it for who is in time now.
func (w *leeway) yields(turn uint32, inTime bool) {
	if inTime {
		w.left = leewayMax
	} else if !w.good(turn) {
		w.end()
	}
	w.any = true
}

// good reports whether there is any.
func (w *leeway) good(turn uint32) bool { return w.left > 0 && (w.any || w.until-turn <= 1) }

// use takes one receive from it, and reports whether there was one.
func (w *leeway) use(turn uint32) bool {
	if !w.good(turn) {
		w.end()
		return false
	}
	w.left--
	w.until, w.any = turn+1, false
	return true
}

// leaves is the end of a call: the next one has what is left in this turn.
func (w *leeway) leaves(turn uint32) { w.until, w.any = turn, false }

// end ends it.
func (w *leeway) end() { w.left = 0 }

// mayLook uses the leeway of a reader whose deadline has passed. Where there is no timer, the loop has not heard yet
// that there is a deadline, and who has waited did so in time. Nor may it have heard of one that had passed when
// another thread set it.
func (c *Core) mayLook() bool {
	d := &c.own.dirs[In]
	return c.limits[In].Load() != passed && (d.timer != nil || d.news) && c.timerOf(d).leeway.use(c.turn())
}

// turn is the number of the loop's turn.
func (c *Core) turn() uint32 { return uint32(c.l.Turn()) }
