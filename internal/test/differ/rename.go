//go:build !plan9

package differ

import "syscall"

// rename is rename(2): package os asks first whether name is a folder, and then has an error of its own.
func rename(from, name string) error { return syscall.Rename(from, name) }
