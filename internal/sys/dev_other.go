//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd

package sys

func mkdev(major, minor uint32) uint64 { return uint64(major)<<32 | uint64(minor) }
