package dial

import (
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
	index, err := zones.find(&zones.indices, zone, func() (*net.Interface, error) { return net.InterfaceByName(zone) })
	if err != nil {
		return a, &net.AddrError{Err: err.Error(), Addr: a.String()}
	}
	return a.WithZone(index), nil
}

// zones remembers interfaces for zonesFor, as package net does: looking one up takes several system calls.
var zones zoneCache

type zoneCache struct {
	mu      sync.Mutex
	names   map[string]string // by index, as a decimal
	indices map[string]string // by name
	since   time.Time
}

const zonesFor = time.Minute

// find returns the value of key in one of the maps; if it is not known, ask looks the interface up.
func (z *zoneCache) find(in *map[string]string, key string, ask func() (*net.Interface, error)) (string, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.names == nil || time.Since(z.since) > zonesFor {
		z.names, z.indices, z.since = map[string]string{}, map[string]string{}, time.Now()
	}
	if v, ok := (*in)[key]; ok {
		return v, nil
	}
	ifi, err := ask()
	if err != nil {
		return "", err
	}
	index := strconv.Itoa(ifi.Index)
	z.names[index], z.indices[ifi.Name] = ifi.Name, index
	return (*in)[key], nil
}

// NamedZone replaces the index of an interface in a zone by its name, which people read. If the interface no longer
// exists, the index stays.
func NamedZone(ap netip.AddrPort) netip.AddrPort {
	zone := ap.Addr().Zone()
	if zone == "" || !NumericPort(zone) || loop.Home() != nil {
		return ap
	}
	index, err := strconv.Atoi(zone)
	if err != nil {
		return ap
	}
	name, err := zones.find(&zones.names, strconv.Itoa(index), func() (*net.Interface, error) {
		return net.InterfaceByIndex(index)
	})
	if err != nil {
		return ap
	}
	return netip.AddrPortFrom(ap.Addr().WithZone(name), ap.Port())
}

// TCPAddr returns the address for package net, with the name of its zone. An unknown address becomes an unspecified
// one, not nil, so that String can always be called on it.
func TCPAddr(ap netip.AddrPort) *net.TCPAddr {
	if !ap.IsValid() {
		return &net.TCPAddr{}
	}
	return net.TCPAddrFromAddrPort(NamedZone(ap))
}

// UDPAddr makes a net.Addr, with the zone's name.
func UDPAddr(ap netip.AddrPort) *net.UDPAddr { return net.UDPAddrFromAddrPort(NamedZone(ap)) }
