//go:build windows

package sys

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/windows"
)

// probes holds the settings of a socket's keep-alive probes where Windows takes them only together: before Windows 10,
// version 1709, and in Wine. The zero value is Windows' defaults.
type probes struct {
	idle, interval atomic.Int32 // seconds
	count          atomic.Int32 // can't be set there
}

// of returns the field for a TCP option, and Windows' default; nil for other options.
func (p *probes) of(name int) (field *atomic.Int32, own int32) {
	switch name {
	case 4:
		return &p.idle, 7200
	case 5:
		return &p.interval, 1
	case 6:
		return &p.count, 10
	}
	return nil, 0
}

// setProbe sets a TCP option about probes that this Windows does not have as an option of its own.
func (o *open) setProbe(name int, value int32) int32 {
	if value < 1 {
		return -EINVAL
	}
	field, _ := o.socket.probes.of(name)
	field.Store(value)
	if on, _ := o.option(SolSocket, soKeepalive); on == 0 {
		return 0
	}
	return o.applyProbes()
}

// applyProbes passes the settings to Windows, once probing is on.
func (o *open) applyProbes() int32 {
	p := &o.socket.probes
	if p.idle.Load() == 0 && p.interval.Load() == 0 {
		return 0
	}
	var values struct{ on, idle, interval uint32 } // struct tcp_keepalive, in ms
	values.on = 1
	values.idle, values.interval = p.millis(4), p.millis(5)
	var n uint32
	return failed(windows.WSAIoctl(o.handle, windows.SIO_KEEPALIVE_VALS, (*byte)(unsafe.Pointer(&values)),
		uint32(unsafe.Sizeof(values)), nil, 0, &n, nil, 0))
}

func (p *probes) millis(name int) uint32 {
	field, own := p.of(name)
	if n := field.Load(); n > 0 {
		own = n
	}
	return uint32(min(int64(own)*1000, 1<<31-1))
}

// like copies the settings from the listener.
func (p *probes) like(listener *probes) {
	p.idle.Store(listener.idle.Load())
	p.interval.Store(listener.interval.Load())
	p.count.Store(listener.count.Load())
}
