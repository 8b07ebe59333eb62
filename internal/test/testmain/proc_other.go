//go:build !linux

package testmain

import "testing"

// descriptors returns nothing: there is no /proc/self/fd.
func descriptors() inventory { return nil }

// ringMappings returns nothing: only Linux has rings.
func ringMappings() inventory { return nil }

// NeedDescriptors skips nothing: no loop runs on this system's kernel.
func NeedDescriptors(testing.TB, uint64) {}
