//go:build linux

package open

import (
	"testing"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/sys"
)

type ignored struct{}

func (ignored) Complete(*op.Op, int32, uint32) {}

// A call that takes long holds up no other op, and comes to its end when it was cancelled.
func TestLongCall(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			slab := op.NewSlab(0)
			withSlab(name, slab, func(d driver.Driver, err error) {
				if err != nil {
					t.Skip(err)
				}
				submit := func(f func()) *op.Op {
					o := slab.Get(op.Call)
					o.Sink = ignored{}
					slab.Ext(o).Call = f
					d.Submit(o)
					return o
				}
				var done driver.Queue
				next := func() driver.Completion {
					for done.Len() == 0 {
						if err := d.Wait(driver.Forever, &done); err != nil {
							t.Fatal(err)
						}
					}
					c, _ := done.Pop()
					return c
				}
				begun, gate := make(chan bool), make(chan bool)
				long := submit(func() { begun <- true; <-gate })
				if err := d.Wait(driver.Poll, &done); err != nil {
					t.Fatal(err)
				}
				<-begun
				for range 40 {
					n := 0
					if o, c := submit(func() { n++ }), next(); c.Op != o || c.Res != 0 || n != 1 {
						t.Fatalf("beside a long call: %s gave %d, made %d times", c.Op.Def().Name, c.Res, n)
					} else {
						slab.Put(o)
					}
				}
				d.Cancel(long)
				close(gate)
				if c := next(); c.Op != long || c.Res != 0 {
					t.Errorf("a call that was cancelled too late gave %d", c.Res)
				}
				slab.Put(long)
				never := submit(func() { t.Error("a call that was cancelled before the first Wait was made") })
				d.Cancel(never)
				if c := next(); c.Res != -sys.ECANCELED {
					t.Errorf("a cancelled call gave %d", c.Res)
				}
				slab.Put(never)
			})
		})
	}
}
