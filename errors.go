package ringo

import (
	"ringo/internal/driver"
	"ringo/internal/loop"
)

var (
	// ErrNotTask says that a call that only a task of the loop may make came
	// from somewhere else.
	ErrNotTask = loop.ErrNotTask
	// ErrEnded says that the loop is gone.
	ErrEnded = loop.ErrEnded
	// ErrGoexit says that a task ended by runtime.Goexit, as t.FailNow does. Run
	// returns it when the task was one of its functions.
	ErrGoexit = loop.ErrGoexit
)

// PanicError is a panic in a task, with the stack of where it happened. Task.Wait
// and Run give it when there is a Config.OnPanic; a task whose Offload or Compute
// call panicked is made to panic with one.
type PanicError = loop.PanicError

// SetupError says why a driver can't be had: which, at what step, with which
// errno (Unwrap gives it), and the likely cause.
type SetupError = driver.SetupError

// Info describes a loop's driver.
type Info = driver.Info

// Stats count what a loop did.
type Stats = loop.Stats

// DriverStats count what a loop's driver did.
type DriverStats = driver.Stats
