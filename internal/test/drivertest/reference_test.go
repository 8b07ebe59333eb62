//go:build linux

package drivertest

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"ringo/internal/driver"
	"ringo/internal/fd"
	"ringo/internal/mailbox"
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/sys"
	"ringo/stats"
	"ringo/uring"
)

// reference is a driver that keeps the contract in the plainest way: it tries
// every op that it has, and when none can go on it sleeps in poll(2) on all of
// them. It is slow, and here only so that the suite has something to pass, and,
// with one of its bugs, something to fail.
type reference struct {
	cfg   driver.Config
	ops   []*op.Op // submitted, in that order
	notes map[*op.Op]*note
	taken map[direction]bool
	polls []unix.PollFd
	gate  mailbox.Gate
	event int32
	stats stats.Driver
	dead  error
	ended bool

	bug   bug
	spoil spoils
}

// note is what the driver knows of an op beside what the op says.
type note struct {
	end  int64  // of a timeout
	seen uint32 // what a multishot poll has told
	sum  int32  // what a multishot receive has brought
}

// direction is one side of a stream, which one op has at a time.
type direction struct {
	fd  int32
	out bool
}

func newReference(cfg driver.Config, b bug) *reference {
	d := &reference{cfg: cfg, bug: b, notes: map[*op.Op]*note{}, taken: map[direction]bool{}, event: sys.Eventfd()}
	d.spoil = newSpoils(d)
	return d
}

func (d *reference) Info() driver.Info {
	return d.spoil.info(driver.Info{
		Info:  stats.Info{Name: "reference", Features: []string{uring.CheckRecvLimit}},
		Edges: true, Stats: d.stats,
	})
}

func (d *reference) Try(o *op.Op) (res int32, ok bool) {
	if o.Def().Attempt == nil {
		return 0, d.bug == "tries what can't be tried"
	}
	if o.Def().Kind == op.Blocking {
		res, ok = driver.Cached(o)
		return res, d.spoil.try(o, res, ok)
	}
	res = d.call(o)
	return res, d.spoil.try(o, res, res != -sys.EAGAIN)
}

// call is the op's plain call, with what the race detector must know.
func (d *reference) call(o *op.Op) int32 {
	if d.bug == "tells the race detector nothing" {
		return o.Attempt()
	}
	race.WriteLike()
	res := o.Attempt()
	race.ReadLike()
	o.EachWritten(res, race.WriteRange)
	if o.Code == op.Poll && res > 0 && res&unix.POLLNVAL != 0 {
		return -sys.EBADF
	}
	return res
}

func (d *reference) Submit(o *op.Op) {
	if (o.State != op.Idle || d.ended) && d.bug != "takes whatever it is given" {
		panic("an op that is not to be submitted")
	}
	if d.spoil.submit(o) {
		return
	}
	o.State = op.Queued
	if d.notes[o] == nil {
		d.notes[o] = new(note)
	}
	*d.notes[o] = note{}
	if o.Code == op.Timeout {
		d.notes[o].end = d.cfg.Now() + o.Ext.Time.Sec*1e9 + o.Ext.Time.Nsec
	}
	if o.FD != nil {
		o.FD.Ref()
		if sys.IsRegular(o.FD.Sys()) {
			o.Mode = op.ModeFile
		}
	}
	d.ops = append(d.ops, o)
	d.spoil.submitted(o)
}

func (d *reference) Cancel(o *op.Op) {
	if o.State == op.Idle && d.bug != "takes whatever it is given" {
		panic("a cancel of an op that was not submitted")
	}
	if !d.spoil.cancel(o) {
		o.Canceled = true
	}
}

func (d *reference) Wait(deadline int64, done *driver.Queue) error {
	if d.ended {
		return os.ErrClosed
	}
	deadline = d.spoil.wait(deadline, done)
	before := done.Len()
	d.send()
	defer d.spoil.sends()
	if d.bug == "takes old completions for new ones" {
		before = 0
	}
	for {
		if d.dies(done) {
			return d.dead
		}
		over := d.cfg.Now() >= deadline
		d.spoil.over = over && deadline != driver.Poll
		d.round(done)
		woken := d.gate.Awake() || d.spoil.woken()
		if woken || done.Len() > before || d.failed() || over || !d.gate.Announce() {
			done.Looked = d.spoil.over && d.bug != "does not say that it has looked"
			d.spoil.waited(woken, done)
			return nil
		}
		d.sleep(deadline)
	}
}

