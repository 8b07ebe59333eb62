//go:build !windows

package sys

// HaveNetpoll says whether Go's netpoller knows descriptors by their numbers here.
const HaveNetpoll = true

// Import gives a descriptor of our own of what package os, or net, knows by a number.
func Import(number uintptr) int32 { return Dup(int32(number)) }
