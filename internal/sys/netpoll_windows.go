//go:build windows

package sys

// HaveNetpoll says whether Go's netpoller knows descriptors by their numbers here: they are package sys's alone.
const HaveNetpoll = false
