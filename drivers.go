package ringo

import "ringo/internal/driver/open"

// Drivers returns the values that Config.Driver accepts: "auto", then the drivers, best first. Whether a driver works
// on this system is known only when Run opens it. Any goroutine may call it; it does not wait.
func Drivers() []string { return open.Names() }
