package ringo

import (
	"errors"
	"fmt"

	"ringo/internal/driver"
	"ringo/internal/loop"
)

var (
	// ErrNotTask is returned by functions of other packages that only a task of the loop may call, such as sock.Listen,
	// if any other caller calls them. Loop's own methods panic instead.
	ErrNotTask = loop.ErrNotTask
	// ErrEnded is returned by calls on a loop that has ended.
	ErrEnded = loop.ErrEnded
	// ErrDraining is returned to readers of idle connections when the drain begins; see sock.Conn.SetIdle. It matches
	// net.ErrClosed (errors.Is), so code that ends when a connection is closed also ends here.
	ErrDraining = loop.ErrDraining
	// ErrBubble is returned by Run in a bubble of testing/synctest. Time advances there only while all goroutines wait
	// for each other, but a loop waits in the kernel. Goroutines in a bubble may use loops of a Run outside it; such
	// waits take real time. It matches errors.ErrUnsupported (errors.Is).
	ErrBubble = loop.ErrBubble
	// ErrGoexit is the error of a task that called runtime.Goexit, as t.FailNow does. Run returns it if the task ran
	// one of Run's functions.
	ErrGoexit = loop.ErrGoexit
)

// A PanicError describes a panic in a task. Task.Wait, Group.Wait and Run return it if Config.OnPanic is set. If the
// function of an Offload or Compute call panics, the call panics with a PanicError in its task.
type PanicError struct {
	// Value is the argument of panic. Unwrap returns it if it is an error.
	Value any
	// Stack is the stack of the panic, in the format of debug.Stack. If an Offload or Compute call panicked and its
	// task did not recover, the stack of that task follows.
	Stack []byte
	// In says where the panic happened: "a task", "Offload", "Compute", "singleflight" or "retry".
	In string
}

// Error shows the value and the stack.
func (e *PanicError) Error() string { return (*loop.PanicError)(e).Error() }

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error { return (*loop.PanicError)(e).Unwrap() }

// showPanic converts the engine's PanicError to the type that users see; shownPanic converts it back.
func showPanic(p *loop.PanicError) error { return (*PanicError)(p) }

func shownPanic(v any) *loop.PanicError {
	p, _ := v.(*PanicError)
	return (*loop.PanicError)(p)
}

// A SetupError says why a driver can't run here. errors.As finds it in the error of Run.
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

// Error names the driver, the step, the errno and the likely cause.
func (e *SetupError) Error() string { return (*driver.SetupError)(e).Error() }

// Unwrap returns Err.
func (e *SetupError) Unwrap() error { return (*driver.SetupError)(e).Unwrap() }

// setupError wraps an error of opening a driver so that errors.As finds the public SetupError in it.
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

// wantFunc panics unless a function was given. method is the name in the message.
func wantFunc(given bool, method string) {
	if !given {
		panic("ringo: " + method + " of a nil function")
	}
}

// ofNil returns the error of a method that was called on a nil pointer.
func ofNil(name string) error { return fmt.Errorf("ringo: %s of nil", name) }
