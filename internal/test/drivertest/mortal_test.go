//go:build linux

package drivertest

import (
	"errors"
	"testing"

	"ringo/internal/driver"
	"ringo/internal/op"
)

// A driver of a Mortal's dies of what it is told, also in its sleep, and the others live.
func TestMortal(t *testing.T) {
	var m Mortal
	if m.Last() != nil {
		t.Error("a driver, before any was opened")
	}
	open := m.Wrap(func(cfg driver.Config) (driver.Driver, error) { return newReference(cfg, ""), nil })
	var drivers [2]driver.Driver
	var victims [2]*Victim
	for i := range drivers {
		slab := op.NewSlab(0)
		drivers[i], _ = open(driver.Config{Slab: slab, Now: system{}.now})
		victims[i] = m.Last()
		if m.Of(opsOf{slab}) != victims[i] || m.Of(opsOf{op.NewSlab(0)}) != nil {
			t.Error("a driver is found by other ops than its loop's")
		}
	}
	go victims[0].Die(errDeath)
	var done driver.Queue
	for {
		if err := drivers[0].Wait(driver.Forever, &done); err == errDeath {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	<-victims[0].Died()
	victims[0].Die(errors.New("another"))
	if err := drivers[0].Wait(driver.Poll, &done); err != errDeath {
		t.Errorf("it died of %v, want the first cause", err)
	}
	select {
	case <-victims[1].Died():
		t.Error("the other has died")
	default:
	}
	if err := drivers[1].Wait(driver.Poll, &done); err != nil {
		t.Errorf("the other: %v", err)
	}
	for _, d := range drivers {
		if err := d.Close(&done); err != nil {
			t.Error(err)
		}
	}
}

// opsOf are the ops of a slab.
type opsOf struct{ slab *op.Slab }

func (o opsOf) AreOf(slab *op.Slab) bool { return o.slab == slab }
