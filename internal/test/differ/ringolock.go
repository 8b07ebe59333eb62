package differ

import (
	"context"

	"ringo"
)

func (w *ringoWorld) NewChan(capacity int) Chan { return ringoChan{ringo.NewChan[int](capacity)} }

// ringoChan uses Send and Recv, without a context, where ctx can't end the wait.
type ringoChan struct{ *ringo.Chan[int] }

func (c ringoChan) Send(ctx context.Context, v int) error {
	if ctx.Done() == nil {
		return c.Chan.Send(v)
	}
	return c.SendContext(ctx, v)
}

func (c ringoChan) Recv(ctx context.Context) (int, error) {
	if ctx.Done() == nil {
		return c.Chan.Recv()
	}
	return c.RecvContext(ctx)
}

func (w *ringoWorld) Either(a, b Chan) (which, v int, err error) {
	var x, y int
	which, err = ringo.Select(ringo.RecvInto(a.(ringoChan).Chan, &x), ringo.RecvInto(b.(ringoChan).Chan, &y))
	return which, x + y, err
}

func (w *ringoWorld) NewMutex() Mutex                { return new(ringo.Mutex) }
func (w *ringoWorld) NewCond(m Mutex) Cond           { return ringo.NewCond(m.(*ringo.Mutex)) }
func (w *ringoWorld) NewSemaphore(n int64) Semaphore { return ringo.NewSemaphore(n) }
func (w *ringoWorld) NewWaitGroup() WaitGroup        { return new(ringo.WaitGroup) }
func (w *ringoWorld) NewRWMutex() RWMutex            { return new(ringo.RWMutex) }
func (w *ringoWorld) NewBarrier(n int) Barrier       { return ringo.NewBarrier(n) }
func (w *ringoWorld) NewOnce() Once                  { return new(ringo.Once) }
func (w *ringoWorld) NewWatch() Watch                { return new(ringo.Watch[int]) }

func (w *ringoWorld) OnceValues(f func() (int, error)) func() (int, error) {
	return ringo.OnceValues(f)
}

func (w *ringoWorld) NewBroadcast(capacity int) Broadcast {
	return ringoBroadcast{ringo.NewBroadcast[int](capacity)}
}

type ringoBroadcast struct{ *ringo.Broadcast[int] }

func (b ringoBroadcast) Subscribe() Subscription { return b.Broadcast.Subscribe() }
