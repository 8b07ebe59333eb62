#include "textflag.h"

// func getg() uintptr
TEXT ·getg(SB), NOSPLIT, $0-8
	MOVQ (TLS), AX
	MOVQ AX, ret+0(FP)
	RET

// func isG(word *uintptr) bool
TEXT ·isG(SB), NOSPLIT, $0-9
	MOVQ (TLS), AX
	MOVQ word+0(FP), CX
	CMPQ AX, (CX)
	SETEQ ret+8(FP)
	RET

// func prefetch(addr uintptr)
TEXT ·prefetch(SB), NOSPLIT, $0-8
	MOVQ addr+0(FP), AX
	PREFETCHT0 (AX)
	RET

// func prefetchG(gp uintptr)
// The stack of a g that was resumed before ends near its old stack pointer; the
// hints below cover the g's first lines, where the saved registers are.
TEXT ·prefetchG(SB), NOSPLIT, $0-8
	MOVQ gp+0(FP), AX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	RET
