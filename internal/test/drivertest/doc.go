// Package drivertest is the contract of package driver, written as a suite of tests. Every driver has to pass Run. Each
// rule is a case of its own, so that a failure says which rule was broken.
//
//	func TestContract(t *testing.T) { drivertest.RunSizes(t, open) }
//
// Whatever a case is about, its harness watches all ops at once. Each op completes once, with its own token, and only
// out of a Wait. Its state, its hold on the descriptor and its slot change when they should. No result is EINTR or
// EAGAIN. No Wait ends early without a reason. After Close no op, slot, buffer or descriptor is left. Everything has a
// time limit, and a case that hangs ends the process with a message that says where.
//
// # Adding a case
//
// A new op gets a builder in build.go, which takes a slot and fills it:
//
//	func (h *harness) fsync(f *desc) *call { return h.op(op.Fsync, f) }
//
// and then one function for each thing that the op must do, listed by name in one of the groups of run.go:
//
//	func fsyncPipe(h *harness) {
//		r, _ := h.pipe()
//		h.fsync(r).submit().want(-sys.EINVAL)
//	}
//
// A desc is a descriptor that ops run on; a peer is the other end, which the case itself uses by plain calls. pair,
// tcp, listen, pipe, eventfd and file make them, and the harness closes them. submit hands a call to the driver; want
// waits for its result, wantPending checks that it is still waiting, next and wantMore take a multishot's completions
// one by one, and cancel asks the driver to end it. An op that can wait also gets a line in waitingKinds of cancel.go,
// which adds a case for each moment of its life at which it may be cancelled.
//
// A case calls no kernel but that of its machine (harness.m), which is either the system's or one in memory. The clock
// of the one in memory advances only while something waits for it. Cases that need what the kernel in memory rightly
// lacks are excused by name, in a list with reasons: see CheckExcused.
//
// A case that can't fail is worth nothing. The tests of this package run the suite on a reference driver that has one
// bug at a time: add the bug that the new case should find to spoil_test.go, and name the bug and the case in
// mutants_test.go.
//
// # Drivers that die
//
// A Mortal opens drivers that die at a moment of a test's choice, for tests of what is built on drivers. They die as
// they do when a ring or poller fails: the error comes in place of the system call, and everything after it is the
// driver's own code.
//
//	var mortal drivertest.Mortal
//	defer open.Through(mortal.Wrap)()       // or, with a loop.Config: cfg.Open = mortal.Wrap(cfg.Open)
//	err := ringo.Run(ctx, cfg, func(l *ringo.Loop) error {
//		victim := mortal.Of((*loop.Loop)(l).Ops())
//		l.Go(func() { ... })
//		victim.Die(errors.New("gone"))  // from any goroutine
//		...
//	})                                      // err wraps "gone"
//
// # Two drivers
//
// Program runs a script of random steps on several drivers and compares their results. Fuzz searches for a script on
// which two drivers differ.
package drivertest
