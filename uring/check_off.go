//go:build !race && !invariants

package uring

// checkOwner has every Enter compare the calling thread with the ring's owner, at the price of a gettid.
const checkOwner = false
