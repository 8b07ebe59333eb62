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

// func getm() uintptr
TEXT ·getm(SB), NOSPLIT, $0-8
	MOVQ (TLS), AX
	MOVQ 48(AX), AX
	MOVQ AX, ret+0(FP)
	RET

// func getsp() uintptr
TEXT ·getsp(SB), NOSPLIT, $0-8
	LEAQ ret+0(FP), AX
	MOVQ AX, ret+0(FP)
	RET

// func prefetch(gp, sp uintptr)
TEXT ·prefetch(SB), NOSPLIT, $0-16
	MOVQ gp+0(FP), AX
	MOVQ sp+8(FP), CX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	PREFETCHT0 -128(CX)
	PREFETCHT0 -64(CX)
	PREFETCHT0 (CX)
	PREFETCHT0 64(CX)
	PREFETCHT0 128(CX)
	PREFETCHT0 192(CX)
	PREFETCHT0 256(CX)
	PREFETCHT0 320(CX)
	PREFETCHT0 384(CX)
	PREFETCHT0 448(CX)
	RET
