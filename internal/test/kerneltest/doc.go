// Package kerneltest is the contract of package kernel, written as a suite of tests that every implementation has to
// pass:
//
//	func TestContract(t *testing.T) { kerneltest.Run(t, open) }
//
// A descriptor means something only to its own kernel. So the suite uses files and sockets through the Kernel, and
// through ops of the same World for what a driver does, such as reading or making a directory; it never makes system
// calls of its own on them.
//
// TestMutants of this package runs the suite on kernels in which one method does nothing but reports success, for each
// method in turn. A new method of kernel.Kernel therefore needs a case, or that test fails.
package kerneltest
