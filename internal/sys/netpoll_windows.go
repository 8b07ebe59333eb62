//go:build windows

package sys

// HaveNetpoll says whether Go's netpoller knows descriptors by their numbers here: they are package sys's alone.
const HaveNetpoll = false

// Import would give a descriptor of what package os, or net, knows by a handle: but what is theirs belongs to Go's
// netpoller for good.
func Import(uintptr) int32 { return -EOPNOTSUPP }
