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

// func getm() uintptr
TEXT ·getm(SB), NOSPLIT, $0-8
	MOVD 48(g), R0
	MOVD R0, ret+0(FP)
	RET

// func getsp() uintptr
TEXT ·getsp(SB), NOSPLIT, $0-8
	MOVD $ret+0(FP), R0
	MOVD R0, ret+0(FP)
	RET

// func prefetch(gp, sp uintptr)
TEXT ·prefetch(SB), NOSPLIT, $0-16
	MOVD gp+0(FP), R0
	MOVD sp+8(FP), R1
	PRFM (R0), PLDL1KEEP
	PRFM 64(R0), PLDL1KEEP
	PRFM (R1), PLDL1KEEP
	PRFM 64(R1), PLDL1KEEP
	PRFM 128(R1), PLDL1KEEP
	PRFM 192(R1), PLDL1KEEP
	PRFM 256(R1), PLDL1KEEP
	PRFM 320(R1), PLDL1KEEP
	RET
