package loop

import "ringo/internal/mailbox"

// message is what enters a loop from outside.
type message struct {
	kind msgKind
	task *Task
	fn   func()
	job  Job
}

type msgKind uint8

const (
	msgGo     msgKind = iota // start task
	msgPost                  // start fn
	msgJob                   // start job
	msgReady                 // resume task
	msgCancel                // cancel task
	msgCall                  // call fn on the loop, not as a task
	msgLimit                 // likewise, but of no interest when the loop has ended
)

// starts reports whether the message starts something.
func (k msgKind) starts() bool { return k <= msgJob }

// inbox is a loop's mail. What starts tasks and what concerns those that exist
// come in two lanes: however many posts there are, a task that waits for an Offload
// is resumed, a drain is heard. The mail of one sender is taken in in its order, but
// that an urgent message may pass starts for which there is no room yet.
type inbox struct {
	starts mailbox.Queue[message]
	urgent mailbox.Queue[message]
	// What was taken out of them and is still to be handled.
	startsLeft mailbox.Batch[message]
	urgentLeft mailbox.Batch[message]
}

// waiting reports whether there is mail.
func (b *inbox) waiting() bool {
	return !b.starts.Empty() || !b.urgent.Empty() || !b.startsLeft.Empty() || !b.urgentLeft.Empty()
}

// send puts a message into the mailbox; false if the loop is gone. G.
func (l *Loop) send(m message) bool {
	if l.unmade() {
		return false
	}
	lane := &l.inbox.urgent
	if m.kind.starts() {
		lane = &l.inbox.starts
	}
	if !l.set.world.Reaches() || !lane.Push(m) {
		return false
	}
	l.drv.Wake()
	return true
}

// Call runs fn on the loop's own g, between tasks: it must not park. G.
func (l *Loop) Call(fn func()) bool { return l.send(message{kind: msgCall, fn: fn}) }

// StartFrom is Start from any goroutine; false if the loop is gone, or shut to the caller. G.
func (l *Loop) StartFrom(j Job) bool { return !l.refusesCaller() && l.StartOpen(j) }

// StartOpen is StartFrom for the sake of what is open on the loop, which starts few jobs at a time: also if that is
// shut. G.
func (l *Loop) StartOpen(j Job) bool { return l.send(message{kind: msgJob, job: j}) }

// read takes in what came from outside, as much as a turn has room for. The
// urgent lane is looked into first and handled last: who sent a start and then
// something urgent finds both in.
func (b *inbox) read(l *Loop) {
	if !b.waiting() {
		return
	}
	if b.urgentLeft.Empty() {
		b.urgentLeft = b.urgent.Take()
	}
	if b.startsLeft.Empty() {
		b.startsLeft = b.starts.Take()
	}
	// As many starts as the turn can run. If tasks that are always ready leave no
	// room at all, a quarter comes in beside them.
	handleSome(l, &b.startsLeft, max(l.cfg.Budget-l.ready.len(), (l.cfg.Budget+3)/4))
	handleSome(l, &b.urgentLeft, mailBudget*l.cfg.Budget)
}

func handleSome(l *Loop, from *mailbox.Batch[message], most int) {
	for range most {
		m, ok := from.Next()
		if !ok {
			return
		}
		l.counts.Mails++
		m.handle(l)
	}
}

func (m *message) handle(l *Loop) {
	switch m.kind {
	case msgGo:
		l.tasks.admit(l, m.task)
	case msgPost:
		l.Start(jobFunc(m.fn))
	case msgJob:
		l.Start(m.job)
	case msgReady:
		l.Ready(m.task)
	case msgCancel:
		l.cancelTask(m.task)
	case msgCall, msgLimit:
		m.fn()
	}
}

// refuse ends what came too late.
func (b *inbox) refuse() {
	refuse(&b.startsLeft)
	refuse(&b.urgentLeft)
	starts, urgent := b.starts.Close(), b.urgent.Close()
	refuse(&starts)
	refuse(&urgent)
}

func refuse(rest *mailbox.Batch[message]) {
	for {
		m, ok := rest.Next()
		if !ok {
			return
		}
		switch m.kind {
		case msgGo:
			m.task.wakeJoiners(ErrEnded)
		case msgJob:
			refuseJob(m.job)
		case msgCall:
			m.fn()
		}
	}
}

// refuseJob tells a job that it never runs, if that wants to know.
func refuseJob(j Job) {
	if r, ok := j.(interface{ Refused() }); ok {
		r.Refused()
	}
}
