package simdriver

import (
	"fmt"
	"os"
	"sync/atomic"

	"ringo/internal/driver"
	"ringo/internal/fd"
	"ringo/internal/op"
	"ringo/internal/sim/memkernel"
	"ringo/internal/sim/world"
	"ringo/internal/sys"
	"ringo/stats"
)

// Config is the configuration of a world's driver. Of the embedded Config it uses Slab, Now, Ring, Outbox, Reason and
// Fault.
type Config struct {
	driver.Config
	Host  *memkernel.Host
	Lends bool // streams receive into buffers of Ring, which Info reports
	World *world.World
	Turns
	// Killed reports whether the loop must end without looking at anything else.
	Killed func() bool
	// Note, if not nil, is called for each result that the loop gets.
	Note func(o *op.Op, res int32)
	// Enter lets a calling goroutine into the world until it calls leave.
	Enter func() (leave func())
}

// Turns gives turns to the driver's loop.
type Turns interface {
	// Pause ends a turn that has more to do, Sleep one that has nothing to do before the time until or Rouse: both
	// give the world its turn.
	Pause()
	Sleep(until int64)
	Rouse()
}

// engine is the driver.
type engine struct {
	cfg  Config
	h    *memkernel.Host
	w    *world.World
	slab *op.Slab
	// ahead is how far the world's clock is ahead of the loop's, to which deadlines refer.
	ahead int64

	regs map[*fd.FD]*registration

	queue op.List         // submitted, for the next Wait
	ended op.List         // cancelled, for the next Wait
	made  op.List         // ops whose time has come: timers, and calls that waited for a disk
	hot   []*registration // registrations to try again, in the order in which they had news
	cool  []*registration // empty memory for the next hot
	times map[*op.Op]*world.Event
	// results holds the results of calls that were made, and end when the disk's time for them has passed.
	results map[*op.Op]int32

	woken  atomic.Bool // set by Wake, also from outside the world
	wakes  atomic.Uint64
	done   *driver.Queue // the queue of the present Wait
	stats  stats.Driver
	dead   error
	closed bool
}

// Open makes a driver for a host.
func Open(cfg Config) (driver.Driver, error) {
	if cfg.Slab == nil || cfg.Host == nil || cfg.World == nil || cfg.Turns == nil || cfg.Killed == nil {
		panic("driver/sim: a Config without Slab, Host, World, or who gives turns")
	}
	if cfg.Enter == nil {
		cfg.Enter = func() func() { return func() {} }
	}
	if cfg.Now == nil {
		cfg.Now = cfg.World.Now
	}
	if cfg.Outbox != nil {
		cfg.Outbox.Plain = cfg.Host.Send
	}
	return &engine{cfg: cfg, h: cfg.Host, w: cfg.World, slab: cfg.Slab, ahead: cfg.World.Now() - cfg.Now(),
		regs: map[*fd.FD]*registration{}, times: map[*op.Op]*world.Event{},
		results: map[*op.Op]int32{}}, nil
}

// Info describes the driver.
func (d *engine) Info() driver.Info {
	d.stats.WakesSent = d.wakes.Load()
	return driver.Info{
		Info:  stats.Info{Name: "sim", Reason: d.cfg.Reason, Lends: d.cfg.Lends},
		Edges: true, Stats: d.stats,
	}
}

// Try runs the op as a plain call, if that does not wait.
func (d *engine) Try(o *op.Op) (res int32, ok bool) {
	defer d.cfg.Enter()()
	switch {
	case o.Selects(), o.Def().Kind == op.Timed:
		return 0, false
	case (o.Code == op.Read || o.Code == op.Write) && d.h.IsFile(o.FD.Sys()):
		return 0, false // a sendfile or a splice is made: who tries one takes a refusal for a socket without room
	case o.Def().Kind == op.Blocking && o.Def().Cached == nil:
		return -sys.EOPNOTSUPP, true
	case o.Def().Kind == op.Blocking && !d.h.Cached(o):
		return 0, false
	}
	res = d.h.Attempt(o)
	d.note(o, res)
	return res, res != -sys.EAGAIN
}

