package drivertest

import (
	"os"
	"runtime"
	"testing"
	"time"

	"ringo/internal/driver"
	"ringo/internal/kernel"
	"ringo/internal/op"
)

// system is the machine that the process runs on. Peers make their system calls in other ways than drivers do.
type system struct{ kernel.Host }

var _ machine = system{}

// onSystem returns the ground of drivers on the system's kernel.
func onSystem(open Open, entries int) ground {
	return ground{entries: entries, machine: newSystem,
		open: func(t *testing.T, _ machine, cfg driver.Config) driver.Driver { return open(t, cfg) }}
}

func (system) call(o *op.Op) int32 { return driver.Call(o) }

const clockStart = 1 << 50

var epoch = time.Now()

func (system) now() int64    { return clockStart + int64(time.Since(epoch)) }
func (system) pass()         { runtime.Gosched() }
func (system) pin()          { runtime.LockOSThread() }
func (system) virtual() bool { return false }

func (system) beside(f func()) (join func()) { return elsewhere(f) }

func (m system) spend(d time.Duration) {
	for until := m.now() + int64(d); m.now() < until; {
	}
}

// elsewhere runs f on another goroutine, and returns a function that waits for its end.
func elsewhere(f func()) (join func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f()
	}()
	return func() { <-ended }
}

func (system) folder(t *testing.T) string {
	t.Helper()
	name, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	return name
}
