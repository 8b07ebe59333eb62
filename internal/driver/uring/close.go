package uring

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sys"
)

var errClosed = &driver.SetupError{Driver: "uring", Step: "wait", Err: errors.New("the driver is closed")}

// drainMax bounds the wait for cancelled ops. Those on sockets end at once; what takes longer is a disk that does not
// answer.
const drainMax = 5 * time.Second

// notifMax bounds the wait for the memory of zero-copy sends that have their result. A peer that does not read holds
// the memory as long as the connection lives, so at the bound the driver breaks the connection.
const notifMax = 100 * time.Millisecond

// leaked keeps the memory of rings alive that could not be drained: the kernel may still write to it.
var leaked struct {
	sync.Mutex
	rings []*ring
}

// Close cancels and drains every op, then frees the ring.
func (d *ring) Close(done *driver.Queue) error {
	if d.closed {
		return nil
	}
	d.drain(done)
	if d.dead != nil {
		d.drainDead(done)
	}
	d.closed = true
	if d.files != nil && d.offloads.Len() == 0 {
		d.files.Close(drainMax) // a worker may still be about to signal
	}
	if d.gate.Close() {
		sys.Close(d.wakeFD)
	}
	left := d.inFlight
	err := d.r.Close()
	if left > 0 || d.exposed {
		leaked.Lock()
		leaked.rings = append(leaked.rings, d)
		leaked.Unlock()
	}
	switch {
	case left > 0 && d.dead != nil:
		return fmt.Errorf("driver/uring: %d ops were under way when the ring died; their memory is kept", left)
	case left > 0:
		return fmt.Errorf("driver/uring: %d ops did not end within %v; their memory is kept", left, drainMax)
	case d.exposed:
		return err
	}
	if d.lends != nil {
		d.lends.Close()
		d.pool.Reclaim(filled(done))
	}
	d.lends, d.pool = nil, nil // a program that keeps the driver must not keep the buffers
	return err
}

// filled returns the buffers that completions in the queue hold.
func filled(done *driver.Queue) (ids []uint16) {
	for _, c := range done.All() {
		if c.Flags&op.HasBuffer != 0 {
			ids = append(ids, uint16(op.BufferID(c.Flags)))
		}
	}
	return ids
}

// drain cancels all submitted ops, and waits until they have ended, for drainMax at most.
func (d *ring) drain(done *driver.Queue) {
	end, cut := d.now()+int64(drainMax), d.now()+int64(notifMax)
	for d.dead == nil {
		d.slab.Each(func(o *op.Op) {
			if o.State == op.Queued || o.State == op.InFlight {
				d.Cancel(o)
			}
		})
		if len(d.cancelLater) > 0 {
			d.cancelDue()
		}
		d.deliver(done)
		d.completeOffloads(done)
		d.flush()
		if d.inFlight == 0 && d.backlog.Empty() && d.deferred.Empty() &&
			d.toOffload.Empty() && len(d.early) == 0 {
			break
		}
		now := d.now()
		if now >= end {
			break
		}
		if now >= cut {
			d.disconnect()
			cut = end
		}
		limit := cut
		if len(d.cancelLater) > 0 {
			limit = min(limit, d.cancelAt)
		}
		timeout := time.Duration(max(limit-now, 0))
		wait := uint32(1)
		// A worker signals only a driver that has announced that it sleeps.
		if d.offloads.Len() > 0 && (!d.armWake() || !d.gate.Announce()) {
			wait = 0
			d.backOff()
		}
		if len(d.cancels) > 0 || !d.backlog.Empty() {
			wait = 0 // the ops that they end may be all that there is to wait for
			d.backOff()
		}
		if !d.extArg {
			if timeout = -1; !d.armTimer(limit) {
				wait = 0
				d.backOff()
			}
		}
		d.enter(wait, timeout)
		d.gate.Awake()
		d.reap(done)
	}
}

// disconnect breaks the connections that hold memory of zero-copy sends: what is queued on them is dropped, and the
// peer sees a reset.
func (d *ring) disconnect() {
	var nowhere sys.Sockaddr
	nowhere.SetUnspec()
	d.slab.Each(func(o *op.Op) {
		if o.State == op.InFlight && o.Notifs != 0 {
			sys.Connect(o.FD.Sys(), &nowhere)
		}
	})
}
