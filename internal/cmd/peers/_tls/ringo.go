package tls

import "net"

// RingoParts are the listener below, and what connections are made with.
func (l *listener) RingoParts() (net.Listener, *Config) { return l.Listener, l.config }
