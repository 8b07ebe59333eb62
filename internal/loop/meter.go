package loop

import "time"

// meter measures for how long each task has its loop, for somebody who watches: the clock is read after each switch,
// and where a worker goes on with a task that begins. A loop that nobody watches has none, which costs a look at a
// pointer in a turn, and one at each beginning.
//
//	none ──Meter──▶ spans of a second ──nobody has asked for meterMax──▶ none
type meter struct {
	until int64            // nobody has asked for longer
	begun int64            // the present span
	ran   map[uint32]int64 // in the present span, by tasks that have not ended
	last  map[uint32]int64 // in the one before, which lasted for span
	span  int64
	task  uint32 // which runs; 0: none does yet
	since int64  // since when, or up to when the time is charged
}

const (
	meterSpan = int64(time.Second)
	meterMax  = int64(5 * time.Second)
)

// Meter has the loop measure its tasks, for some seconds from now on: TaskInfo.Ran tells. It does not wait. G.
func (l *Loop) Meter() {
	l.Call(func() {
		now := l.set.elapsed()
		if l.meter == nil {
			l.meter = &meter{begun: now, ran: map[uint32]int64{}}
		}
		l.meter.until = now + meterMax
	})
}

// runMetered is runUntilExit with a look at the clock after each switch.
func (l *Loop) runMetered() {
	m, now := l.meter, l.set.elapsed()
	if now > m.until {
		l.meter = nil
		return
	}
	m.turned(now)
	m.task, m.since = 0, now
	defer func() {
		if v := recover(); v == any(sentinel) {
			m.charge(l.set.elapsed(), true)
		} else if v != nil {
			panic(v)
		}
	}()
	for l.runs() {
		w := l.idle
		if it := l.ready.peek(0); it.resumes() {
			t := it.task
			if sampled(l.ready.head) {
				l.noteDelay()
			}
			l.ready.pop()
			l.spent++
			l.cur, l.taskCalls = t, 0
			w = t.w
			m.task = w.id
		} else if w == nil {
			w = l.idleWorker()
		} else {
			l.idle, w.next = w.next, nil
		}
		l.switchTo(w)
		m.charge(l.set.elapsed(), w.task == nil)
	}
}

// begins says that a task begins where another may just have ended.
func (m *meter) begins(task uint32, now int64) {
	m.charge(now, true)
	m.task = task
}

// charge charges the task that has run, unless it has ended: then nobody will ask for it.
func (m *meter) charge(now int64, ended bool) {
	if ended {
		delete(m.ran, m.task)
	} else {
		m.ran[m.task] += now - m.since
	}
	m.task, m.since = 0, now
}

// turned begins the next span if it is time to.
func (m *meter) turned(now int64) {
	if now-m.begun >= meterSpan {
		m.last, m.span, m.ran, m.begun = m.ran, now-m.begun, make(map[uint32]int64, len(m.ran)), now
	}
}

// share is the part of the last full span in which a task has had its loop, in millionths.
func (m *meter) share(id uint32, now int64) int64 {
	if m == nil || m.span == 0 || now-m.begun > 2*meterSpan { // or nothing has run since
		return 0
	}
	return m.last[id] * 1e6 / m.span
}
