// Package drivertest is the contract of package driver as a suite of tests: every
// driver passes Run, and each rule is a case that says which one was broken.
//
//	func TestContract(t *testing.T) { drivertest.RunSizes(t, open) }
//
// The harness of a case keeps watch over all ops at once, whatever the case is
// about: each completes once, with its own token, out of a Wait and nowhere else;
// its state, its hold on the descriptor and its slot change when they should; no
// EINTR or EAGAIN comes out; no Wait ends early for nothing; and after Close no
// op, slot, buffer or descriptor is left. Nothing may take longer than a bound, and
// a case that hangs ends the process and says where.
//
// # Adding a case
//
// A new op gets a builder in build.go, which takes a slot and fills it:
//
//	func (h *harness) fsync(f *desc) *call { return h.op(op.Fsync, f) }
//
// and then a function for each thing that it must do, listed by name in one of
// the groups of run.go:
//
//	func fsyncPipe(h *harness) {
//		r, _ := h.pipe()
//		h.fsync(r).submit().want(-sys.EINVAL)
//	}
//
// A desc is a descriptor that ops are done on, a peer the other end in the case's
// own hands; pair, tcp, listen, pipe, eventfd and file make them, and nobody has
// to close them. submit hands a call to the driver; want waits for its result,
// wantPending finds that it waits, next and wantMore take a multishot's
// completions one by one, cancel asks for its end. An op that can wait also gets a
// line in waitingKinds of cancel.go, and with it a case for each moment of its life
// at which it may be cancelled.
//
// A case touches no kernel but its machine's (harness.m): the system's, or one in memory
// by whose clock nothing happens that nobody waits for. What the one in memory rightly
// lacks is excused by name, in a list with reasons: see CheckExcused.
//
// A case that can't fail is worth nothing. The tests of this package run the suite
// on a reference driver that has one bug at a time: give it the bug that the new
// case is for, in spoil_test.go, and name the two in mutants_test.go.
//
// # Drivers that die
//
// A Mortal opens drivers that die at a moment of a test's choice, for tests of what is
// built on drivers. Their death is that of a ring or poller that fails: the error comes
// in the call's place, and all that follows is the driver's own doing.
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
// Program runs a script of random steps on several drivers and compares what they
// make of it. Fuzz looks for a script on which two of them differ.
package drivertest
