// Ringo is the tool of the module: an echo server to try and to measure the
// runtime with, a proxy, a server of files, and reports on what the runtime and io_uring offer on this machine.
//
//	ringo echo     serve echo over TCP, UDP and Unix sockets
//	ringo proxy    pass connections on to other addresses
//	ringo serve    serve the files of a directory over HTTP
//	ringo bench    measure servers and files here beside packages net and os, with advice
//	ringo top      show the loops, tasks and connections of a program that has the console
//	ringo probe    tell what io_uring offers here, and which driver is used
//	ringo version  tell what this tool was built from
//
// "ringo COMMAND -h" describes a command's flags. Errors go to stderr. The exit
// code is 0 after success, 1 after a failure and 2 for a wrong command line.
package main
