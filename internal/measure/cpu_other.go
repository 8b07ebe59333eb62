//go:build !linux

package measure

import (
	"errors"
	"time"
)

// CPU is for Linux alone.
func CPU(int) (time.Duration, error) { return 0, errors.ErrUnsupported }
