package loop

import "time"

// meter measures for how long each task has its loop, for somebody who watches: a clock is read before and after each
// switch. A loop that nobody watches has none, which costs a look at a pointer in a turn.
//
//	none ──Meter──▶ spans of a second ──nobody has asked for meterMax──▶ none
type meter struct {
	until int64            // nobody has asked for longer
	begun int64            // the present span
	ran   map[uint32]int64 // by task, in the present span
	last  map[uint32]int64 // in the one before, which lasted for span
	span  int64
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
	defer func() {
		if v := recover(); v != nil && v != any(sentinel) {
			panic(v)
		}
	}()
	m, now := l.meter, l.set.elapsed()
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
		} else if w == nil {
			w = l.idleWorker()
		} else {
			l.idle, w.next = w.next, nil
		}
		l.switchTo(w)
		before := now
		now = l.set.elapsed()
		m.ran[w.id] += now - before
	}
	if now-m.begun >= meterSpan {
		m.last, m.span, m.ran, m.begun = m.ran, now-m.begun, make(map[uint32]int64, len(m.ran)), now
	}
	if now > m.until {
		l.meter = nil
	}
}

// share is the part of the last full span in which a task has had its loop, in millionths.
func (m *meter) share(id uint32, now int64) int64 {
	if m == nil || m.span == 0 || now-m.begun > 2*meterSpan { // or nothing has run since
		return 0
	}
	return m.last[id] * 1e6 / m.span
}
