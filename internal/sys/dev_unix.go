//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package sys

import "golang.org/x/sys/unix"

func mkdev(major, minor uint32) uint64 { return unix.Mkdev(major, minor) }
