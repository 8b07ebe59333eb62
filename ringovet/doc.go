// Command ringovet finds calls that stop a loop of Ringo, in functions that run as tasks.
//
//	go run ringo/ringovet [-C dir] [-json] [-test] packages
//
// looks at whole programs: the packages and all that they import but the standard library. The exit code is 0 without
// findings, 1 with some, and 2 if the packages can't be read.
//
//	go build -o ringovet ringo/ringovet && go vet -vettool=$PWD/ringovet ./...
//
// looks at one package at a time, with the go command's cache and with files of tests, and finds less. docs/ringovet.md
// has more.
package main
