//go:build !linux

package testmain

import "testing"

// descriptors finds nothing where there is no /proc/self/fd.
func descriptors() inventory { return nil }

// ringMappings finds nothing: only Linux has rings.
func ringMappings() inventory { return nil }

// NeedDescriptors skips nothing where no loop runs on the system's kernel.
func NeedDescriptors(testing.TB, uint64) {}
