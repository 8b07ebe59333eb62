package sock

import (
	"errors"
	"math"
	"net"
	"time"

	"ringo/internal/handle"
	"ringo/internal/kernel"
	"ringo/internal/sys"
)

// Numbers of the Linux ABI, see socket(7) and tcp(7).
const (
	solSocket      = 1
	soReuseaddr    = 2
	soSndbuf       = 7
	soRcvbuf       = 8
	soKeepalive    = 9
	soReuseport    = 15
	protoTCP       = 6
	tcpNodelay     = 1
	tcpKeepidle    = 4
	tcpKeepintvl   = 5
	tcpKeepcnt     = 6
	tcpDefer       = 9
	tcpInfo        = 11
	tcpUserTimeout = 18
	tcpFastopen    = 23
	tcpFastconnect = 30
	protoIPv6      = 41
	ipv6Only       = 26
	shutRead       = 0
	shutWrite      = 1
)

// CloseRead shuts down the reading side: reads return io.EOF once all received bytes have been read. Any goroutine may
// call it.
func (c *Conn) CloseRead() error { return c.shutdown(shutRead) }

// CloseWrite shuts down the writing side: the peer reads the end of the stream after all written bytes. A concurrent
// Write either comes before it or fails. Any goroutine may call it.
func (c *Conn) CloseWrite() error {
	switch {
	case c.l == nil:
		return c.shutdown(shutWrite)
	case !c.l.IsCurrent():
		return c.closeWriteForeign()
	}
	for first := true; first || c.core.Owes(); first = false { // other waiting writers may have written by now
		if err := c.core.FlushFirst(); err != nil {
			return c.fail("close", err)
		}
	}
	err := c.shutdown(shutWrite)
	if err == nil {
		c.accepts.Store(acceptsNoMore)
	}
	return err
}

// closeWriteForeign is CloseWrite for foreign callers. If the output is the loop's, it runs there: tasks may be about
// to write.
func (c *Conn) closeWriteForeign() error {
	lent, err := c.core.AskLent(handle.Out, "shutdown", func(k kernel.Kernel, fd int32) int32 {
		res := k.Shutdown(fd, shutWrite)
		if res == 0 {
			c.accepts.Store(acceptsNoMore)
		}
		return res
	})
	if err == nil && !lent {
		return c.failOnOwner("close", onOwner(c.l, c.CloseWrite))
	}
	return c.failed("close", err)
}

// acceptsNoMore is the limit of accepted writes once the writing side is shut down: each Write then fails by itself.
const acceptsNoMore = -1

func (c *Conn) shutdown(how int) error {
	_, err := c.plain("close", func(k kernel.Kernel, fd int32) int32 { return k.Shutdown(fd, how) })
	return err
}

// SetNoDelay turns Nagle's algorithm off (true, the default) or on. Any goroutine may call it.
func (c *Conn) SetNoDelay(noDelay bool) error {
	return c.setOption(protoTCP, tcpNodelay, boolInt(noDelay))
}

// SetReadBuffer sets the kernel's receive buffer, in bytes. Any goroutine may
// call it.
func (c *Conn) SetReadBuffer(bytes int) error {
	return ofSocket(c.setOption(solSocket, soRcvbuf, bytes))
}

// SetWriteBuffer sets the kernel's send buffer, in bytes. Any goroutine may call
// it.
func (c *Conn) SetWriteBuffer(bytes int) error {
	return ofSocket(c.setOption(solSocket, soSndbuf, bytes))
}

// SetKeepAlive turns keep-alive probes on or off. Any goroutine may call it.
func (c *Conn) SetKeepAlive(keepalive bool) error {
	if !c.tcp() { // the kernel would accept it and do nothing
		return c.refuse("set", callError("setsockopt", -sys.EOPNOTSUPP))
	}
	return c.setOption(solSocket, soKeepalive, boolInt(keepalive))
}

// SetKeepAlivePeriod sets how long the connection may be idle before the first probe; 0 means 15 s. Any goroutine may
// call it.
func (c *Conn) SetKeepAlivePeriod(d time.Duration) error {
	return c.setIfPositive(tcpKeepidle, keepSeconds(d))
}

// SetKeepAliveConfig sets up keep-alive probes. As in package net, zero fields mean 15 s, 15 s and 9 probes, negative
// ones keep the current setting, and parts of a second round up. Any goroutine may call it.
func (c *Conn) SetKeepAliveConfig(config net.KeepAliveConfig) error {
	if err := c.SetKeepAlive(config.Enable); err != nil {
		return err
	}
	idle, interval, count := probes(config)
	return errors.Join(
		c.setIfPositive(tcpKeepidle, idle),
		c.setIfPositive(tcpKeepintvl, interval),
		c.setIfPositive(tcpKeepcnt, count))
}

// probes returns a configuration as the kernel's numbers; a negative number means to leave the setting as it is.
func probes(config net.KeepAliveConfig) (idle, interval, count int) {
	count = config.Count
	if count == 0 {
		count = 9
	}
	return keepSeconds(config.Idle), keepSeconds(config.Interval), count
}

// keepSeconds returns a duration of the keep-alive probes in seconds, 15 for 0.
func keepSeconds(d time.Duration) int {
	if d == 0 {
		d = 15 * time.Second
	}
	return seconds(d)
}

func (c *Conn) setIfPositive(option, v int) error {
	if v < 0 {
		return nil
	}
	return c.setOption(protoTCP, option, v)
}

// seconds rounds up. A duration that no option can hold becomes the largest number, so that the kernel refuses it.
func seconds(d time.Duration) int {
	if d < 0 {
		return -1
	}
	n := d / time.Second
	if d%time.Second != 0 {
		n++
	}
	return int(min(n, math.MaxInt32))
}

// SetLinger sets what Close does with unsent bytes. If sec is negative, the default, the kernel sends them in the
// background. If it is 0, the kernel drops them and resets the connection. If it is positive, Close waits up to sec
// seconds until they are sent; when the loop ends and closes open connections, it does not wait. Cancelling the task
// does not end that wait, so a long one delays the end of its Run, for as long as Run waits for cancelled tasks. Any
// goroutine may call it.
func (c *Conn) SetLinger(sec int) error {
	if c.unix != nil { // bytes that were written are with the peer already
		return c.refuse("set", callError("setsockopt", -sys.EOPNOTSUPP))
	}
	_, err := c.plain("set", func(k kernel.Kernel, fd int32) int32 { return k.SetLinger(fd, sec) })
	if err == nil {
		c.core.SetLinger(sec)
	}
	return err
}

func (c *Conn) setOption(level, option, value int) error {
	_, err := c.plain("set", func(k kernel.Kernel, fd int32) int32 { return k.Setsockopt(fd, level, option, value) })
	return err
}

// setAtBirth sets what package net sets on each new connection. Accepted sockets inherit it from their listener.
func (c *Conn) setAtBirth(keep net.KeepAliveConfig) {
	c.SetNoDelay(true)
	if keep.Enable {
		c.SetKeepAliveConfig(keep)
	}
}

// keepAlive returns the keep-alive configuration of the two fields of a Dialer or a ListenConfig.
func keepAlive(idle time.Duration, config net.KeepAliveConfig) net.KeepAliveConfig {
	if !config.Enable && idle >= 0 {
		return net.KeepAliveConfig{Enable: true, Idle: idle}
	}
	return config
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
