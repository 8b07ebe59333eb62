package ringo_test

import (
	"context"
	"sync"
	"testing"

	"ringo"
)

// wantSelect checks what a Select gave.
func wantSelect(t testing.TB, what string, i int, err error, wantI int, wantErr error) {
	t.Helper()
	if i != wantI || err != wantErr {
		t.Errorf("%s: %d, %v; want %d, %v", what, i, err, wantI, wantErr)
	}
}

func TestSelect(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			a, b := ringo.NewChan[int](1), ringo.NewChan[string](0)
			x, y := 1, "unchanged"
			out := "out"
			cases := []ringo.Case{ringo.RecvInto(a, &x), ringo.RecvInto(b, &y), {}}
			i, err := ringo.TrySelect(cases...)
			wantSelect(t, "TrySelect of nothing", i, err, -1, nil)

			a.Send(7)
			i, err = ringo.Select(cases...)
			wantSelect(t, "with something there", i, err, 0, nil)
			equal(t, "received", x, 7)
			equal(t, "of the other case", y, "unchanged")

			l.Go(func() { b.Send("late") })
			i, err = ringo.Select(cases...)
			wantSelect(t, "that waited", i, err, 1, nil)
			equal(t, "received", y, "late")
			equal(t, "in line afterwards", a.Waiting()+b.Waiting(), 0)

			l.Go(func() { y, _ = b.Recv() })
			i, err = ringo.Select(ringo.RecvInto(a, &x), ringo.SendFrom(b, &out))
			wantSelect(t, "that sent", i, err, 1, nil)
			l.Sleep(0)
			equal(t, "sent", y, "out")

			l.Go(a.Close)
			i, err = ringo.Select(cases...)
			wantSelect(t, "closed while it waited", i, err, 0, ringo.ErrClosed)
			equal(t, "of a closed channel", x, 7)
			i, err = ringo.TrySelect(cases...)
			wantSelect(t, "closed before", i, err, 0, ringo.ErrClosed)
			i, err = ringo.TrySelect(ringo.SendFrom(a, &x))
			wantSelect(t, "a Send to a closed channel", i, err, 0, ringo.ErrClosed)

			task := l.Go(func() {
				i, err := ringo.Select(cases[1])
				wantSelect(t, "cancelled", i, err, -1, context.Canceled)
				i, err = ringo.Select(cases[1:]...)
				wantSelect(t, "in a cancelled task", i, err, -1, context.Canceled)
				i, err = ringo.Select(cases...)
				wantSelect(t, "of what need not wait, in a cancelled task", i, err, 0, ringo.ErrClosed)
			})
			l.Sleep(0)
			task.Cancel()
			task.Wait()
			equal(t, "in line after all", b.Waiting(), 0)

			var none *ringo.Chan[int]
			i, err = ringo.TrySelect(ringo.RecvInto(none, &x), ringo.SendFrom(none, &x))
			wantSelect(t, "of no channel", i, err, -1, nil)
			i, err = ringo.TrySelect()
			wantSelect(t, "of no case", i, err, -1, nil)
		})
	})
}

// Of several cases that are true none is taken always.
func TestSelectIsFair(t *testing.T) {
	a, b := ringo.NewChan[int](1), ringo.NewChan[int](1)
	v, count := 0, [3]int{}
	for range 300 { // for one of the three to be left out every time takes odds of 1e-52
		a.TrySend(0)
		b.TrySend(0)
		i, err := ringo.Select(ringo.RecvInto(a, &v), ringo.RecvInto(b, &v), ringo.RecvInto(b, &v))
		if err != nil {
			t.Fatal(err)
		}
		count[i]++
	}
	if count[0] == 0 || count[1] == 0 || count[2] == 0 {
		t.Errorf("taken %v times", count)
	}
}

// A channel may be in several cases, and there may be many of them.
func TestSelectMany(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		mustRun(t, cfg, func(l *ringo.Loop) {
			var chans []*ringo.Chan[int]
			var cases []ringo.Case
			var in, out [20]int
			for i := range in {
				c := ringo.NewChan[int](0)
				out[i] = i
				chans = append(chans, c)
				cases = append([]ringo.Case{ringo.RecvInto(c, &in[i])}, cases...) // the locks' order is another one
				cases = append(cases, ringo.SendFrom(c, &out[i]))
			}
			i, err := ringo.TrySelect(cases...)
			wantSelect(t, "a Select does not meet itself", i, err, -1, nil)
			for i, c := range chans {
				l.Go(func() { c.Send(100 + i) })
				k, err := ringo.Select(cases...)
				wantSelect(t, "received", k, err, len(in)-1-i, nil)
				equal(t, "value", in[i], 100+i)

				var got int
				l.Go(func() { got, _ = c.Recv() })
				k, err = ringo.Select(cases...)
				wantSelect(t, "sent", k, err, len(in)+i, nil)
				l.Sleep(0)
				equal(t, "value", got, i)
			}
			for _, c := range chans {
				equal(t, "in line", c.Waiting(), 0)
			}
		})
	})
}

// Selects meet each other: each takes one from whom it finds and gives one to whom
// it finds, on two channels, in opposite orders. A value is received as often as it
// was sent, and nobody is left in line.
func TestSelectsMeet(t *testing.T) {
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 2
		beside(t, cfg, func(l *ringo.Loop) {
			a, b := ringo.NewChan[int](0), ringo.NewChan[int](0)
			quit := ringo.NewChan[int](0)
			var m ringo.Mutex
			var done sync.WaitGroup
			sum, met := 0, 0
			callers(l, 6, &done, func(who int) {
				in, out, mine := 0, who+1, 0
				cases := []ringo.Case{ringo.RecvInto(a, &in), ringo.SendFrom(b, &out), ringo.RecvInto(quit, &in)}
				if who%2 == 1 {
					cases = []ringo.Case{ringo.RecvInto(b, &in), ringo.SendFrom(a, &out), ringo.RecvInto(quit, &in)}
				}
				n := 0
				for ; ; n++ {
					i, err := ringo.Select(cases...)
					switch {
					case i == 2 && err == ringo.ErrClosed:
						m.Lock()
						sum += mine
						met += n
						m.Unlock()
						return
					case err != nil:
						t.Errorf("Select: %d, %v", i, err)
						return
					case i == 0:
						mine += in
					case i == 1:
						mine -= out
					}
					if n == 200 {
						quit.Close()
					}
				}
			})
			join(l, &done)
			equal(t, "received less sent", sum, 0)
			equal(t, "in line", a.Waiting()+b.Waiting()+quit.Waiting(), 0)
			if met < 200 {
				t.Errorf("%d meetings", met)
			}
		})
	})
}
