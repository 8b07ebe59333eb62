// Command ringovet finds calls that stop a loop of Ringo, in functions that run as tasks.
//
//	go run ringo/ringovet [-C dir] [-json] [-test] packages
//
// looks at whole programs: the packages, and all that they import but the standard library. The exit code is 0 if there
// is nothing to tell, 1 if there is, and 2 if the packages can't be read.
//
//	go build -o ringovet ringo/ringovet && go vet -vettool=$PWD/ringovet ./...
//
// looks at one package after the other, beside the go command's own checks, and sees less. docs/ringovet.md has more.
package main
