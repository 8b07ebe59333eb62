// Command peers runs other people's test suites with Ringo's sockets in the place of package net's, and compares them,
// test by test, with the same binaries that use package net. .ci/peers has the suites.
//
//	peers goroot -ringo DIR COPY
//
// makes a copy of GOROOT in which Ringo is a part of the standard library, and net.Dialer.DialContext,
// net.ListenConfig.Listen and ListenPacket ask it first, if its package ringo/peers is imported and the
// environment has RINGO_PEERS.
//
//	peers run -suite NAME -version V -root DIR -accepted FILE -sum FILE [-short] PACKAGE...
//
// builds the tests of packages below the root with that import, runs them without Ringo and with it on each driver, and
// says what differs. A test whose result differs is run again alone, by turns on both sides, three times: it
// differs if each time it passed on the control and did not with Ringo. One that the file has as accepted is not.
// What failed on the control, too, counts for nothing. With -files, calls of package os in the folders named
// are package file's, and os's on the control.
//
//	peers table FILE
//
// prints what the runs have added to the sum file, for docs.
package main
