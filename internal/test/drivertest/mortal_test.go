//go:build linux

package drivertest

import (
	"errors"
	"runtime"
	"testing"

	"ringo/internal/driver"
	"ringo/internal/op"
)

// A driver of a Mortal's dies of what it is told, also in its sleep, and the others live.
func TestMortal(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var m Mortal
	if m.Current() != nil || m.Last() != nil {
		t.Error("a driver, before any was opened")
	}
	open := m.Wrap(func(cfg driver.Config) (driver.Driver, error) { return newReference(cfg, ""), nil })
	var drivers [2]driver.Driver
	var victims [2]*Victim
	for i := range drivers {
		drivers[i], _ = open(driver.Config{Slab: op.NewSlab(0), Now: system{}.now})
		victims[i] = m.Current()
		if m.Last() != victims[i] {
			t.Error("Last is not the driver that was opened last")
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
