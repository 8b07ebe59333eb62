//go:build !linux || portable

package sys

// ReadMemory is for Linux only.
func ReadMemory(into []byte, from uintptr) bool { return false }
