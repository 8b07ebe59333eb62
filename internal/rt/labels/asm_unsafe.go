//go:build amd64 || arm64 || 386

package labels

import "unsafe"

// readable says whether read works on this architecture.
const readable = true

// read returns a word of the running g; nil for the place 0.
func read(place uintptr) unsafe.Pointer

// address returns the address of that word; nil for the place 0.
func address(place uintptr) *unsafe.Pointer
