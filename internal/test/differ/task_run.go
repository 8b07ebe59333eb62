package differ

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

var sleep = &verb{"Sleep(%[3]d * 100us)", func(x *actor, s *Step) string {
	return class(x.Sleep(context.Background(), time.Duration(s.N)*100*time.Microsecond))
}}

var timerWays = []string{"fires", "Stop", "Reset, fires", "Stop, Reset, fires"}

var timer = &verb{"AfterFunc // %[5]s", func(x *actor, s *Step) string {
	fired := x.NewChan(1)
	fire := func() { fired.Send(context.Background(), 3) }
	d := time.Hour
	if s.How == 0 {
		d = 100 * time.Microsecond
	}
	t := x.AfterFunc(d, fire)
	seen := ""
	switch s.How {
	case 1:
		return fmt.Sprint(t.Stop(), t.Stop())
	case 2:
		seen = fmt.Sprint(t.Reset(0), " ")
	case 3:
		seen = fmt.Sprint(t.Stop(), t.Reset(time.Microsecond), " ")
	}
	v, err := fired.Recv(context.Background())
	return seen + valued(v, err) + fmt.Sprint(" ", t.Stop())
}}

var ticks = &verb{"NewTicker // %[3]d ticks", func(x *actor, s *Step) string {
	return class(x.Ticks(300*time.Microsecond, s.N))
}}

// The posts of one sender start in order; tasks that do not wait end in the same order.
var posts = &verb{"Post(loop %[4]d) // %[3]d times", func(x *actor, s *Step) string {
	order := x.NewChan(s.N)
	for i := range s.N {
		if err := x.Post(s.M, func() { order.TrySend(i) }); err != nil {
			return class(err)
		}
	}
	seen := ""
	for range s.N {
		v, err := order.Recv(context.Background())
		seen += fmt.Sprint(v, " ", class(err), " ")
	}
	return seen
}}

var call = &verb{"Call(loop %[4]d) // fails: %[3]d", func(x *actor, s *Step) string {
	n := 0
	err := x.Call(s.M, func() error {
		n++
		if s.N == 1 {
			return errOwn
		}
		return nil
	})
	return valued(n, err)
}}

var childWays = []string{"Go, Wait", "WaitGroup.Go", "Group.Go", "GoNamed, Wait", "Group.Go, one fails",
	"Go, Cancel, Wait"}

var children = &verb{"%[5]s // %[3]d children, loop %[4]d", func(x *actor, s *Step) string {
	var n atomic.Int64
	var err error
	switch s.How {
	case 0, 3, 5:
		var all []Child
		for range s.N {
			all = append(all, x.Go(s.M, s.How, func(w World) {
				w.Yield()
				n.Add(1)
			}))
		}
		for _, t := range all {
			if s.How == 5 {
				t.Cancel() // a cancel ends no call that need not wait, and no Yield
			}
		}
		for _, t := range all {
			if failed := t.Wait(); failed != nil {
				err = failed
			}
		}
	case 1:
		g := x.NewWaitGroup()
		for range s.N {
			g.Go(func() { n.Add(1) })
		}
		g.Wait()
	default:
		var fs []func() error
		for i := range s.N {
			fs = append(fs, func() error {
				n.Add(1)
				if s.How == 4 && i == 0 {
					return errOwn
				}
				return nil
			})
		}
		err = x.Group(fs)
	}
	return valued(int(n.Load()), err)
}}

var offload = &verb{"Offload // fails: %[3]d", func(x *actor, s *Step) string {
	return class(x.World.Offload(func() error {
		if s.N == 1 {
			return errOwn
		}
		return nil
	}))
}}

var yield = &verb{"Yield()", func(x *actor, _ *Step) string {
	x.Yield()
	return "ok"
}}
