// Package abi holds the constants and structs of the kernel ABI that Ringo speaks, under their C names.
//
// Everything here is plain data and compiles on every OS; the system calls are in internal/sys. The io_uring part
// (zuring.go) is generated from the kernel's own header, which is kept in include/ with its licence. supplement.go and
// register.go hold what later kernels added.
package abi

//go:generate go run ringo/internal/cmd/genabi -header include/linux/io_uring.h -dir .
