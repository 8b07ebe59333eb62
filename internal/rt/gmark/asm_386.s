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

// func getm() uintptr
TEXT ·getm(SB), NOSPLIT, $0-4
	MOVL (TLS), AX
	MOVL 24(AX), AX
	MOVL AX, ret+0(FP)
	RET

// func getsp() uintptr
TEXT ·getsp(SB), NOSPLIT, $0-4
	LEAL ret+0(FP), AX
	MOVL AX, ret+0(FP)
	RET

// func prefetch(gp, sp uintptr)
TEXT ·prefetch(SB), NOSPLIT, $0-8
	MOVL gp+0(FP), AX
	MOVL sp+4(FP), CX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	PREFETCHT0 (CX)
	PREFETCHT0 64(CX)
	PREFETCHT0 128(CX)
	PREFETCHT0 192(CX)
	RET
