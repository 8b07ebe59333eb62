package tls

import "net"

// RingoParts returns the listener inside, and the configuration of its connections.
func (l *listener) RingoParts() (net.Listener, *Config) { return l.Listener, l.config }
