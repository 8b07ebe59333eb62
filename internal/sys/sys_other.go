//go:build !linux

package sys

import "errors"

// CPUs lists the processors that this process may use; unknown on this system.
func CPUs() ([]int, error) { return nil, errors.ErrUnsupported }

// Pin binds the calling thread to one processor; not offered on this system.
func Pin(int) error { return errors.ErrUnsupported }

// Gettid is the id of the calling thread; 0, which no thread has, on this system.
func Gettid() int32 { return 0 }
