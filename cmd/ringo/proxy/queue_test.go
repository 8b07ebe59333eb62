package proxy

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"ringo"
	"ringo/sim"
)

// crowd is a relay with one group of upstreams.
type crowd struct {
	*relay
	to *upstreams
}

// full is one whose only upstream has its max.
func full(dial time.Duration) *crowd {
	us := several(balanceLeast, 1)
	us.all[0].max = 1
	us.take("", nil)
	return &crowd{&relay{o: &options{dial: dial}}, us}
}

// awaits is await of a task that has no connection.
func (c *crowd) awaits(ctx context.Context, l *ringo.Loop) (*upstream, error) {
	return c.await(ctx, l, c.to, "", nil, nil)
}

// inTask runs a test in a task of a world.
func inTask(t *testing.T, test func(w *sim.World, l *ringo.Loop) error) {
	sim.Explore(t, 5, func(w *sim.World) {
		if err := w.Wait(w.Host("proxy").Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			return test(w, l)
		})); err != nil {
			w.Errorf("%v", err)
		}
	})
}

// TestQueueOrder: those that wait get what there is in order of arrival, and who comes later waits behind them.
func TestQueueOrder(t *testing.T) {
	inTask(t, func(w *sim.World, l *ringo.Loop) error {
		const waiters = 10
		r := full(time.Minute)
		us := r.to
		var order []int
		var tasks []*ringo.Task
		for i := range waiters {
			tasks = append(tasks, l.Go(func() {
				u, err := r.awaits(context.Background(), l)
				if err != nil {
					w.Errorf("%d: %v", i, err)
					return
				}
				order = append(order, i)
				l.Sleep(time.Second)
				us.leave(u)
			}))
			l.Sleep(time.Millisecond)
		}
		if n := r.waiting.Load(); n != waiters {
			w.Errorf("%d wait, want %d", n, waiters)
		}
		us.leave(us.all[0])
		if u := us.take("", nil); u != nil {
			w.Errorf("%v is taken before those that have waited", u)
		}
		for _, task := range tasks {
			task.Wait()
		}
		if !slices.IsSorted(order) || len(order) != waiters {
			w.Errorf("they went in the order %v", order)
		}
		if us.taken() != 0 || len(us.queue) != 0 || r.waiting.Load() != 0 {
			w.Errorf("at the end %d are taken, and %d wait", us.taken(), len(us.queue))
		}
		return nil
	})
}

// TestQueueEnds: a wait ends after -dial, or with its context, or its task's cancel, and leaves nothing.
func TestQueueEnds(t *testing.T) {
	inTask(t, func(w *sim.World, l *ringo.Loop) error {
		r, begin := full(10*time.Second), l.Now()
		u, err := r.awaits(context.Background(), l)
		if d := l.Now().Sub(begin); u != nil || !errors.Is(err, errFull) || isTimeout(err) || d < 10*time.Second ||
			d > 11*time.Second {
			w.Errorf("%v, %v after %v, want none after 10s", u, err, d)
		}
		ctx, cancel := context.WithCancel(l.Context())
		l.AfterFunc(time.Second, cancel)
		if u, err := r.awaits(ctx, l); u != nil || !errors.Is(err, context.Canceled) {
			w.Errorf("%v, %v for a client that has gone", u, err)
		}
		task := l.Go(func() {
			if u, err := r.awaits(context.Background(), l); u != nil || !errors.Is(err, context.Canceled) {
				w.Errorf("%v, %v for a task that is cancelled", u, err)
			}
		})
		l.Sleep(time.Second)
		task.Cancel()
		task.Wait()
		if len(r.to.queue) != 0 || r.to.taken() != 1 {
			w.Errorf("%d wait, and %d are taken", len(r.to.queue), r.to.taken())
		}
		return nil
	})
}

