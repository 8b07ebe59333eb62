// Package memkernel is a kernel in memory: descriptors, sockets, pipes and files of hosts that exist nowhere else,
// with the semantics of Linux as far as programs can tell them.
//
// A [Host] is behind both doors: it is a kernel.Kernel, and Attempt is the plain call of an op, for a driver. What has
// to wait says -EAGAIN, and Watch tells when it is worth another attempt. A [Network] is what lies between hosts. Time
// and chance are those of a world.World, and all that belongs to one world is for one goroutine at a time.
//
// What Linux has and this has not fails with the error of a kernel that was built without it: raw sockets with EPERM,
// MPTCP with EPROTONOSUPPORT, options that nobody reads here with ENOPROTOOPT, clones of files with EOPNOTSUPP.
package memkernel
