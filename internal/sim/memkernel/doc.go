// Package memkernel is a kernel in memory: descriptors, sockets, pipes and files of simulated hosts, with Linux's
// semantics as far as programs can observe them.
//
// A [Host] is behind both doors: it is a kernel.Kernel, and its Attempt makes the plain call of an op, for a driver.
// Calls that would have to wait return -EAGAIN, and Watch tells when another attempt is worth it. A [Network] connects
// hosts. Time and random choices are those of a world.World. Only one goroutine at a time may use what belongs to a
// world.
//
// What Linux has and this kernel does not fails with the error of a kernel that was built without it: raw sockets with
// EPERM, MPTCP with EPROTONOSUPPORT, unknown options with ENOPROTOOPT, clones of files with EOPNOTSUPP.
package memkernel
