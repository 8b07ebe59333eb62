//go:build linux

// Gate says whether a change has made an echo server dearer. It has two commands, which .ci/gate calls:
//
//	gate ratios   CPU time a request, relative to package net's and to C's in the same run
//	gate calls    system calls a request, by name
//
// What is allowed is in bounds.go and nowhere else. The exit code is 1 if a bound does not hold.
//
// # Ratios
//
// All servers run for the whole time, pinned to one core, and are measured in turn for a moment each: net, one, the
// next, and again, so that what else the machine does meets all of them. A ratio is taken within a round, and the
// median of the rounds is compared with the bound. A server fails if it has lost against package net and against C:
// hosts charge differently for what net, C and Ringo each do most, which moves one of the two ratios, while a loss of
// Ringo's own moves both. A server that fails is measured again, two times at most; it must fail each time.
//
// # Calls
//
// The calls are counted by strace, which slows the server several times over. So almost all connections have a request
// waiting whenever the server looks, and the counts hardly depend on what else the machine does: calls that go with a
// request are exact, and those that go with a turn are few. What goes with time, Go's monitor and Ringo's watcher, is
// allowed for by the second: a machine that is busy with other things serves few requests in one.
package main
