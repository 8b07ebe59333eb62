//go:build linux

package open

import (
	"errors"
	"testing"

	"ringo/internal/driver"
	"ringo/internal/test/drivertest"
)

// Through has drivers of every kind die when a test says so, until it is undone.
func TestThrough(t *testing.T) {
	cause := errors.New("dead on purpose")
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			var mortal drivertest.Mortal
			undo := Through(mortal.Wrap)
			with(name, func(d driver.Driver, err error) {
				undo()
				if err != nil {
					t.Skip(err)
				}
				mortal.Last().Die(cause)
				var done driver.Queue
				for err == nil { // the first Wait may be woken
					err = d.Wait(driver.Forever, &done)
				}
				if err != cause {
					t.Errorf("Wait: %v", err)
				}
			})
			with(name, func(d driver.Driver, err error) {
				if err == nil && mortal.Last().Driver() == d {
					t.Error("a driver that was opened later is the Mortal's")
				}
			})
		})
	}
}
