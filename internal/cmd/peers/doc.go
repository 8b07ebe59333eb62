// Command peers runs other people's test suites with Ringo's sockets in the place of package net's, and compares them,
// test by test, with the same binaries that use package net. .ci/peers has the suites.
//
//	peers goroot -ringo DIR COPY
//
// makes a copy of GOROOT in which Ringo is a part of the standard library, and net.Dialer.DialContext,
// net.ListenConfig.Listen and ListenPacket ask it first, if its package ringo/peers is imported and the
// environment has RINGO_PEERS. net/http's Server asks likewise, if its package ringo/peers/server is, who is to serve
// what is HTTP/1 alone: HTTP/2, and a server that has TLSNextProto, stay net/http's.
//
//	peers run -suite NAME -version V -root DIR -accepted FILE -sum FILE [-short] PACKAGE...
//
// builds the tests of packages below the root with that import, runs them without Ringo and with it on each driver, and
// says what differs. A test whose result differs is run again alone, by turns on both sides, three times: it
// differs if each time it passed on the control and did not with Ringo. One that the file has as accepted is not.
// What failed on the control, too, counts for nothing. With -files, calls of package os in the folders named
// are package file's, and os's on the control.
//
// A driver is named with who uses it: uring is that of goroutines, uring/tasks of tasks, and with uring/server sockhttp
// serves where net/http would, on the loops of the listeners. With net/others it does so over package net's listeners,
// and nothing else is Ringo's. What is accepted of one of these alone has it behind the suite's name: http/server.
//
//	peers table FILE
//
// prints what the runs have added to the sum file, for docs.
package main
