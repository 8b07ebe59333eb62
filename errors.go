package ringo

import (
	"errors"
	"fmt"

	"ringo/internal/driver"
	"ringo/internal/loop"
)

var (
	// ErrNotTask is returned by functions of other packages that only a task of the loop may call, such as sock.Listen,
	// to other callers. Loop's own methods panic.
	ErrNotTask = loop.ErrNotTask
	// ErrEnded is returned once the loop has ended.
	ErrEnded = loop.ErrEnded
	// ErrDraining is returned to readers of idle connections when the drain begins; see sock.Conn.SetIdle. It matches
	// net.ErrClosed (errors.Is), so code that ends on a closed connection ends on it as well.
	ErrDraining = loop.ErrDraining
	// ErrBubble is returned by Run in a bubble of testing/synctest: time advances there only while all goroutines wait
	// for each other, and a loop waits in the kernel. Goroutines in a bubble may use loops of a Run outside; such waits
	// take real time. It matches errors.ErrUnsupported (errors.Is).
	ErrBubble = loop.ErrBubble
	// ErrGoexit is the error of a task that called runtime.Goexit, as t.FailNow does. Run returns it when the task was
	// one of its functions.
	ErrGoexit = loop.ErrGoexit
)

// A PanicError is a panic in a task. Task.Wait, Group.Wait and Run return it if Config.OnPanic is set. If an Offload or
// Compute call panics, the task that called it panics with one.
type PanicError struct {
	// Value is the argument of panic. Unwrap returns it if it is an error.
	Value any
	// Stack is the stack of the panic, in the format of debug.Stack. For an Offload or Compute call, the stack of the
	// task that waited for it follows, if that task did not recover.
	Stack []byte
	// In says where the panic was: in "a task", "Offload", "Compute", "singleflight" or "retry".
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

// A SetupError says why a driver can't run here. errors.As finds it in Run's error.
type SetupError struct {
	// Driver is the driver, as in Config.Driver.
	Driver string
	// Step is what failed: usually a system call.
	Step string
	// Hint is the likely cause and remedy: a seccomp filter, kernel.io_uring_disabled, RLIMIT_MEMLOCK. It may be empty.
	Hint string
	// Err is the error of the step, usually a syscall.Errno. Unwrap returns it.
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

// wantFunc panics where a function was forgotten.
func wantFunc(given bool, method string) {
	if !given {
		panic("ringo: " + method + " of a nil function")
	}
}

// ofNil is the error of a method of a nil pointer to what is of use as its zero value, or is made
// by a function.
func ofNil(name string) error { return fmt.Errorf("ringo: %s of nil", name) }
