//go:build !linux

package measure

import (
	"errors"
	"time"
)

// CPU works on Linux only.
func CPU(int) (time.Duration, error) { return 0, errors.ErrUnsupported }
