//go:build !linux || portable

package sys

// ReadMemory works on Linux only.
func ReadMemory(into []byte, from uintptr) bool { return false }
