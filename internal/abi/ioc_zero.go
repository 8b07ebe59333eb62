//go:build !(mips || mipsle || mips64 || mips64le || ppc64 || ppc64le || sparc64)

package abi

// iocNone is _IOC_NONE in its place: the direction of an ioctl that carries no data.
const iocNone = 0
