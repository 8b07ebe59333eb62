// Typecheck reads the module with its tests as compilers for other systems would, and says what is wrong. It builds
// nothing, the standard library least of all, and so takes a twentieth of what go build and go test -c take.
//
//	typecheck SYSTEM/ARCHITECTURE...
//
// What only code generation and links find it does not see: .ci/run builds for one other system as well, and
// .ci/systems for all.
package main
