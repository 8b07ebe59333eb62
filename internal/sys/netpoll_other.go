//go:build !windows

package sys

// HaveNetpoll says whether Go's netpoller can watch descriptors by their numbers here.
const HaveNetpoll = true