// TestQueueBound: no more wait than may, and the others are told so at once.
func TestQueueBound(t *testing.T) {
	inTask(t, func(w *sim.World, l *ringo.Loop) error {
		r := full(time.Minute)
		for range waitersMax {
			if wt, err := r.to.join("", nil); wt == nil {
				return err
			}
		}
		begin := l.Now()
		if u, err := r.awaits(context.Background(), l); u != nil || !errors.Is(err, errFull) || l.Now() != begin {
			w.Errorf("%v, %v after %v, want none at once", u, err, l.Now().Sub(begin))
		}
		return nil
	})
}

// TestQueueRace: what is given at the moment in which a wait ends is not lost.
func TestQueueRace(t *testing.T) {
	inTask(t, func(w *sim.World, l *ringo.Loop) error {
		r := full(time.Second)
		var tasks []*ringo.Task
		got := 0
		for range 100 {
			tasks = append(tasks, l.Go(func() {
				if u, _ := r.awaits(context.Background(), l); u != nil {
					got++
					l.Sleep(time.Millisecond)
					r.to.leave(u)
				}
			}))
		}
		l.Sleep(time.Second) // to the moment in which the waits end
		r.to.leave(r.to.all[0])
		for _, task := range tasks {
			task.Wait()
		}
		if n := r.to.taken(); n != 0 || got == 0 || got == 100 {
			w.Errorf("%d of 100 got the upstream, and %d have it at the end", got, n)
		}
		return nil
	})
}

// TestQueueDue: who waits tries what is out when it is time to.
func TestQueueDue(t *testing.T) {
	inTask(t, func(w *sim.World, l *ringo.Loop) error {
		r := &crowd{&relay{o: &options{dial: time.Minute}}, several(balanceLeast, 2)}
		r.to.now = l.Now
		for range 3 {
			r.to.note(r.to.all[0], byConn, errRefused)
		}
		r.to.all[1].max = 1
		r.to.take("", nil)
		begin := l.Now()
		u, err := r.awaits(context.Background(), l)
		if d := l.Now().Sub(begin); err != nil || u != r.to.all[0] || d < time.Second || d > time.Second+2*waitStep {
			w.Errorf("%v, %v after %v, want the one that is out after 1s", u, err, d)
		}
		return nil
	})
}

// TestQueueTried: one that has tried what has room lets others pass, and has nothing to wait for if it has tried all.
func TestQueueTried(t *testing.T) {
	us := several(balanceLeast, 2)
	us.all[0].max, us.all[1].max = 1, 1
	us.take("", nil)
	us.take("", nil)
	first, _ := us.join("", us.all[:1])
	second, _ := us.join("", nil)
	if w, err := us.join("", us.all); w != nil || err != nil {
		t.Errorf("one that has tried all waits: %v", err)
	}
	us.leave(us.all[0])
	if u, _ := second.got.TryRecv(); u != us.all[0] || first.got.Len() != 0 {
		t.Errorf("the second has %v, the first %d; want the one that the first has tried", u, first.got.Len())
	}
	us.leave(us.all[1])
	if u, _ := first.got.TryRecv(); u != us.all[1] {
		t.Errorf("the first has %v, want that which it has not tried", u)
	}
}

// TestQueueHealth: who waits gets what is in again, or out together with all others, or due for a trial.
func TestQueueHealth(t *testing.T) {
	down := func(w *watched, u *upstream) {
		for range 3 {
			w.note(u, byConn, errRefused)
		}
	}
	for _, c := range []struct {
		name string
		then func(w *watched)
	}{
		{"in again", func(w *watched) { w.note(w.all[1], byConn, nil) }},
		{"all out", func(w *watched) { down(w, w.all[0]) }},
		{"due", func(w *watched) { w.time = w.time.Add(time.Minute); w.look() }},
	} {
		w := watch(2)
		w.all[0].max = 1
		down(w, w.all[1])
		w.take("", nil)
		wt, err := w.join("", nil)
		if wt == nil || wt.got.Len() > 0 {
			t.Fatalf("%s: it does not wait: %v", c.name, err)
		}
		c.then(w)
		if u, _ := wt.got.TryRecv(); u != w.all[1] {
			t.Errorf("%s: it has %v, want the second", c.name, u)
		}
	}
}
