package uring

import (
	"errors"
	"fmt"

	"ringo/internal/posix"
)

// A SetupError reports at which step the set-up of a ring, or a register call, failed, and the likely cause.
type SetupError struct {
	Step string // the system call, with its arguments
	Hint string // the likely cause; may be ""
	Err  error  // a syscall.Errno; errors.ErrUnsupported if the OS has no io_uring; what is wrong with RINGO_MASK

	Advice []string // changes to the system that would help, one per string
}

func (e *SetupError) Error() string {
	s := fmt.Sprintf("uring: %s: %v", e.Step, e.Err)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Unwrap returns the errno.
func (e *SetupError) Unwrap() error { return e.Err }

// A FeatureError reports that the kernel lacks a feature. errors.Is(err, errors.ErrUnsupported) holds.
type FeatureError struct {
	Name  string // the kernel's name for it
	Since string // first Linux release that has it; may be empty
}

func (e *FeatureError) Error() string {
	if e.Since == "" {
		return "uring: the kernel has no " + e.Name
	}
	return fmt.Sprintf("uring: the kernel has no %s (Linux %s)", e.Name, e.Since)
}

// Is makes every FeatureError an errors.ErrUnsupported.
func (e *FeatureError) Is(target error) bool { return target == errors.ErrUnsupported }

// setupError wraps an errno of a step with its likely cause.
func setupError(step string, errno posix.Errno) error {
	var s systemState
	switch errno {
	case posix.EPERM, posix.EACCES, posix.ENOSYS, posix.ENOMEM: // other errors may be frequent, and need no look
		s = look()
	}
	cause, advice := explain(step, errno, s)
	return &SetupError{Step: step, Hint: cause, Err: errno, Advice: advice}
}
