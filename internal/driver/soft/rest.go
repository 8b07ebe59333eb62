package soft

import "time"

// restMax is the time between two attempts of a send that finds no room although the poller reports room. A Unix
// datagram socket that is not connected is such a case: the socket itself has room, but the receiver's queue is full.
// Without a pause the driver would spin: a level-triggered poller reports the room again and again, and on an
// edge-triggered one each attempt makes another edge, because it takes room and gives it back.
const restMax = 5 * time.Millisecond

// pauseSends stops the attempts on r's out direction until the rest is over. The rest ends for all registrations of the
// list at once, at most restMax after the first of them has joined it.
func (d *engine) pauseSends(r *registration) {
	if r.resting {
		return
	}
	if d.resting == nil {
		d.rested = d.now() + int64(restMax)
	}
	r.resting = true
	r.rests = d.resting
	d.resting = r
}

// resumeSends makes the next round of Wait try the out directions in the list again, once the rest is over.
func (d *engine) resumeSends() {
	if d.resting == nil || d.now() < d.rested {
		return
	}
	r := d.resting
	d.resting = nil
	for r != nil {
		next := r.rests
		r.rests, r.resting = nil, false
		if r.owner != nil {
			r.out.ready |= untried
			d.heat(r)
		}
		r = next
	}
}
