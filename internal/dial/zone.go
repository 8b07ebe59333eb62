package dial

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"ringo/internal/loop"
)

// NumericZone replaces the name of an interface in a zone by its index, which the kernel needs.
func NumericZone(a netip.Addr) (netip.Addr, error) {
	zone := a.Zone()
	if zone == "" || NumericPort(zone) {
		return a, nil
	}
	if loop.Home() != nil {
		return a, &net.AddrError{Err: "a simulated world has no interfaces by name", Addr: a.String()}
	}
	ifi, err := net.InterfaceByName(zone)
	if err != nil {
		return a, &net.AddrError{Err: err.Error(), Addr: a.String()}
	}
	return a.WithZone(fmt.Sprint(ifi.Index)), nil
}

// zones remembers the names of interfaces for zonesFor, as package net does: looking one up takes several system
// calls.
var zones struct {
	mu    sync.Mutex
	names map[string]string // keyed by the index as a decimal
	since time.Time
}

const zonesFor = time.Minute

// NamedZone replaces the index of an interface in a zone by its name, which people read. If the interface no longer
// exists, the index stays.
func NamedZone(ap netip.AddrPort) netip.AddrPort {
	zone := ap.Addr().Zone()
	if zone == "" || !NumericPort(zone) || loop.Home() != nil {
		return ap
	}
	zones.mu.Lock()
	defer zones.mu.Unlock()
	if zones.names == nil || time.Since(zones.since) > zonesFor {
		zones.names, zones.since = map[string]string{}, time.Now()
	}
	name, ok := zones.names[zone]
	if !ok {
		name = zone
		if index, err := strconv.Atoi(zone); err == nil {
			if ifi, err := net.InterfaceByIndex(index); err == nil {
				name = ifi.Name
				zones.names[zone] = name
			}
		}
	}
	return netip.AddrPortFrom(ap.Addr().WithZone(name), ap.Port())
}

// TCPAddr makes a net.Addr, with the zone's name. An unknown address becomes an unspecified one, not nil, so that
// String can always be called on it.
func TCPAddr(ap netip.AddrPort) *net.TCPAddr {
	if !ap.IsValid() {
		return &net.TCPAddr{}
	}
	return net.TCPAddrFromAddrPort(NamedZone(ap))
}
