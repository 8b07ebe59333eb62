//go:build !linux

package service

// runInit does nothing: on other systems, programs don't run as process 1.
func runInit() error { return nil }
