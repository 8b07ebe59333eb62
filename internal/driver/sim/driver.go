//go:build linux

package sim

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"ringo/internal/driver"
	"ringo/internal/fd"
	"ringo/internal/memkernel"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/world"
)

// attemptsMax bounds the tries on one direction of a descriptor in one Wait, as it does in driver/soft.
const attemptsMax = 32

// Config is what a driver of a world needs beside that of all drivers, of which it uses Slab, Now, Ring, Outbox,
// Reason and Fault.
type Config struct {
	driver.Config
	Host  *memkernel.Host
	Lends bool // Info says so: what streams receive comes in buffers of Ring
	World *world.World
	Turns
	// Killed reports whether the loop is to end without another look at anything.
	Killed func() bool
	// Note is told of each result that the loop gets. nil: nobody is.
	Note func(o *op.Op, res int32)
}

// Turns are those of the driver's loop.
type Turns interface {
	// Pause ends a turn that has more to do, Sleep one that has not until the clock says so or Rouse is called: both
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
	// ahead is how far the world's clock is ahead of the loop's, of which deadlines are.
	ahead int64

	regs map[*fd.FD]*registration

	queue op.List         // submitted, for the next Wait
	ended op.List         // cancelled, for the next Wait
	made  op.List         // whose time has come: timers, and calls that waited for a disk
	hot   []*registration // to be tried again, in the order in which they were told
	cool  []*registration // empty, to be hot next
	times map[*op.Op]*world.Event
	// results are those of calls that were made, and end when the disk's time for them has passed.
	results map[*op.Op]int32

	woken  atomic.Bool // from outside of the world, as well
	wakes  atomic.Uint64
	done   *driver.Queue // of the present Wait
	stats  driver.Stats
	dead   error
	closed bool
}

// registration is what waits on a descriptor.
type registration struct {
	d       *engine
	f       *fd.FD
	number  int32
	watch   *memkernel.Watch
	polls   op.List
	in, out op.List
	heated  bool
}

// Open makes a driver of a host.
func Open(cfg Config) (driver.Driver, error) {
	if cfg.Slab == nil || cfg.Host == nil || cfg.World == nil || cfg.Turns == nil || cfg.Killed == nil {
		panic("driver/sim: a Config without Slab, Host, World, or who gives turns")
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
	return driver.Info{Name: "sim", Reason: d.cfg.Reason, Lends: d.cfg.Lends, Edges: true, Stats: d.stats}
}

// Try runs the op as a plain call, if that waits for nothing.
func (d *engine) Try(o *op.Op) (res int32, ok bool) {
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

// Receive and Send are driver.Plain.
func (d *engine) Receive(f *fd.FD, p []byte) (res int32, ok bool) {
	res = d.h.Receive(f.Sys(), p)
	return res, res != -sys.EAGAIN
}

// Send sends, without waiting.
func (d *engine) Send(f *fd.FD, p []byte) (res int32, ok bool) {
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
	modeTime  // for a timer, or its turn at the disk
	modeMade  // its time has come
	modeEnded // cancelled
)

// Cancel takes the op out of whatever it waits in. What a disk is at goes on.
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
		return // whoever takes it up sees it
	case modeDirection, modePoll:
		d.withdraw(o)
	case modeTime:
		if o.Def().Kind != op.Timed {
			return // the disk is at it
		}
		d.w.Drop(d.times[o])
		delete(d.times, o)
	}
	o.Mode = modeEnded
	d.ended.Push(o)
}

// withdraw takes a waiting op out of its registration.
func (d *engine) withdraw(o *op.Op) {
	r := d.regs[o.FD]
	from := r.listOf(o)
	if !from.Remove(o) {
		panic(fmt.Sprintf("driver/sim: %s is not where it waits (fd %d)", o.Def().Name, r.number))
	}
	r.heat() // for who was behind it
}

func (r *registration) listOf(o *op.Op) *op.List {
	switch {
	case o.Code == op.Poll:
		return &r.polls
	case o.Def().Interest&sys.PollOut != 0, o.Code == op.WriteAt, o.Code == op.WriteVec:
		return &r.out
	}
	return &r.in
}

// Forget ends what is kept of a descriptor.
func (d *engine) Forget(f *fd.FD) {
	r := d.regs[f]
	if r == nil {
		return
	}
	if !r.polls.Empty() || !r.in.Empty() || !r.out.Empty() {
		panic(fmt.Sprintf("driver/sim: descriptor %d is forgotten while ops wait on it", r.number))
	}
	r.end()
}

func (r *registration) end() {
	if r.watch != nil {
		r.watch.Stop()
	}
	delete(r.d.regs, r.f)
}

// Wake ends the present Wait, or the next one.
func (d *engine) Wake() {
	d.woken.Store(true)
	d.wakes.Add(1)
	d.cfg.Rouse()
}

