#include "textflag.h"

// func getg() uintptr
TEXT ·getg(SB), NOSPLIT, $0-8
	MOVD g, ret+0(FP)
	RET

// func isG(word *uintptr) bool
TEXT ·isG(SB), NOSPLIT, $0-9
	MOVD word+0(FP), R0
	MOVD (R0), R1
	CMP  g, R1
	CSET EQ, R2
	MOVB R2, ret+8(FP)
	RET

// func prefetch(addr uintptr)
TEXT ·prefetch(SB), NOSPLIT, $0-8
	MOVD addr+0(FP), R0
	PRFM (R0), PLDL1KEEP
	RET

// func prefetchG(gp uintptr)
TEXT ·prefetchG(SB), NOSPLIT, $0-8
	MOVD gp+0(FP), R0
	PRFM (R0), PLDL1KEEP
	RET
