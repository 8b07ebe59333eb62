//go:build !plan9

package differ

import "syscall"

// rename is rename(2). Package os would first ask whether name is a directory, and then return an error of its own.
func rename(from, name string) error { return syscall.Rename(from, name) }
