// Command asserts lists where the packages that a module is built of, the standard library's among them, ask whether a
// connection or a file is one of package net's or os's own types: a type assertion, or a case of a type switch. There
// they don't find what they look for in a handle of ours. docs/programs.md says what is lost by it.
//
//	go run ./internal/cmd/asserts examples/programs
package main
