// Package mask makes a new kernel behave like an older one, so that what Ringo does without a feature can be tested on
// any machine.
//
// A Mask is a set of features to do without, read from RINGO_MASK: single ones, or all that came after a release. In
// front of io_uring it is a kernel of its own (Kernel), which refuses setup flags, calls and entries as a kernel that
// does not know them would, and removes them from the lists that the real kernel returns of what it supports. So the
// code above needs no special case: a probe finds what it would find on the older kernel, and the use of a feature
// without a probe fails as it would there. The pollers have no place to put such a kernel: they look at Names.
package mask
