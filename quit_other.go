//go:build !unix

package ringo

// watchQuit does nothing: this system has no SIGQUIT.
func watchQuit() (stop func()) { return func() {} }
