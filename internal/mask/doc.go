// Package mask makes a new kernel behave like an older one, so that what Ringo does
// without a feature can be run on any machine.
//
// A Mask is a set of things to do without, read from RINGO_MASK: single ones, or
// all that came after a release. In front of io_uring it is a kernel of its own
// (Kernel): it refuses setup flags, calls and entries as the kernel would that
// does not know them, and leaves them out where the kernel lists what it has. So
// nothing above has to play along: probes find what they would find there, and a
// use of what was not probed fails as it would there. The pollers have no such
// seam; they go by the names (Names).
package mask
