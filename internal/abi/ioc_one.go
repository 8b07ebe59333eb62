//go:build mips || mipsle || mips64 || mips64le || ppc64 || ppc64le || sparc64

package abi

// iocNone is _IOC_NONE, shifted to its bits: the direction of an ioctl that carries no data.
const iocNone = 1 << 29
