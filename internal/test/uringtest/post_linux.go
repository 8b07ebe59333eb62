//go:build linux

package uringtest

import (
	"ringo/internal/abi"
)

// completion is a CQE that was made and is not posted.
type completion struct {
	abi.Io_uring_cqe
	r    *Request
	late int  // how many rounds it is still held back
	last bool // it is the last one of its request
	now  bool // it was made while its entry was taken
}

// ready returns how many CQEs in the ring the program has not taken.
func (k *Kernel) ready() uint32 { return k.rings.cqTail - k.word(cqHeadAt).Load() }

// hold makes a CQE and holds it until it is posted.
func (k *Kernel) hold(r *Request, res int32, flags uint32, last bool) {
	c := completion{Io_uring_cqe: abi.Io_uring_cqe{User_data: r.SQE.User_data, Res: res, Flags: flags}, r: r,
		last: last, now: r.issuing}
	if !r.impatient() { // the CQE of such a send is there when the enter returns, or has overflowed
		c.late = k.choose(PostLater, 4, r)
	}
	k.held = append(k.held, c)
}

// room returns how many more CQEs can be made before one finds the CQ full.
func (k *Kernel) room() int {
	return int(k.rings.cqSize) - int(k.ready()) - len(k.held) - len(k.overflow)
}

// post moves the CQEs that are due into the CQ. The order is arbitrary, except that CQEs of one request stay in order.
// inline restricts it to CQEs that were made while entries were taken, which a program finds even if it did not ask for
// events.
func (k *Kernel) post(inline bool) {
	if !inline {
		for i := range k.held {
			k.held[i].late--
		}
	}
	for {
		due := k.due[:0:len(k.due)]
		for i := range k.held {
			if c := &k.held[i]; c.late <= 0 && (!inline || c.now) && k.oldest(i) {
				if due = append(due, i); len(due) == cap(due) {
					break
				}
			}
		}
		if len(due) == 0 {
			return
		}
		i := due[k.choose(PickCQE, len(due), nil)]
		c := k.held[i]
		k.held = append(k.held[:i], k.held[i+1:]...)
		if c.last {
			k.check(c.r)
			k.forget(c.r)
		}
		k.put(c.Io_uring_cqe)
	}
}

// forget removes what the kernel knows about a request.
func (k *Kernel) forget(r *Request) {
	if k.byData[r.SQE.User_data]--; k.byData[r.SQE.User_data] == 0 {
		delete(k.byData, r.SQE.User_data)
	}
	k.spare = append(k.spare, r)
}

// oldest reports whether no earlier CQE of the same user data is held.
func (k *Kernel) oldest(i int) bool {
	for j := range i {
		if k.held[j].User_data == k.held[i].User_data {
			return false
		}
	}
	return true
}

// put posts a CQE, or queues it behind those that found no room.
func (k *Kernel) put(c abi.Io_uring_cqe) {
	if len(k.overflow) > 0 || k.ready() >= k.rings.cqSize {
		k.overflow = append(k.overflow, c)
		return
	}
	k.append(c)
}

// append puts a CQE into the ring, which has room.
func (k *Kernel) append(c abi.Io_uring_cqe) {
	*k.cqe(k.rings.cqTail) = c
	k.rings.cqTail++
	k.word(cqTailAt).Store(k.rings.cqTail)
}

// flush moves CQEs that had found no room into the CQ, as many as there is room for now.
func (k *Kernel) flush() {
	n := min(len(k.overflow), int(k.rings.cqSize-k.ready()))
	for _, c := range k.overflow[:n] {
		k.append(c)
	}
	k.overflow = k.overflow[:copy(k.overflow, k.overflow[n:])]
}
