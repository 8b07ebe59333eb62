// Package invariant says whether checks that cost more than a comparison run:
// poisoned buffers, owner checks, state walks. Build with -tags invariants.
package invariant
