//go:build !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package open

// ladder lists the drivers that auto tries, in this order. A ring that costs more than epoll is still better than poll.
// A ring that only polls is not in the list: where there is one, there is also epoll, which does the same.
var ladder = []step{{name: Uring}, {name: Epoll}, {name: Uring, costly: true}, {name: Poll}, {name: Select}}

// bestReason is why auto takes the first step.
const bestReason = "io_uring works here"
