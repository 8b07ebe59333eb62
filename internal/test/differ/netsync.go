package differ

import (
	"context"
	"slices"
	"sync"

	"ringo"
)

// What callers of programs with goroutines alone wait for each other by: package sync, or a line where a wait has to
// end by a context.

// A goLine lets callers wait until they may go on.
type goLine struct {
	mu      sync.Mutex
	fair    bool // nobody goes on before one who came earlier
	waiting []*goWaiter
}

type goWaiter struct {
	may  func() bool // whether it may go on; if so it has taken what it came for
	gone chan struct{}
}

// wait waits until may returns true or ctx is done. The caller holds mu, and has it again afterwards.
func (l *goLine) wait(ctx context.Context, may func() bool) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	w := &goWaiter{may, make(chan struct{})}
	l.waiting = append(l.waiting, w)
	l.advance()
	l.mu.Unlock()
	select {
	case <-w.gone:
	case <-ctx.Done():
	}
	l.mu.Lock()
	if i := slices.Index(l.waiting, w); i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
		l.advance()
		return ctx.Err()
	}
	return nil
}

// advance lets callers go on that may.
func (l *goLine) advance() {
	stuck := false
	l.waiting = slices.DeleteFunc(l.waiting, func(w *goWaiter) bool {
		if stuck || !w.may() {
			stuck = stuck || l.fair
			return false
		}
		close(w.gone)
		return true
	})
}

func (w *netWorld) NewRWMutex() RWMutex { return &goRWMutex{line: goLine{fair: true}} }

// goRWMutex is fair, as ringo.RWMutex is.
type goRWMutex struct {
	line    goLine
	readers int // -1: a writer
}

func (m *goRWMutex) write() bool {
	if m.readers != 0 {
		return false
	}
	m.readers = -1
	return true
}

func (m *goRWMutex) read() bool {
	if m.readers < 0 {
		return false
	}
	m.readers++
	return true
}

func (m *goRWMutex) wait(ctx context.Context, may func() bool) error {
	m.line.mu.Lock()
	defer m.line.mu.Unlock()
	return m.line.wait(ctx, may)
}

func (m *goRWMutex) try(may func() bool) bool {
	m.line.mu.Lock()
	defer m.line.mu.Unlock()
	return len(m.line.waiting) == 0 && may()
}

func (m *goRWMutex) free(readers int) {
	m.line.mu.Lock()
	defer m.line.mu.Unlock()
	m.readers = readers
	m.line.advance()
}

func (m *goRWMutex) Lock()                                  { m.wait(context.Background(), m.write) }
func (m *goRWMutex) RLock()                                 { m.wait(context.Background(), m.read) }
func (m *goRWMutex) LockContext(ctx context.Context) error  { return m.wait(ctx, m.write) }
func (m *goRWMutex) RLockContext(ctx context.Context) error { return m.wait(ctx, m.read) }
func (m *goRWMutex) TryLock() bool                          { return m.try(m.write) }
func (m *goRWMutex) TryRLock() bool                         { return m.try(m.read) }
func (m *goRWMutex) Unlock()                                { m.free(0) }

func (m *goRWMutex) RUnlock() {
	m.line.mu.Lock()
	defer m.line.mu.Unlock()
	m.readers--
	m.line.advance()
}

func (w *netWorld) NewBarrier(n int) Barrier { return &goBarrier{size: n} }

type goBarrier struct {
	line       goLine
	size, come int
	round      int
}

func (b *goBarrier) Wait(ctx context.Context) (last bool, err error) {
	b.line.mu.Lock()
	defer b.line.mu.Unlock()
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	round := b.round
	if b.come++; b.come == b.size {
		b.come = 0
		b.round++
		b.line.advance()
		return true, nil
	}
	if err = b.line.wait(ctx, func() bool { return b.round != round }); err != nil {
		b.come--
	}
	return false, err
}

func (w *netWorld) NewOnce() Once { return new(sync.Once) }

func (w *netWorld) OnceValues(f func() (int, error)) func() (int, error) { return sync.OnceValues(f) }

func (w *netWorld) NewWatch() Watch { return new(goWatch) }

type goWatch struct {
	line    goLine
	v       int
	version uint64
	closed  bool
}

func (w *goWatch) Set(v int) error {
	w.line.mu.Lock()
	defer w.line.mu.Unlock()
	if w.closed {
		return ErrChanClosed
	}
	w.v = v
	w.version++
	w.line.advance()
	return nil
}

func (w *goWatch) Close() {
	w.line.mu.Lock()
	defer w.line.mu.Unlock()
	w.closed = true
	w.line.advance()
}

func (w *goWatch) Get() (int, uint64) {
	w.line.mu.Lock()
	defer w.line.mu.Unlock()
	return w.v, w.version
}

func (w *goWatch) Next(ctx context.Context, version uint64) (int, uint64, error) {
	w.line.mu.Lock()
	defer w.line.mu.Unlock()
	err := w.line.wait(ctx, func() bool { return w.closed || w.version != version })
	if err == nil && w.version == version {
		err = ErrChanClosed
	}
	if err != nil {
		return 0, version, err
	}
	return w.v, w.version, nil
}

func (w *netWorld) NewBroadcast(capacity int) Broadcast { return &goBroadcast{capacity: capacity} }

// goBroadcast keeps all values, and counts those as missed that are too old.
type goBroadcast struct {
	line     goLine
	capacity int
	values   []int
	closed   bool
}

func (b *goBroadcast) Publish(v int) error {
	b.line.mu.Lock()
	defer b.line.mu.Unlock()
	if b.closed {
		return ErrChanClosed
	}
	b.values = append(b.values, v)
	b.line.advance()
	return nil
}

func (b *goBroadcast) Close() {
	b.line.mu.Lock()
	defer b.line.mu.Unlock()
	b.closed = true
	b.line.advance()
}

func (b *goBroadcast) Subscribe() Subscription {
	b.line.mu.Lock()
	defer b.line.mu.Unlock()
	return &goSubscription{b, len(b.values)}
}

type goSubscription struct {
	b  *goBroadcast
	at int
}

func (s *goSubscription) Recv(ctx context.Context) (int, error) {
	b := s.b
	b.line.mu.Lock()
	defer b.line.mu.Unlock()
	err := ctx.Err()
	for err == nil && s.at == len(b.values) && !b.closed {
		err = b.line.wait(ctx, func() bool { return b.closed || s.at < len(b.values) })
	}
	switch missed := len(b.values) - b.capacity - s.at; {
	case err != nil:
		return 0, err
	case s.at == len(b.values):
		return 0, ErrChanClosed
	case missed > 0:
		s.at += missed
		return 0, ringo.MissedError{Values: uint64(missed)}
	}
	s.at++
	return b.values[s.at-1], nil
}
