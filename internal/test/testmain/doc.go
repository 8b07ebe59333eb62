// Package testmain is the leak gate of this module's tests: a package whose tests
// pass but leave a descriptor, a goroutine, a ring's mapping or anything counted
// behind fails all the same.
//
//	func TestMain(m *testing.M) { testmain.Main(m) }
//
// An inventory is taken before the tests and again after them; what is new is a
// leak. Since much is torn down by other threads and by the kernel, what seems to
// leak is looked at again for a bounded while before it counts.
package testmain
