// Command peers runs test suites of other projects with Ringo's sockets in place of package net's, and compares the
// results, test by test, with those of the same binaries on package net, the control. .ci/peers has the suites.
//
//	peers goroot -ringo DIR COPY
//
// makes a copy of GOROOT with Ringo as a part of the standard library. In it net.Dialer.DialContext,
// net.ListenConfig.Listen and ListenPacket ask Ringo first, if the binary imports ringo/peers and the environment has
// RINGO_PEERS. Likewise net/http's Server asks for a server to stand in for it, if the binary imports
// ringo/peers/server; HTTP/2, and a server that has TLSNextProto, stay net/http's.
//
//	peers run -suite NAME -version V -root DIR -accepted FILE -sum FILE [-short] PACKAGE...
//
// builds the tests of packages below the root with that import, runs them without Ringo and with it on each driver, and
// prints what differs. A test whose result differs is run again alone, by turns on both sides, three times: it differs
// if each time it passed on the control and did not with Ringo, and the file does not have it as accepted. A test that
// failed on the control, too, does not count. With -files, the folders named use package file in place of package os,
// and os on the control.
//
// The name of a driver also says who uses it: uring means goroutines, uring/tasks tasks, and with uring/server sockhttp
// serves in place of net/http, on the loops of the listeners. With net/others it does so on package net's listeners,
// and nothing else is Ringo's. A difference that is accepted for one of these only has it after the suite's name:
// http/server.
//
//	peers table FILE
//
// prints the results that runs have added to the sum file, for the documentation.
package main
