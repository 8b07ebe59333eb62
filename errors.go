package ringo

import (
	"errors"
	"fmt"

	"ringo/internal/driver"
	"ringo/internal/loop"
)

var (
	// ErrNotTask says that a call that only a task of the loop may make came
	// from somewhere else.
	ErrNotTask = loop.ErrNotTask
	// ErrEnded says that the loop has ended.
	ErrEnded = loop.ErrEnded
	// ErrDraining says that the program drains, and the caller does not have to wait
	// for more; see sock.Conn.SetIdle. errors.Is finds net.ErrClosed in it, which ends
	// what would end if the peer's side of a connection was closed.
	ErrDraining = loop.ErrDraining
	// ErrBubble says that Run was called in a bubble of testing/synctest, where time goes on
	// only while all goroutines wait for each other, and a loop waits in the kernel. Loops of
	// a Run outside may be used by goroutines in a bubble: what they wait for there takes
	// as long as it does outside. errors.Is finds errors.ErrUnsupported in it.
	ErrBubble = loop.ErrBubble
	// ErrGoexit says that a task ended by runtime.Goexit, as t.FailNow does. Run
	// returns it when the task was one of its functions.
	ErrGoexit = loop.ErrGoexit
)

// PanicError is a panic in a task. Task.Wait, Group.Wait and Run return it when there
// is a Config.OnPanic; a task whose Offload or Compute call panicked is made to
// panic with one.
type PanicError struct {
	// Value is what panic was called with. Unwrap returns it if it is an error.
	Value any
	// Stack is of where it happened, as debug.Stack writes it. Behind that of an
	// Offload or Compute call comes the stack of the task that waited for it, if
	// that task did not recover.
	Stack []byte
	// In is what panicked: "a task", "Offload" or "Compute".
	In string
}

// Error shows the value and the stack.
func (e *PanicError) Error() string { return (*loop.PanicError)(e).Error() }

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error { return (*loop.PanicError)(e).Unwrap() }

// showPanic and shownPanic are the engine's way to make users' PanicErrors, and to
// tell them again.
func showPanic(p *loop.PanicError) error { return (*PanicError)(p) }

func shownPanic(v any) *loop.PanicError {
	p, _ := v.(*PanicError)
	return (*loop.PanicError)(p)
}

// SetupError says why a driver can't run here. errors.As finds it in what Run returns.
type SetupError struct {
	// Driver is which, as in Config.Driver.
	Driver string
	// Step is what was being done: a system call, as a rule.
	Step string
	// Hint is the likely cause, and what to change: a seccomp filter,
	// kernel.io_uring_disabled, RLIMIT_MEMLOCK. It may be empty.
	Hint string
	// Err is the error of the step, a syscall.Errno as a rule. Unwrap returns it.
	Err error
}

// Error names driver, step, errno and the likely cause.
func (e *SetupError) Error() string { return (*driver.SetupError)(e).Error() }

// Unwrap returns Err.
func (e *SetupError) Unwrap() error { return (*driver.SetupError)(e).Unwrap() }

// setupError is a driver's error to users: errors.As finds their SetupError in it.
type setupError struct{ error }

func (r setupError) Unwrap() error { return r.error }

func (r setupError) As(target any) bool {
	p, ok := target.(**SetupError)
	var s *driver.SetupError
	if !ok || !errors.As(r.error, &s) {
		return false
	}
	*p = (*SetupError)(s)
	return true
}

// wantFunc panics for a method that can't give an error to who forgot its function.
func wantFunc(given bool, method string) {
	if !given {
		panic("ringo: " + method + " of a nil function")
	}
}

// ofNil is the error of a method of a nil pointer to what is of use as its zero value, or is made
// by a function.
func ofNil(name string) error { return fmt.Errorf("ringo: %s of nil", name) }

func noFunc(name string) error { return fmt.Errorf("ringo: %s of a nil function", name) }

// stranger is why somebody who is no task of the loop may not call.
func (l *Loop) stranger() error {
	if l.engine().Ended() {
		return ErrEnded
	}
	return ErrNotTask
}
