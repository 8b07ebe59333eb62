//go:build !linux

package service

// runInit does nothing: process 1 here is no program of this package.
func runInit() error { return nil }
