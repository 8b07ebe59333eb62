//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package open

// ladder lists the drivers that auto tries, in this order. It leaves out Linux's, which never work here.
var ladder = []step{{name: Kqueue}, {name: Poll}, {name: Select}}

// bestReason is why auto takes the first step.
const bestReason = "kqueue works here"
