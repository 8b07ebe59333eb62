// Typecheck type-checks the module with its tests as compilers for other systems would, and prints what is wrong. It
// builds nothing, not even the standard library, and so takes a twentieth of the time of go build and go test -c.
//
//	typecheck SYSTEM/ARCHITECTURE...
//
// It does not find mistakes that only code generation and linking find: .ci/run builds for one other system as well,
// and .ci/systems for all.
package main
