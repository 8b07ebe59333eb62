//go:build amd64 || arm64 || 386

package gmark

// Exact tells whether this architecture has the check. Where it has not, IsCurrent is
// always false and callers fall back to comparing thread ids.
const Exact = true

//go:noescape
func getg() uintptr

//go:noescape
func isG(word *uintptr) bool

// getm is the word of the running g in which the runtime keeps its thread, see Thread.
func getm() uintptr

func getsp() uintptr

// prefetch hints at the first lines of g and of the stack from sp on.
func prefetch(gp, sp uintptr)
