package op

import "unsafe"

// how is the address of what an Openat2 passes, stat that of a Statx's result.
func how(n *Name) unsafe.Pointer { return unsafe.Pointer(&n.How) }

func stat(n *Name) unsafe.Pointer { return unsafe.Pointer(&n.Stat) }
