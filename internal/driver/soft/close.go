package soft

import (
	"fmt"
	"os"
	"time"

	"ringo/internal/driver"
)

// drainMax bounds the time that Close waits for calls that workers or the kernel have begun. A call that takes longer
// is on a disk that does not answer.
const drainMax = 5 * time.Second

// Close cancels and drains every op, then frees the driver. Only calls that a worker or the kernel has begun can
// outlive it; the memory that they use stays reachable.
func (d *engine) Close(done *driver.Queue) error {
	if d.closed {
		return nil
	}
	d.own("Close")
	d.cancelAll()
	d.done = done
	d.work()
	end := d.now() + int64(drainMax)
	for d.files.jobs.Len() > 0 && d.now() < end {
		if d.dead == nil {
			d.collect(max(end-d.now(), 0))
		} else {
			time.Sleep(time.Millisecond)
		}
		d.awake()
		d.completeJobs()
	}
	d.files.close(drainMax)
	d.closed, d.done, d.pool = true, nil, nil // a reference to the closed driver must not keep the buffers
	if d.dead == nil {
		d.dead = fmt.Errorf("%s: %w", d.p.Name(), os.ErrClosed)
	}
	d.regs.each(d.regs.put)
	d.p.Close()
	if d.gate.Close() {
		d.waker.Close()
	}
	return d.undrained()
}

// undrained returns an error if calls have not ended in time. It counts them and names the op of one.
func (d *engine) undrained() error {
	n := d.files.jobs.Len()
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%s: %d calls did not end within %v, one is a %s; their memory is kept",
		d.p.Name(), n, drainMax, d.files.jobs.Some().Def().Name)
}
