//go:build !linux

package logs_test

var children map[string]func()
