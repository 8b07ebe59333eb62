// Release turns a checkout into modules that others can require. It is a module of its own, so that Ringo does not
// depend on golang.org/x/mod. The script .ci/release runs it, in this order:
//
//	release path DIR PATH
//
// gives the module in DIR another path, in all places that have it: go.mod, imports, tables, comments, the
// documentation.
//
//	release version DIR VERSION
//
// makes the modules that are released require each other by that version and without replace lines, with the sums for
// it in go.sum, and copies the LICENSE into each.
//
//	release proxy DIR VERSION TIME PROXY
//
// writes their zips into the tree PROXY, which GOPROXY=file://PROXY serves, and prints their sums as go.sum has them.
//
//	release repository DIR VERSION REPOSITORY
//
// compares these with the zips that the go command would make from the tags in a git repository.
//
//	release modules DIR
//
// lists the modules that are released, a folder and a path per line.
package main
