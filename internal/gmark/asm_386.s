#include "textflag.h"

// func getg() uintptr
TEXT ·getg(SB), NOSPLIT, $0-4
	MOVL (TLS), AX
	MOVL AX, ret+0(FP)
	RET

// func isG(word *uintptr) bool
TEXT ·isG(SB), NOSPLIT, $0-5
	MOVL (TLS), AX
	MOVL word+0(FP), CX
	CMPL AX, (CX)
	SETEQ ret+4(FP)
	RET

// func prefetch(addr uintptr)
TEXT ·prefetch(SB), NOSPLIT, $0-4
	MOVL addr+0(FP), AX
	PREFETCHT0 (AX)
	RET

// func prefetchG(gp uintptr)
TEXT ·prefetchG(SB), NOSPLIT, $0-4
	MOVL gp+0(FP), AX
	PREFETCHT0 (AX)
	RET
