//go:build !linux && !windows

package drivertest

import "ringo/internal/sys"

func (system) move(fd, to int32) int32 { return -sys.ENOSYS }

func (system) exhaust() (restore func(), res int32) { return nil, -sys.ENOSYS }
