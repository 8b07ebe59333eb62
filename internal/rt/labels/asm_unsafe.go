//go:build amd64 || arm64 || 386

package labels

import "unsafe"

// readable says whether read works on this architecture.
const readable = true

// read gives a word of the running g; nil for the place 0.
func read(place uintptr) unsafe.Pointer

// address gives where that word is; nil for the place 0.
func address(place uintptr) *unsafe.Pointer
