//go:build dragonfly

package sys

import "golang.org/x/sys/unix"

func birth(s *unix.Stat_t) (unix.Timespec, bool) { return unix.Timespec{}, false }

const clockMonotonic = unix.CLOCK_MONOTONIC

// linkRefused is the error of an open that is not to follow links.
const linkRefused = unix.EMLINK

// wildcardIsHere says that to connect to all addresses is to connect to this machine.
const wildcardIsHere = true
