//go:build !linux

package file

// Direct is a flag for OpenFile, of Linux only.
const Direct = 1 << 30
