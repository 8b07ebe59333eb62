package sock

// Descriptor is a connection's, asked for without a call that would be a foreign caller's, as Control is.
func Descriptor(c *Conn) uintptr { return uintptr(c.core.FD().Sys()) }
