//go:build windows

package sys

import (
	"net/netip"
	"sync"
)

// Windows does not have SO_REUSEPORT. This package provides it among the sockets of the process: those that are bound
// to one address with it share one socket of Windows', from which each takes in its turn. So connections and datagrams
// are not spread by the kernel: the first free taker gets them.

// shared holds the sockets that others of the process may join.
var shared struct {
	sync.Mutex
	at map[address]*open
}

// address is what a socket of Windows has for itself.
type address struct {
	domain, kind int32
	addr         netip.AddrPort
}

// join makes fd, a new socket, share the socket that is bound to the address already, if there is one and both allow
// it.
func (o *open) join(fd int32, sa *Sockaddr) bool {
	if !o.socket.shares.Load() || sa.AddrPort().Port() == 0 {
		return false
	}
	shared.Lock()
	defer shared.Unlock()
	other := shared.at[address{o.socket.domain, o.socket.kind, sa.AddrPort()}]
	if other == nil || !other.hold() {
		return false
	}
	if !place(fd).CompareAndSwap(o, other) {
		other.done()
		return false
	}
	o.done() // the number's
	return true
}

// share lets others join a socket, once it has a name and SO_REUSEPORT.
func (o *open) share() {
	var sa Sockaddr
	if !o.socket.bound.Load() || !o.socket.shares.Load() || o.name(procGetsockname, &sa) < 0 ||
		!sa.AddrPort().IsValid() {
		return
	}
	shared.Lock()
	defer shared.Unlock()
	key := address{o.socket.domain, o.socket.kind, sa.AddrPort()}
	if shared.at[key] != nil {
		return
	}
	if shared.at == nil {
		shared.at = map[address]*open{}
	}
	shared.at[key] = o
	o.socket.sharedAt = key
}

// unshare removes a socket that is closed.
func (o *open) unshare() {
	shared.Lock()
	defer shared.Unlock()
	if key := o.socket.sharedAt; shared.at[key] == o {
		delete(shared.at, key)
	}
}
