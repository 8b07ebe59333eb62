package differ

import "context"

// A meeting is one way in which an actor waits for another.
type meeting struct{ how int }

// Ways to meet. Each meeting happens once.
const (
	byChan = iota
	byEmptyChan
	bySemaphore
	byWaitGroup
	byCond
	byMutex
	byClose
	byEither
	byPost
	byTimer
	byTaskOfWaitGroup
	byWaitContext
	meetingKinds
)

var meetingNames = [...]string{"Chan", "Chan of 0", "Semaphore", "WaitGroup", "Cond", "Mutex", "Chan.Close", "Select",
	"Post", "AfterFunc", "Call", "WaitContext"}

// A met is a meeting of a running plan.
type met struct {
	how    int
	c, not Chan
	sem    Semaphore
	group  WaitGroup
	mutex  Mutex
	cond   Cond
	ready  bool
}

func newMet(w World, how int) *met {
	m := &met{how: how}
	switch how {
	case byChan, byClose, byPost, byTimer, byTaskOfWaitGroup:
		m.c = w.NewChan(1)
	case byEmptyChan:
		m.c = w.NewChan(0)
	case byEither:
		m.c, m.not = w.NewChan(1), w.NewChan(1)
	case bySemaphore:
		m.sem = w.NewSemaphore(1)
		m.sem.TryAcquire(1)
	case byWaitGroup, byWaitContext:
		m.group = w.NewWaitGroup()
		m.group.Add(1)
	case byCond:
		m.mutex = w.NewMutex()
		m.cond = w.NewCond(m.mutex)
	case byMutex:
		m.mutex = w.NewMutex()
		m.mutex.Lock()
	}
	return m
}

var (
	tell  = &verb{"tell m%[1]d (%[5]s)", func(x *actor, s *Step) string { return x.meets[s.O].tell(x) }}
	await = &verb{"await m%[1]d (%[5]s)", func(x *actor, s *Step) string { return x.meets[s.O].await(x) }}
)

func (m *met) tell(x *actor) string {
	ctx := context.Background()
	switch m.how {
	case byChan, byEmptyChan, byEither:
		return class(m.c.Send(ctx, 7))
	case bySemaphore:
		m.sem.Release(1)
	case byWaitGroup, byWaitContext:
		m.group.Done()
	case byCond:
		m.mutex.Lock()
		m.ready = true
		m.mutex.Unlock()
		m.cond.Broadcast()
	case byMutex:
		m.mutex.Unlock()
	case byClose:
		m.c.Close()
	case byPost:
		return class(x.Post(x.i%Loops, func() { m.c.TrySend(7) }))
	case byTimer:
		x.AfterFunc(0, func() { m.c.TrySend(7) })
	case byTaskOfWaitGroup:
		return class(x.Call(x.i%Loops, func() error { return m.c.Send(ctx, 7) }))
	}
	return "ok"
}

func (m *met) await(x *actor) string {
	ctx := context.Background()
	switch m.how {
	case byChan, byEmptyChan, byPost, byTimer, byTaskOfWaitGroup:
		v, err := m.c.Recv(ctx)
		return valued(v, err)
	case byEither:
		which, v, err := x.Either(m.not, m.c)
		return valued(which*100+v, err)
	case bySemaphore:
		return class(m.sem.Acquire(ctx, 1))
	case byWaitGroup:
		m.group.Wait()
	case byWaitContext:
		return class(m.group.WaitContext(ctx))
	case byCond:
		m.mutex.Lock()
		defer m.mutex.Unlock()
		for !m.ready {
			m.cond.Wait()
		}
	case byMutex:
		m.mutex.Lock()
	case byClose:
		_, err := m.c.Recv(ctx)
		return class(err)
	}
	return "ok"
}