// errKilled is the end of a loop whose host has crashed.
var errKilled = errors.New("sim: the host has crashed")

// wanted reports whether a Wait has something to do.
func (d *engine) wanted() bool {
	return d.woken.Load() || len(d.hot) > 0 || !d.made.Empty() || !d.queue.Empty() || !d.ended.Empty()
}

// worldTime is a deadline by the world's clock.
func (d *engine) worldTime(deadline int64) int64 {
	at := deadline + d.ahead
	switch {
	case deadline == driver.Poll, deadline == driver.Forever:
		return deadline
	case d.ahead < 0 && at > deadline: // past what there are numbers for
		return driver.Poll
	case d.ahead > 0 && at < deadline:
		return driver.Forever
	}
	return at
}

// Wait runs what is new and what can go on, and sleeps only if there is nothing to report.
func (d *engine) Wait(deadline int64, done *driver.Queue) error {
	d.done = done
	deadline = d.worldTime(deadline)
	d.sendAll()
	before := d.stats.Completions
	for slept := false; ; slept = true {
		if d.cfg.Killed() {
			return errKilled
		}
		if d.dead == nil && d.cfg.Fault != nil {
			d.dead = d.cfg.Fault()
		}
		if d.dead != nil {
			d.cancelAll()
		}
		d.stats.Enters++
		d.work()
		woken := d.woken.Load() && d.woken.Swap(false)
		switch {
		case d.dead != nil:
			d.cfg.Pause() // or what a disk is at would never end for a loop that turns on
			return d.dead
		case woken, d.stats.Completions != before, d.cfg.Outbox.Failed(),
			deadline != driver.Forever && d.w.Now() >= deadline:
			if !slept {
				d.cfg.Pause()
			}
			if d.cfg.Killed() {
				return errKilled
			}
			return nil
		}
		if !d.wanted() {
			d.cfg.Sleep(deadline)
		}
		if d.woken.Load() {
			d.stats.Wakes++
		}
	}
}

// work takes up what was submitted, cancelled or told.
func (d *engine) work() {
	for queue := d.queue.TakeAll(); !queue.Empty(); {
		d.start(queue.Pop())
	}
	for ended := d.ended.TakeAll(); !ended.Empty(); {
		o := ended.Pop()
		d.end(o, o.Failed(-sys.ECANCELED), 0)
	}
	for made := d.made.TakeAll(); !made.Empty(); {
		d.finish(made.Pop())
	}
	hot := d.hot
	d.hot, d.cool = d.cool, nil
	for _, r := range hot {
		r.heated = false
		if d.regs[r.f] == r {
			d.goOn(r)
		}
	}
	clear(hot)
	d.cool = hot[:0]
}

// start looks at a submitted op for the first time.
func (d *engine) start(o *op.Op) {
	if o.Canceled {
		d.end(o, o.Failed(-sys.ECANCELED), 0)
		return
	}
	o.State = op.InFlight
	switch o.Def().Kind {
	case op.Timed:
		d.after(o, o.Ext.Time.Sec*1e9+o.Ext.Time.Nsec)
	case op.Blocking:
		d.after(o, int64(d.h.DiskTime(o)))
	case op.Pollable:
		d.wait(o)
	default:
		d.end(o, d.h.Attempt(o), 0)
	}
}

// after has the op finished when the clock has gone on by so much.
func (d *engine) after(o *op.Op, ns int64) {
	o.Mode = modeTime
	if ns <= 0 && o.Def().Kind != op.Timed {
		d.finish(o)
		return
	}
	d.times[o] = d.w.After(time.Duration(max(ns, 0)), func() {
		delete(d.times, o)
		o.Mode = modeMade
		d.made.Push(o)
		d.cfg.Rouse()
	})
}

// finish ends an op whose time has come.
func (d *engine) finish(o *op.Op) {
	if o.Code == op.Timeout {
		if o.Canceled {
			d.end(o, -sys.ECANCELED, 0)
			return
		}
		d.end(o, -sys.ETIME, 0)
		return
	}
	if res, ok := d.results[o]; ok {
		delete(d.results, o)
		d.end(o, res, 0)
		return
	}
	if o.Def().Kind == op.Pollable && o.Code != op.Read && o.Code != op.Write { // the other end is no disk
		if o.Canceled {
			d.end(o, o.Failed(-sys.ECANCELED), 0)
			return
		}
		d.waitReady(o)
		return
	}
	res, takes := d.h.Timed(o)
	if o.Code == op.Call && takes > 0 {
		d.results[o] = res
		d.after(o, int64(takes))
		return
	}
	if res == -sys.EAGAIN && !o.Canceled { // it is a pipe, and no disk's affair
		d.waitReady(o)
		return
	}
	if res == -sys.EAGAIN {
		res = -sys.ECANCELED
	}
	if o.Flags&op.Full != 0 {
		if res > 0 {
			if o.Done += uint32(res); int(o.Done) < len(o.Buf) && !o.Canceled {
				d.after(o, int64(d.h.DiskTime(o)))
				return
			}
		}
		res = o.Ended(res)
	}
	if o.Canceled && res >= 0 && o.Def().FDResult && o.Flags&op.Keep == 0 {
		d.h.Close(res)
		res = -sys.ECANCELED
	}
	d.end(o, res, 0)
}

