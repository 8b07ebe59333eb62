package loop

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"ringo/internal/op"
	"ringo/internal/rt/code"
)

// Describer is what a parked task waits for, as observers see it.
type Describer interface {
	// DescribeWait fills in what t waits for. It runs on the loop's thread while t is parked. It must not park, and
	// does not allocate, because it may be called for many tasks.
	DescribeWait(t *Task, d *Wait)
}

// Wait describes what a task waits for. Nothing in it belongs to the task.
type Wait struct {
	Op      string         // "recv", "sleep", "Mutex.Lock"
	Behind  bool           // it waits for another caller of the same operation
	FD      int32          // the handle's; -1 for none
	Peer    netip.AddrPort // the peer's address, for a connection
	PeerAt  net.Addr       // the same, if it is not an IP address
	Until   int64          // when the wait ends by itself, by NowNS; 0: never
	Details string         // "for a slot"
	Runs    code.Func      // what another thread runs for the task; 0: nothing
	On      Ref            // the task or loop it waits for
}

// Ref names a task, or if the task is not known, its loop.
type Ref struct {
	Known bool
	Loop  int
	ID    uint32    // 0: not known
	Code  code.Func // 0: not known
	Name  string
}

// NoWait is the Wait of a task that does not wait, or does not say for what.
var NoWait = Wait{FD: -1}

// String returns the wait in one line.
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

// PeerName returns the address of the peer; "" for none.
func (d *Wait) PeerName() string {
	switch {
	case d.Peer.IsValid():
		return netip.AddrPortFrom(d.Peer.Addr().Unmap(), d.Peer.Port()).String()
	case d.PeerAt != nil:
		return d.PeerAt.String()
	}
	return ""
}

// String returns the task's name, as "task 12 main.worker of loop 0".
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

// ref names the task to observers on l's thread. What it runs only its own loop may read.
func (t *Task) ref(l *Loop) Ref {
	r := Ref{Known: true, Loop: t.l.index}
	if t.l == l && t.w != nil {
		r.ID, r.Code, r.Name = t.w.id, t.w.code, t.Name()
	}
	return r
}

// DescribeWait describes the op that the task waits for.
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

// DescribeWait names the task that is waited for.
func (j *joined) DescribeWait(t *Task, d *Wait) { d.Op, d.On = "Task.Wait", (*Task)(j).ref(t.l) }

// DescribeWait names the task that is waited for.
func (s *served) DescribeWait(t *Task, d *Wait) { d.Op, d.On = "Task.Wait", (*Task)(s).ref(t.l) }

// DescribeWait says what the call is, and whether it waits for a slot.
func (c *call) DescribeWait(_ *Task, d *Wait) {
	if c.as.Wait != nil {
		c.as.Wait.DescribeWait(c.task, d)
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
