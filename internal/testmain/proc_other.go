//go:build !linux

package testmain

// descriptors finds nothing where there is no /proc/self/fd.
func descriptors() inventory { return nil }

// ringMappings finds nothing: only Linux has rings.
func ringMappings() inventory { return nil }
