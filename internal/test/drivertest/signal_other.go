//go:build !linux

package drivertest

// signalCases is empty where no signal can be sent to a thread, or where signals interrupt nothing.
var signalCases []testCase
