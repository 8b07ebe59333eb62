//go:build linux

// Gate checks whether a change has made an echo server more expensive. It has two commands, which .ci/gate calls:
//
//	gate ratios   CPU time a request, relative to package net's and to C's in the same run
//	gate calls    system calls a request, by name
//
// The bounds are in bounds.go and nowhere else. The exit code is 1 if one does not hold.
//
// # Ratios
//
// All servers run for the whole time, pinned to one core, and are measured in turn for a moment each: net, one server,
// the next, and again, so that other work of the machine affects all of them. A ratio is taken within a round, and the
// median of the rounds is compared with the bound. A server fails if it is below both bounds, against package net and
// against C: hosts charge differently for what net, C and Ringo each do most, which moves one of the two ratios, while
// a loss of Ringo's own moves both. A server that fails is measured again, two times at most; it must fail each time.
//
// # Calls
//
// The calls are counted by strace, which makes the server several times slower. So almost all connections have a
// request waiting whenever the server looks, and the counts hardly depend on the machine's other work: calls for each
// request are exact, and calls for each turn are few. Calls that depend on time, by Go's monitor and Ringo's watcher,
// have an allowance per second, since a busy machine serves few requests in a second.
package main
