//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package open

// ladder is what auto tries, one after the other: of Linux's drivers there is nothing to be said here.
var ladder = []step{{name: Kqueue}, {name: Poll}, {name: Select}}

// bestReason is why the first is taken.
const bestReason = "kqueue works here"
