package loop

import (
	"errors"
	"fmt"
)

var (
	// ErrNotTask says that a call that only a task of the loop may make came
	// from somewhere else.
	ErrNotTask = errors.New("ringo: called from outside the loop's tasks (use Loop.Go or Loop.Post to get there)")
	// ErrEnded says that the loop is gone.
	ErrEnded = errors.New("ringo: the loop has ended")
	// ErrGoexit says that a task ended by runtime.Goexit.
	ErrGoexit = errors.New("ringo: the task called runtime.Goexit")
)

// PanicError is a panic in a task, with the stack of where it happened.
type PanicError struct {
	Value any
	Stack []byte
}

// Error shows the value and the task's own stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("%v [in a task]\n\n%s", e.Value, e.Stack)
}

// Unwrap gives the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
