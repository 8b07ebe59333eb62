//go:build !unix

package ringo

// watchQuit has no signal to wait for.
func watchQuit() (stop func()) { return func() {} }