// wait puts an op where its descriptor's readiness finds it, and tries it if its turn has come.
func (d *engine) wait(o *op.Op) {
	if o.Flags&op.Multishot != 0 && (!o.Def().Multishot || o.Def().Select && o.Flags&op.Select == 0) {
		d.end(o, -sys.EINVAL, 0)
		return
	}
	if d.h.WaitsForDisk(o) {
		d.after(o, int64(d.h.DiskTime(o)))
		return
	}
	d.waitReady(o)
}

func (d *engine) waitReady(o *op.Op) {
	r := d.regs[o.FD]
	if r == nil {
		r = &registration{d: d, f: o.FD, number: o.FD.Sys()}
		r.watch = d.h.Watch(r.number, r.heat)
		d.regs[o.FD] = r
	}
	o.Mode = modeDirection
	l := r.listOf(o)
	if l.Push(o); o.Code == op.Poll {
		o.Mode = modePoll
		d.tellPolls(r)
		return
	}
	if l.First() == o {
		d.advance(r, l)
	}
}

// heat has the next Wait try again what waits.
func (r *registration) heat() {
	if !r.heated {
		r.heated = true
		r.d.hot = append(r.d.hot, r)
		r.d.cfg.Rouse()
	}
}

func (d *engine) goOn(r *registration) {
	d.tellPolls(r)
	d.advance(r, &r.in)
	d.advance(r, &r.out)
}

// tellPolls completes the Poll ops that asked for any of what is ready.
func (d *engine) tellPolls(r *registration) {
	if r.polls.Empty() {
		return
	}
	ready := d.h.Ready(r.number)
	for o := r.polls.First(); o != nil; {
		next := o.Next
		mask := ready & (uint32(o.Events) | sys.PollErr | sys.PollHup | sys.PollRdhup)
		switch {
		case ready == sys.PollNval:
			r.polls.Remove(o)
			d.end(o, -sys.EBADF, 0)
		case mask == 0:
		case o.Flags&op.Multishot != 0:
			d.yield(o, int32(mask), 0)
		default:
			r.polls.Remove(o)
			d.end(o, int32(mask), 0)
		}
		o = next
	}
}

// advance runs the ops of a direction in their order until one must wait.
func (d *engine) advance(r *registration, l *op.List) {
	for n := 0; !l.Empty(); n++ {
		if n == attemptsMax {
			r.heat()
			return
		}
		if !d.attempt(l, l.First()) {
			return
		}
	}
}

// attempt tries the first op of a direction once. It reports false if that must wait.
func (d *engine) attempt(l *op.List, o *op.Op) bool {
	if o.Selects() {
		return d.receive(l, o)
	}
	res := d.h.Attempt(o)
	switch {
	case res == -sys.EAGAIN:
		return false
	case res >= 0 && o.Flags&op.Multishot != 0: // an accept
		d.yield(o, res, 0)
		return true
	case o.Flags&op.Full != 0:
		if res > 0 {
			if o.Done += uint32(res); int(o.Done) < len(o.Buf) {
				return true
			}
		}
		res = o.Ended(res)
	}
	l.Pop()
	d.end(o, res, 0)
	return true
}

// receive tries a receive that takes its buffer now that there may be something for it.
func (d *engine) receive(l *op.List, o *op.Op) bool {
	mem, id, ok := d.cfg.Ring.LendOne()
	if !ok {
		d.stats.NoBuffers++
		l.Pop()
		d.end(o, -sys.ENOBUFS, 0)
		return true
	}
	o.Buf = mem
	res := d.h.Attempt(o)
	o.Buf = nil
	if res <= 0 {
		d.cfg.Ring.Unlend(id)
		if res == -sys.EAGAIN {
			return false
		}
		l.Pop()
		d.end(o, res, 0)
		return true
	}
	flags := op.HasBuffer | uint32(id)<<16
	if o.Flags&op.Multishot != 0 {
		if o.Done += uint32(res); o.Limit == 0 || o.Done < o.Limit {
			d.yield(o, res, flags)
			return true
		}
	}
	l.Pop()
	d.end(o, res, flags)
	return true
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

// yield is a completion that another one follows.
func (d *engine) yield(o *op.Op, res int32, flags uint32) {
	d.note(o, res)
	d.stats.Completions++
	d.done.Yield(o, res, flags)
}

// end is the last completion.
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

// Close cancels every op, and waits for what a disk is at.
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
