// Package testmain checks this module's tests for leaks. A package fails although its tests pass if they leave a
// descriptor, a goroutine, a ring's mapping or anything that is counted behind.
//
//	func TestMain(m *testing.M) { testmain.Main(m) }
//
// It takes an inventory before the tests and another one after them; what is new is a leak. Other threads and the
// kernel tear much down late, so it checks again for up to settleMax before a difference counts.
package testmain
