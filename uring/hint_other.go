//go:build !linux

package uring

import "syscall"

func hint(syscall.Errno) string { return "" }
