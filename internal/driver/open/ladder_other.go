//go:build !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package open

// ladder is what auto tries, one after the other. A ring that costs more than epoll is better than poll still. One that
// only polls is not here: epoll does the same, wherever there is such a ring.
var ladder = []step{{name: Uring}, {name: Epoll}, {name: Uring, costly: true}, {name: Poll}, {name: Select}}

// bestReason is why the first is taken.
const bestReason = "io_uring works here"
