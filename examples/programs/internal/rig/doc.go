// Package rig helps the tests of this module: it runs loops while a test runs, and makes connections of these loops.
//
// The tests run on ordinary goroutines, like the programs that they test. Loops starts a Run in the background, and
// ends it with the test. A Run that does not end in order, or leaves something behind, fails the test.
package rig
