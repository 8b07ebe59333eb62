package loop

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"ringo/internal/op"
	"ringo/internal/rt/code"
)

// Describer is a Waiter that can say what it is.
type Describer interface {
	// DescribeWait tells what t waits for. It runs on the loop's thread while t is parked, must not park, and
	// allocates nothing, since there may be many.
	DescribeWait(t *Task, d *Wait)
}

// Wait is what a task waits for. Nothing in it is the task's.
type Wait struct {
	Op      string         // "recv", "sleep", "Mutex.Lock"
	Behind  bool           // another caller of the same; what On says
	FD      int32          // of the handle; -1 for none
	Peer    netip.AddrPort // of its connection
	PeerAt  net.Addr       // the same where it is no address of IP
	Until   int64          // of NowNS, when it ends by itself; 0: never
	Details string         // "for a slot"
	Runs    code.Func      // of another thread, for the task; 0: nothing
	On      Ref            // whom it waits for
}

// Ref names a task, or where the task is not known, its loop.
type Ref struct {
	Known bool
	Loop  int
	ID    uint32    // 0: not known
	Code  code.Func // 0: not known
	Name  string
}

// NoWait is the Wait of a task that does not wait, or does not say for what.
var NoWait = Wait{FD: -1}

// String says it in a line.
func (d *Wait) String() string {
	var b strings.Builder
	b.WriteString(d.Op)
	if d.Details != "" {
		fmt.Fprintf(&b, " (%s)", d.Details)
	}
	if name := d.Runs.Name(); name != "" && d.Details == "" {
		fmt.Fprintf(&b, " of %s", name)
	}
	if d.Behind {
		b.WriteString(", behind another caller")
	}
	if d.FD >= 0 {
		fmt.Fprintf(&b, ", fd %d", d.FD)
	}
	if peer := d.PeerName(); peer != "" {
		fmt.Fprintf(&b, ", peer %s", peer)
	}
	if on := d.On.String(); on != "" {
		fmt.Fprintf(&b, ", %s", on)
	}
	return b.String()
}

// PeerName is the address of the peer; "" for none.
func (d *Wait) PeerName() string {
	switch {
	case d.Peer.IsValid():
		return netip.AddrPortFrom(d.Peer.Addr().Unmap(), d.Peer.Port()).String()
	case d.PeerAt != nil:
		return d.PeerAt.String()
	}
	return ""
}

// String names the task, as "task 12 main.worker of loop 0".
func (r *Ref) String() string {
	switch {
	case !r.Known:
		return ""
	case r.ID == 0:
		return fmt.Sprintf("loop %d", r.Loop)
	}
	name := r.Name
	if name == "" {
		name = r.Code.Name()
	}
	return strings.TrimSpace(fmt.Sprintf("task %d %s", r.ID, name)) + fmt.Sprintf(" of loop %d", r.Loop)
}

// ref names the task to those who look from l's thread: what it runs is its own loop's business.
func (t *Task) ref(l *Loop) Ref {
	r := Ref{Known: true, Loop: t.l.index}
	if t.l == l && t.w != nil {
		r.ID, r.Code, r.Name = t.w.id, t.w.code, t.Name()
	}
	return r
}

// DescribeWait tells of the op that the task waits for.
func (t *Task) DescribeWait(_ *Task, d *Wait) {
	o := t.op
	if o == nil {
		return
	}
	d.Op = op.Table[o.Code].Name
	if o.FD != nil {
		d.FD = o.FD.Sys()
	}
}

// DescribeWait tells which task is waited for.
func (j *joined) DescribeWait(t *Task, d *Wait) { d.Op, d.On = "Task.Wait", (*Task)(j).ref(t.l) }

// DescribeWait tells which task is waited for.
func (s *served) DescribeWait(t *Task, d *Wait) { d.Op, d.On = "Task.Wait", (*Task)(s).ref(t.l) }

// DescribeWait tells whether the call has begun.
func (c *call) DescribeWait(_ *Task, d *Wait) {
	if c.as != nil {
		c.as.DescribeWait(c.task, d)
		return
	}
	d.Op, d.Runs = c.lane.Words(), code.Func(c.job.What)
	if c.lane.Waits(&c.job) {
		d.Details = "for a slot"
	}
	if c.timer.Armed() {
		d.Until = c.timer.At()
	}
}
