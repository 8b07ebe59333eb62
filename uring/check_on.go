//go:build race || invariants

package uring

// checkOwner makes every Enter compare the calling thread with the ring's owner, at the cost of a gettid.
const checkOwner = true
