//go:build windows

package sys

// HaveNetpoll says whether Go's netpoller can watch descriptors by their numbers here: only package sys knows these.
const HaveNetpoll = false
