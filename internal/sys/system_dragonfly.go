//go:build dragonfly

package sys

import "golang.org/x/sys/unix"

func birth(s *unix.Stat_t) (unix.Timespec, bool) { return unix.Timespec{}, false }

const clockMonotonic = unix.CLOCK_MONOTONIC

// linkRefused is the error of an open that must not follow a link.
const linkRefused = unix.EMLINK

// wildcardIsHere says whether connecting to the unspecified address connects to this machine.
const wildcardIsHere = true
