//go:build invariants

package invariant

// Enabled tells whether the dear checks are compiled in.
const Enabled = true
