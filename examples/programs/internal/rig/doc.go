// Package rig is what the tests of this module begin with: loops that run while a test does, and connections of them.
//
// The tests themselves are ordinary goroutines, as the programs are that they
// drive. Loops makes a Run in the background, and ends it with the test; a Run that
// does not end in order, or leaves anything, fails the test.
package rig
