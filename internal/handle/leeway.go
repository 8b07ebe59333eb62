package handle

import "ringo/internal/timer"

// leewayMax is how many receives a reader may make behind its deadline. It suffices for all that Peek may ask for, and
// for a record of TLS, and it is bounded, so a peer that never stops sending does not keep the reader.
const leewayMax = 32

// leeway lets a reader go on whose deadline has passed while its loop was late. What came in time is in the loop or
// the kernel then, maybe in pieces, and maybe for more than one call: TLS needs two for each record. So a reader that
// has waited in time, and learns that something has come, may look for more, but only at once: each receive must be in
// the turn of the last one, or in the next turn if the reader has yielded, and the next call in the same turn. A
// reader that waits again waits for what is late, because the loop has delivered by then all that came in time.
//
// It is for readers that are tasks of the loop. Foreign callers have half.leeway, within one call.
type leeway struct {
	until uint32 // the last turn in which it is valid
	left  uint8  // receives
	any   bool   // it is valid in any turn: the reader is about to run, which may take some turns
}

// due is the timer of a direction's deadline, with the leeway of the reader that waits by it.
type due struct {
	timer.Timer
	leeway leeway
}

// waits gives a reader that waits its leeway if inTime, and ends it if not.
func (w *leeway) waits(inTime bool) {
	*w = leeway{any: true}
	if inTime {
		w.left = leewayMax
	}
}

// yields keeps the leeway of a reader that goes on in another turn, and renews it if inTime.
func (w *leeway) yields(turn uint32, inTime bool) {
	if inTime {
		w.left = leewayMax
	} else if !w.good(turn) {
		w.end()
	}
	w.any = true
}

// good reports whether the reader has leeway in a turn.
func (w *leeway) good(turn uint32) bool { return w.left > 0 && (w.any || w.until-turn <= 1) }

// use takes one receive from the leeway, and reports whether there was one.
func (w *leeway) use(turn uint32) bool {
	if !w.good(turn) {
		w.end()
		return false
	}
	w.left--
	w.until, w.any = turn+1, false
	return true
}

// leaves ends a call: the next one may use what is left in the same turn.
func (w *leeway) leaves(turn uint32) { w.until, w.any = turn, false }

// end ends the leeway.
func (w *leeway) end() { w.left = 0 }

// mayLook uses the leeway of a reader whose deadline has passed. Without a timer the loop does not know of the
// deadline yet, so a reader that has waited did so in time. There is no leeway behind a deadline that had passed when
// it was set; the loop may not know of that one yet, either.
func (c *Core) mayLook() bool {
	d := &c.own.dirs[In]
	return c.limits[In].Load() != passed && (d.timer != nil || d.news) && c.timerOf(d).leeway.use(c.turn())
}

// turn returns the number of the loop's turn.
func (c *Core) turn() uint32 { return uint32(c.l.Turn()) }
