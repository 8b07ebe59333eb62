package differ

import (
	"context"
	"sync"
)

// The locks of programs with goroutines alone: package sync, or channels where a wait has to end by a context.

func (w *netWorld) NewChan(capacity int) Chan {
	return &goChan{c: make(chan int, capacity), closed: make(chan struct{})}
}

type goChan struct {
	c      chan int
	closed chan struct{} // senders check it; receivers take what is left first
	once   sync.Once
}

func (c *goChan) Close()   { c.once.Do(func() { close(c.closed) }) }
func (c *goChan) Len() int { return len(c.c) }

func (c *goChan) Send(ctx context.Context, v int) error {
	select {
	case <-c.closed:
		return ErrChanClosed
	default:
	}
	select {
	case c.c <- v:
		return nil
	case <-c.closed:
		return ErrChanClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *goChan) Recv(ctx context.Context) (int, error) {
	select {
	case v := <-c.c:
		return v, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-c.closed:
		return c.rest()
	}
}

// rest receives from a closed channel what is left in it.
func (c *goChan) rest() (int, error) {
	select {
	case v := <-c.c:
		return v, nil
	default:
		return 0, ErrChanClosed
	}
}

func (c *goChan) TrySend(v int) bool {
	select {
	case <-c.closed:
		return false
	default:
	}
	select {
	case c.c <- v:
		return true
	default:
		return false
	}
}

func (c *goChan) TryRecv() (int, bool) {
	select {
	case v := <-c.c:
		return v, true
	default:
		return 0, false
	}
}

func (w *netWorld) Either(a, b Chan) (which, v int, err error) {
	x, y := a.(*goChan), b.(*goChan)
	select {
	case v := <-x.c:
		return 0, v, nil
	case v := <-y.c:
		return 1, v, nil
	case <-x.closed:
		v, err := x.rest()
		return 0, v, err
	case <-y.closed:
		v, err := y.rest()
		return 1, v, err
	}
}

func (w *netWorld) NewMutex() Mutex { return make(goMutex, 1) }

// goMutex holds a value while it is locked.
type goMutex chan struct{}

func (m goMutex) Lock()   { m <- struct{}{} }
func (m goMutex) Unlock() { <-m }

func (m goMutex) LockContext(ctx context.Context) error {
	select {
	case m <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m goMutex) TryLock() bool {
	select {
	case m <- struct{}{}:
		return true
	default:
		return false
	}
}

func (w *netWorld) NewCond(m Mutex) Cond { return &goCond{Cond: sync.NewCond(m)} }

type goCond struct{ *sync.Cond }

// WaitContext wakes all waiters when the context is done; they check their conditions again.
func (c *goCond) WaitContext(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		c.L.Lock()
		defer c.L.Unlock()
		c.Broadcast()
	})
	defer stop()
	if ctx.Err() == nil {
		c.Wait()
	}
	return ctx.Err()
}

func (w *netWorld) NewSemaphore(n int64) Semaphore {
	return &goSemaphore{make(goMutex, 1), make(chan struct{}, n)}
}

// goSemaphore holds a value for each unit that is taken. Only one caller at a time acquires, so that several units are
// taken together.
type goSemaphore struct {
	turn  goMutex
	units chan struct{}
}

func (s *goSemaphore) Acquire(ctx context.Context, n int64) error {
	if err := s.turn.LockContext(ctx); err != nil {
		return err
	}
	defer s.turn.Unlock()
	for i := range n {
		select {
		case s.units <- struct{}{}:
		case <-ctx.Done():
			s.Release(i)
			return ctx.Err()
		}
	}
	return nil
}

func (s *goSemaphore) TryAcquire(n int64) bool {
	if !s.turn.TryLock() {
		return false
	}
	defer s.turn.Unlock()
	for i := range n {
		select {
		case s.units <- struct{}{}:
		default:
			s.Release(i)
			return false
		}
	}
	return true
}

func (s *goSemaphore) Release(n int64) {
	for range n {
		<-s.units
	}
}

func (w *netWorld) NewWaitGroup() WaitGroup { return new(goGroup) }

// goGroup is a sync.WaitGroup whose waits a context can end.
type goGroup struct {
	mu   sync.Mutex
	n    int
	zero chan struct{} // closed when n reaches 0
}

func (g *goGroup) Add(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n == 0 {
		g.zero = make(chan struct{})
	}
	if g.n += n; g.n == 0 {
		close(g.zero)
	}
}

func (g *goGroup) Done() { g.Add(-1) }

func (g *goGroup) Go(f func()) {
	g.Add(1)
	go func() {
		defer g.Done()
		f()
	}()
}

func (g *goGroup) Wait() { g.WaitContext(context.Background()) }

func (g *goGroup) WaitContext(ctx context.Context) error {
	g.mu.Lock()
	zero, n := g.zero, g.n
	g.mu.Unlock()
	if n == 0 {
		return nil
	}
	select {
	case <-zero:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