// send makes the sends of the outbox.
func (d *reference) send() {
	if d.cfg.Outbox == nil || d.spoil.withholds() {
		return
	}
	d.stats.Sends += d.cfg.Outbox.SendAll(0)
	if d.cfg.Outbox.Failed() {
		d.stats.ShortSends += d.cfg.Outbox.CountShort()
	}
	d.spoil.sent()
}

func (d *reference) failed() bool {
	switch d.bug {
	case "sleeps over a send that failed":
		return false
	case "ends a wait for each send":
		return d.cfg.Outbox.Len() > 0
	}
	return d.cfg.Outbox.Failed()
}

// dies reports whether the driver is dead, and ends what it has if so.
func (d *reference) dies(done *driver.Queue) bool {
	if d.spoil.immortal() {
		return false
	}
	if d.dead == nil && d.cfg.Fault != nil {
		d.dead = d.cfg.Fault()
	}
	if d.dead != nil && d.spoil.ends() {
		d.cancelAll()
		d.round(done)
	}
	return d.dead != nil
}

func (d *reference) cancelAll() {
	for _, o := range d.ops {
		o.Canceled = true
	}
}

// round gives every op a try, each direction to the oldest one that wants it.
func (d *reference) round(done *driver.Queue) {
	clear(d.taken)
	d.spoil.round(done)
	for i := 0; i < len(d.ops); i++ {
		if d.bug == "tells of some when it is late" && d.spoil.over && done.Len() > 20 {
			return
		}
		if o := d.ops[i]; d.try(o, done) {
			d.ops = slices.Delete(d.ops, i, i+1)
			i--
		}
	}
}

// try reports whether the op has ended.
func (d *reference) try(o *op.Op, done *driver.Queue) (ended bool) {
	if o.Canceled {
		return d.end(o, d.canceled(o), 0, done)
	}
	o.State = op.InFlight
	dir, streams := directionOf(o)
	if streams && d.taken[dir] {
		return false
	}
	for {
		res, flags := d.attempt(o)
		switch {
		case d.spoil.keepsWaiting(o, res), res == -sys.EAGAIN && d.bug != "shows EAGAIN":
			d.taken[dir] = streams
			return false
		case isMore(o, res) && !d.full(o, res) && d.bug != "ends a multishot with its first completion":
			d.push(driver.Completion{Op: o, Res: res, Flags: flags | op.More}, done)
		case o.Flags&op.Full != 0 && d.goesOn(o, res):
		default:
			if o.Flags&op.Full != 0 && o.Done > 0 && d.bug != "forgets what a full op did before its error" {
				res = int32(o.Done)
			}
			return d.end(o, res, flags, done)
		}
	}
}

// isMore reports whether another completion will follow this one. A receive of
// nothing is the end, while descriptor 0 is one like the others.
func isMore(o *op.Op, res int32) bool {
	return o.Flags&op.Multishot != 0 && (res > 0 || res == 0 && o.Code == op.Accept)
}

// full reports whether a multishot receive has brought as much as it may.
func (d *reference) full(o *op.Op, res int32) bool {
	if o.Code != op.Recv || o.Limit == 0 || d.bug == "forgets limits" {
		return false
	}
	n := d.notes[o]
	n.sum += res
	return n.sum >= int32(o.Limit)
}

// goesOn reports whether a full op has more to do.
func (d *reference) goesOn(o *op.Op, res int32) bool {
	if res <= 0 {
		return false
	}
	o.Done += uint32(res)
	return int(o.Done) < len(o.Buf)
}

// canceled is the result of a cancelled op.
func (d *reference) canceled(o *op.Op) int32 {
	if o.Flags&op.Full != 0 && o.Done > 0 && d.bug != "forgets what a cancelled op did" {
		return int32(o.Done)
	}
	return d.spoil.canceled(o)
}

// attempt gives -EAGAIN if the op has to wait.
func (d *reference) attempt(o *op.Op) (res int32, flags uint32) {
	n := d.notes[o]
	switch {
	case d.spoil.attempt(o):
		return -sys.EAGAIN, 0
	case d.bug == "claims what it did not do" && claimable(o.Code):
		return int32(len(o.Buf)), 0
	case o.Code == op.Timeout:
		if d.cfg.Now() < n.end && d.bug != "ends timeouts at once" {
			return -sys.EAGAIN, 0
		}
		return -sys.ETIME, 0
	case o.Selects():
		return d.selected(o)
	case o.Code == op.Poll && o.Flags&op.Multishot != 0:
		return d.edge(o, n), 0
	}
	return d.spoil.result(o, d.call(o)), 0
}

