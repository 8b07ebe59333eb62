//go:build !linux

package drivertest

// signalCases are none where a thread can't be sent signals, or where nothing is told of them.
var signalCases []testCase
