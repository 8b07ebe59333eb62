//go:build windows

package drivertest

import "ringo/internal/sys"

func (system) move(fd, to int32) int32 { return sys.Move(fd, to) }

func (system) exhaust() (restore func(), res int32) { return sys.Exhaust(), 0 }
