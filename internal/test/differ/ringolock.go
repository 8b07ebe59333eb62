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
