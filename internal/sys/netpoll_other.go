//go:build !windows

package sys

// HaveNetpoll says whether Go's netpoller knows descriptors by their numbers here.
const HaveNetpoll = true
