package ringo

import "ringo/internal/driver/open"

// Drivers returns the values that Config.Driver accepts: "auto", then the drivers, best first. Only Run shows whether
// one works here. Any goroutine may call it; it does not wait.
func Drivers() []string { return open.Names() }