func (d *engine) note(o *op.Op, res int32) {
	if d.cfg.Note != nil {
		d.cfg.Note(o, res)
	}
}

// Receive and Send implement driver.Plain.
func (d *engine) Receive(f *fd.FD, p []byte) (res int32, ok bool) {
	defer d.cfg.Enter()()
	res = d.h.Receive(f.Sys(), p)
	return res, res != -sys.EAGAIN
}

// Send sends, without waiting.
func (d *engine) Send(f *fd.FD, p []byte) (res int32, ok bool) {
	defer d.cfg.Enter()()
	res = d.h.Send(f.Sys(), p)
	return res, res != -sys.EAGAIN
}

// Submit queues the op for the next Wait.
func (d *engine) Submit(o *op.Op) {
	if o.State != op.Idle || d.closed {
		panic(fmt.Sprintf("driver/sim: submit of %s in state %d (driver closed: %v)", o.Def().Name, o.State, d.closed))
	}
	if o.FD != nil {
		o.FD.Ref()
	}
	o.State, o.Mode = op.Queued, modeQueued
	d.stats.Submitted++
	d.queue.Push(o)
}

// How an op waits, in its Mode.
const (
	modeQueued uint8 = iota
	modeDirection
	modePoll
	modeTime  // waits for a timer, or for the disk
	modeMade  // its time has come
	modeEnded // cancelled
)

// Cancel takes the op out of what it waits in. What a disk has begun goes on.
func (d *engine) Cancel(o *op.Op) {
	if o.State != op.Queued && o.State != op.InFlight {
		panic(fmt.Sprintf("driver/sim: cancel of %s, which is not submitted (state %d)", o.Def().Name, o.State))
	}
	if o.Canceled {
		return
	}
	o.Canceled = true
	switch o.Mode {
	case modeQueued, modeMade:
		return // the op will be seen as cancelled when it is started
	case modeDirection, modePoll:
		d.withdraw(o)
	case modeTime:
		if o.Def().Kind != op.Timed {
			return // the disk has begun it
		}
		d.w.Drop(d.times[o])
		delete(d.times, o)
	}
	o.Mode = modeEnded
	d.ended.Push(o)
}

// Wake ends the present Wait, or the next one.
func (d *engine) Wake() {
	defer d.cfg.Enter()()
	d.woken.Store(true)
	d.wakes.Add(1)
	d.cfg.Rouse()
}

// sendAll makes the sends of the outbox.
func (d *engine) sendAll() {
	if d.cfg.Outbox.Len() == 0 {
		return
	}
	d.stats.Sends += d.cfg.Outbox.SendAll(0)
	if d.cfg.Outbox.Short {
		d.stats.ShortSends += d.cfg.Outbox.CountShort()
	}
}

// yield reports a completion that is followed by another one.
func (d *engine) yield(o *op.Op, res int32, flags uint32) {
	d.note(o, res)
	d.stats.Completions++
	d.done.Yield(o, res, flags)
}

// end reports the last completion.
func (d *engine) end(o *op.Op, res int32, flags uint32) {
	d.note(o, res)
	d.stats.Completions++
	d.done.End(o, res, flags)
}

func (d *engine) cancelAll() {
	d.slab.Each(func(o *op.Op) {
		if (o.State == op.Queued || o.State == op.InFlight) && !o.Canceled {
			d.Cancel(o)
		}
	})
}

// Close cancels every op, and waits for what a disk has begun.
func (d *engine) Close(done *driver.Queue) error {
	if d.closed {
		return nil
	}
	d.done = done
	d.cancelAll()
	d.work()
	for len(d.times) > 0 && !d.cfg.Killed() {
		d.cfg.Sleep(driver.Forever)
		d.work()
	}
	for _, e := range d.times { // of a host that has crashed
		d.w.Drop(e)
	}
	d.closed, d.done = true, nil
	if d.dead == nil {
		d.dead = fmt.Errorf("sim: %w", os.ErrClosed)
	}
	for _, r := range d.regs {
		if r.watch != nil {
			r.watch.Stop()
		}
	}
	clear(d.regs)
	return nil
}
