package loop

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
)

// send puts a message into the mailbox; false if the loop is gone. G.
func (l *Loop) send(m message) bool {
	if !l.mail.Push(m) {
		return false
	}
	l.drv.Wake()
	return true
}

// Call runs fn on the loop's own g, between tasks: it must not park. G.
func (l *Loop) Call(fn func()) bool { return l.send(message{kind: msgCall, fn: fn}) }

// StartFrom is Start from any goroutine; false if the loop is gone. G.
func (l *Loop) StartFrom(j Job) bool { return l.send(message{kind: msgJob, job: j}) }

// readMail takes in what came from outside.
func (l *Loop) readMail() {
	if l.mail.Empty() {
		return
	}
	batch := l.mail.Take()
	for {
		m, ok := batch.Next()
		if !ok {
			return
		}
		l.handle(m)
	}
}

func (l *Loop) handle(m message) {
	switch m.kind {
	case msgGo:
		l.live++
		l.ready.push(item{task: m.task})
	case msgPost:
		l.Start(jobFunc(m.fn))
	case msgJob:
		l.Start(m.job)
	case msgReady:
		l.Ready(m.task)
	case msgCancel:
		l.cancelTask(m.task)
	case msgCall:
		m.fn()
	}
}

// refuseMail ends what came too late.
func (l *Loop) refuseMail() {
	rest := l.mail.Close()
	for {
		m, ok := rest.Next()
		if !ok {
			return
		}
		switch m.kind {
		case msgGo:
			m.task.conclude(ErrEnded)
		case msgCall:
			m.fn()
		}
	}
}
