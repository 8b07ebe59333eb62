package soft

import "time"

// restMax is between two looks at a send for which there is room and is none: a Unix
// datagram socket that is not connected has room in itself, and not in the socket that
// the datagram is for. A level-triggered poller says so again and again, and an edge
// comes of each try, which takes room and gives it back.
const restMax = 5 * time.Millisecond

// pauseSends has nothing tried on r's out direction for a while.
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

// resumeSends has those tried again that have rested.
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
