//go:build amd64 || arm64 || 386

package gmark

// Exact says whether this architecture has the check. If not, IsCurrent always returns false, and callers compare
// thread ids instead.
const Exact = true

//go:noescape
func getg() uintptr

//go:noescape
func isG(word *uintptr) bool

// getm returns the word of the running g in which the runtime keeps its thread, see Thread.
func getm() uintptr

func getsp() uintptr

// prefetch hints at the first lines of g and of the stack from sp on.
func prefetch(gp, sp uintptr)