func claimable(c op.Code) bool {
	return c == op.Send || c == op.SendZC || c == op.Sendmsg || c == op.SpliceOut || c == op.Connect
}

// selected receives into a buffer of the pool, which goes back if there is nothing.
func (d *reference) selected(o *op.Op) (res int32, flags uint32) {
	mem, id, ok := d.cfg.Ring.LendOne()
	if !ok {
		if sys.Poll(o.FD.Sys(), sys.PollIn) == 0 {
			return -sys.EAGAIN, 0
		}
		d.stats.NoBuffers++
		return d.spoil.dry(o), 0
	}
	o.Buf = mem
	res = d.spoil.result(o, d.call(o))
	o.Buf = nil
	if res <= 0 {
		d.spoil.unlend(o, id)
		return res, 0
	}
	return res, op.HasBuffer | uint32(id)<<16
}

// edge is a multishot poll's news: readiness that was not there before.
func (d *reference) edge(o *op.Op, n *note) int32 {
	res := d.call(o)
	if res < 0 {
		n.seen = 0
		return res
	}
	news := uint32(res) &^ n.seen
	if news == 0 {
		return -sys.EAGAIN
	}
	if d.bug != "reports readiness again and again" || d.spoil.stutters() {
		n.seen = uint32(res)
	}
	return res
}

func (d *reference) end(o *op.Op, res int32, flags uint32, done *driver.Queue) bool {
	o.State = op.Idle
	if o.FD != nil {
		o.FD.Unref()
	}
	d.spoil.end(o, done)
	d.push(driver.Completion{Op: o, Res: res, Flags: flags}, done)
	return true
}

func (d *reference) push(c driver.Completion, done *driver.Queue) {
	d.stats.Completions++
	if !d.spoil.push(&c, done) {
		done.Push(c)
	}
}

func (d *reference) Forget(f *fd.FD) { d.spoil.forget(f.Sys()) }

func (d *reference) Wake() {
	if !d.spoil.wake() && d.gate.Notify() {
		sys.Signal(d.event)
		if d.gate.Signalled() {
			sys.Close(d.event)
		}
	}
}

func (d *reference) Close(done *driver.Queue) error {
	if d.ended {
		return d.spoil.closeAgain()
	}
	d.ended = true
	d.spoil.close()
	d.cancelAll()
	d.round(done)
	if d.gate.Close() && d.bug != "leaves a descriptor open" {
		sys.Close(d.event)
	}
	return nil
}

// sleep waits in poll(2) till something can go on, or the deadline.
func (d *reference) sleep(deadline int64) {
	d.polls = append(d.polls[:0], unix.PollFd{Fd: d.event, Events: unix.POLLIN})
	clear(d.taken)
	for _, o := range d.ops {
		dir, streams := directionOf(o)
		switch {
		case o.Code == op.Timeout:
			deadline = min(deadline, d.notes[o].end)
		case o.FD != nil && !(streams && d.taken[dir]):
			d.taken[dir] = streams
			d.watch(o)
		}
	}
	if d.spoil.sleepless() {
		return
	}
	var ts *unix.Timespec
	if deadline != driver.Forever {
		left := unix.NsecToTimespec(max(deadline-d.cfg.Now(), 0))
		ts = &left
	}
	switch _, err := unix.Ppoll(d.polls, ts, nil); err {
	case nil:
		sys.Unsignal(d.event)
	case unix.EINTR:
		d.spoil.interrupted = true
	default:
		panic(err)
	}
}

// watch makes the sleep end for what the op waits for. News that a multishot poll
// has told are none.
func (d *reference) watch(o *op.Op) {
	interest := o.Interest()
	if d.bug == "wants to know of every half-close" {
		interest |= sys.PollRdhup
	}
	if seen := d.notes[o].seen; seen != 0 {
		if interest &^= seen; interest == 0 || seen&(sys.PollHup|sys.PollErr) != 0 {
			return
		}
	}
	d.polls = append(d.polls, unix.PollFd{Fd: o.FD.Sys(), Events: int16(interest)})
}

func directionOf(o *op.Op) (dir direction, streams bool) {
	switch o.Code {
	case op.Recv, op.Recvmsg, op.Recvmmsg, op.SpliceIn, op.Read:
		return direction{o.FD.Sys(), false}, o.Mode != op.ModeFile
	case op.Send, op.SendZC, op.Sendmsg, op.Sendmmsg, op.SpliceOut, op.Sendfile, op.Write:
		return direction{o.FD.Sys(), true}, o.Mode != op.ModeFile
	}
	return direction{}, false
}
