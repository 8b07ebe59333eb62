// Package kerneltest is the contract of the kernel's door (package kernel) as a suite of
// tests, which every implementation passes:
//
//	func TestContract(t *testing.T) { kerneltest.Run(t, open) }
//
// A descriptor means something to its kernel only. So the suite reaches files and sockets
// by the Kernel, and by ops of the same World for what the other door is for, to read or
// to make a directory; never by calls of the process's own.
//
// TestMutants of this package runs the suite on a kernel of which one method does nothing
// and says that it has, for each method in turn. Who adds a method to kernel.Kernel adds a
// case, or that test fails.
package kerneltest
