package op

import "unsafe"

// how returns the address of How, for an Openat2, and stat that of Stat, for a Statx.
func how(n *Name) unsafe.Pointer { return unsafe.Pointer(&n.How) }

func stat(n *Name) unsafe.Pointer { return unsafe.Pointer(&n.Stat) }
