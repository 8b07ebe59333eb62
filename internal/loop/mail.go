package loop

import "ringo/internal/mailbox"

// message is what other threads send to a loop.
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
	msgReady                 // resume the parked task
	msgCancel                // cancel task
	msgCall                  // call fn on the loop, not as a task
	msgLimit                 // as msgCall, but dropped when the loop has ended
)

// starts reports whether messages of the kind start a task.
func (k msgKind) starts() bool { return k <= msgJob }

// inbox is a loop's mailbox. It has two queues, one for mail that starts tasks and one for mail to existing tasks, so
// that however many posts there are a task resumes after its Offload, and the loop learns of a drain. The loop takes
// in the mail of one sender in order, but urgent mail may overtake starts for which there is no room yet.
type inbox struct {
	starts mailbox.Queue[message]
	urgent mailbox.Queue[message]
	// Mail that was taken out of the queues and not handled yet.
	startsLeft mailbox.Batch[message]
	urgentLeft mailbox.Batch[message]
}

// waiting reports whether there is mail.
func (b *inbox) waiting() bool {
	return !b.starts.Empty() || !b.urgent.Empty() || !b.startsLeft.Empty() || !b.urgentLeft.Empty()
}

// send puts a message into the mailbox; false if the loop has ended. G.
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

// Call runs fn on the loop's own goroutine, between tasks: fn must not park. G.
func (l *Loop) Call(fn func()) bool { return l.send(message{kind: msgCall, fn: fn}) }

// StartFrom is Start for any goroutine; false if the loop has ended, or is shut to the caller. G.
func (l *Loop) StartFrom(j Job) bool { return !l.refusesCaller() && l.StartOpen(j) }

// StartOpen is StartFrom for handles that are open on the loop. They start few jobs at a time, so they may do so even
// if the loop is shut. G.
func (l *Loop) StartOpen(j Job) bool { return l.send(message{kind: msgJob, job: j}) }

// read handles mail, as much as a turn has room for. It takes the urgent mail out first and handles it last: if a
// sender has sent a start and then something urgent, a turn that handles the second has the first, too.
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
	// As many starts as the turn can run. If ready tasks leave no room at all it takes in a quarter of the budget all
	// the same.
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
		m.task.cancel()
	case msgCall, msgLimit:
		m.fn()
	}
}

// refuse ends mail that came too late.
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

// refuseJob calls the job's Refused, if it has that method: the job never runs.
func refuseJob(j Job) {
	if r, ok := j.(interface{ Refused() }); ok {
		r.Refused()
	}
}
