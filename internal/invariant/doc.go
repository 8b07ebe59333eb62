// Package invariant says whether checks that cost more than a comparison run: poisoned buffers, owner checks, state
// walks. They run in builds with -tags invariants.
package invariant
