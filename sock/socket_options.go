package sock

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"ringo/internal/cmsg"
	"ringo/internal/kernel"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// Options are options of a TCP, UDP or raw IP socket beyond those of package net. A zero field leaves its option as it
// is. A Dialer and a ListenConfig set them before the socket is bound or connected; accepted connections inherit those
// of their listener. Unix sockets refuse all of them with EOPNOTSUPP (errors.ErrUnsupported).
//
// Errors contain the errno and name the option, and the capability that the process lacks. Options that a kernel or a
// simulated world does not have are refused with ENOPROTOOPT.
type Options struct {
	// NotSentLowat bounds the bytes of a TCP connection that the kernel holds and has not sent yet: at the bound Write
	// waits, so the program can decide late what to send next. Bytes sent and not acknowledged do not count. By default
	// SetWriteBuffer alone limits them: tcp(7), TCP_NOTSENT_LOWAT, Linux 3.12.
	NotSentLowat int
	// MaxPacingRate bounds how fast the kernel sends, in bytes a second: socket(7), SO_MAX_PACING_RATE, Linux 3.13.
	// math.MaxUint64 means no limit, the default. TCP keeps to it on any interface since Linux 4.13, datagrams only
	// where tc-fq(8) sends them. More than 4 GB/s (32 bits) need Linux 4.20, and are refused with EINVAL before.
	MaxPacingRate uint64
	// Congestion is the name of a TCP connection's congestion control algorithm, such as "bbr": tcp(7),
	// TCP_CONGESTION, Linux 2.6.13. The error is ENOENT if the kernel does not have it. Those that
	// net.ipv4.tcp_allowed_congestion_control does not list need CAP_NET_ADMIN.
	Congestion string
	// TOS is the type of service of IPv4 and the traffic class of IPv6, 1 to 255, which Differentiated Services put
	// into the upper six bits; the lower two are ECN, which for TCP the kernel sets. A dual-stack socket has it for
	// both families. A negative number sets 0, the default: ip(7), IP_TOS, and ipv6(7), IPV6_TCLASS. For single
	// datagrams use Control.TOS.
	TOS int
	// Mark is the number by which routing rules and packet filters recognise the packets: socket(7), SO_MARK. It needs
	// CAP_NET_ADMIN or, since Linux 5.17, CAP_NET_RAW.
	Mark uint32
	// Device is the name of the only interface used to send and receive, such as "eth0": socket(7), SO_BINDTODEVICE.
	// The error is ENODEV if it does not exist. To change it needs CAP_NET_RAW; before Linux 5.7 so does setting it
	// first.
	Device string
}

// Numbers of the Linux ABI, see socket(7), tcp(7), ip(7) and ipv6(7).
const (
	soBindtodevice   = 25
	soMark           = 36
	soMaxPacingRate  = 47
	tcpCongestion    = 13
	tcpNotsentLowat  = 25
	ipTOS            = 1
	ipv6TrafficClass = 67

	// nameMax is the longest name of an interface or a congestion control: the kernel truncates longer ones.
	nameMax = 15
)

// SetOptions sets the options that are not zero in o, in the order of the fields, and stops at the first that is
// refused. Any goroutine may call it.
func (c *Conn) SetOptions(o Options) error { return setOptions(c.plain, c.fail, o) }

// Options returns the options that the connection has. Any goroutine may call it.
func (c *Conn) Options() (Options, error) { return getOptions(c.plain, c.fail) }

// SetOptions sets the options that are not zero in o, in the order of the fields, and stops at the first that is
// refused. NotSentLowat and Congestion are TCP's. Any goroutine may call it.
func (c *packet) SetOptions(o Options) error { return setOptions(c.plain, c.fail, o) }

// Options returns the options that the socket has. Any goroutine may call it.
func (c *packet) Options() (Options, error) { return getOptions(c.plain, c.fail) }

// setOptions sets options by the plain and fail methods of a handle.
func setOptions(plain func(string, kernelCall) (int32, error), fail func(string, error) error, o Options) error {
	var refused error
	_, err := plain("set", func(k kernel.Kernel, fd int32) int32 {
		refused = o.set(socket{k, fd})
		return 0
	})
	if err != nil || refused == nil {
		return err
	}
	return fail("set", refused)
}

// getOptions reads options by the plain and fail methods of a handle.
func getOptions(plain func(string, kernelCall) (int32, error), fail func(string, error) error) (o Options, err error) {
	var refused error
	_, err = plain("get", func(k kernel.Kernel, fd int32) int32 {
		refused = o.get(socket{k, fd})
		return 0
	})
	if err != nil || refused == nil {
		return o, err
	}
	return Options{}, fail("get", refused)
}

// set sets those options on a socket that are not zero.
func (o *Options) set(s socket) error {
	family, err := s.family()
	if err != nil {
		return err
	}
	try := func(given bool, name, needs string, set func() int32) {
		if !given || err != nil {
			return
		}
		if err = called("setsockopt "+name, set()); err != nil && needs != "" && errors.Is(err, posix.EPERM) {
			err = fmt.Errorf("%w: it takes %s", err, needs)
		}
	}
	try(o.NotSentLowat != 0, "TCP_NOTSENT_LOWAT", "", func() int32 {
		if o.NotSentLowat < 0 {
			return -sys.EINVAL
		}
		return s.k.Setsockopt(s.n, protoTCP, tcpNotsentLowat, o.NotSentLowat)
	})
	try(o.MaxPacingRate != 0, "SO_MAX_PACING_RATE", "", func() int32 { return s.setPacing(o.MaxPacingRate) })
	try(o.Congestion != "", "TCP_CONGESTION", "CAP_NET_ADMIN, or net.ipv4.tcp_allowed_congestion_control that lists it",
		func() int32 { return s.setName(protoTCP, tcpCongestion, o.Congestion, -sys.ENOENT) })
	try(o.TOS != 0, "IP_TOS", "", func() int32 { return s.setTOS(family, o.TOS) })
	try(o.Mark != 0, "SO_MARK", "CAP_NET_ADMIN or, since Linux 5.17, CAP_NET_RAW", func() int32 {
		return s.k.Setsockopt(s.n, solSocket, soMark, int(int32(o.Mark)))
	})
	try(o.Device != "", "SO_BINDTODEVICE", "CAP_NET_RAW, if the socket has a device or Linux is older than 5.7",
		func() int32 { return s.setName(solSocket, soBindtodevice, o.Device, -sys.ENODEV) })
	return err
}

// get reads the options of a socket; those that it does not have stay zero.
func (o *Options) get(s socket) error {
	family, err := s.family()
	if err != nil {
		return err
	}
	p := make([]byte, nameMax+1)
	ask := func(level, name int) []byte {
		res := s.k.GetsockoptBytes(s.n, level, name, p)
		if bare := posix.Bare(res); res < 0 && bare != -sys.ENOPROTOOPT && bare != -sys.EOPNOTSUPP && err == nil {
			err = callError("getsockopt", res)
		}
		return p[:max(res, 0)]
	}
	number := func(level, name int) uint64 {
		switch b := ask(level, name); {
		case len(b) >= 8:
			return binary.NativeEndian.Uint64(b)
		case len(b) >= 4:
			return uint64(binary.NativeEndian.Uint32(b))
		}
		return 0
	}
	text := func(level, name int) string {
		b, _, _ := bytes.Cut(ask(level, name), []byte{0})
		return string(b)
	}
	o.NotSentLowat = int(number(protoTCP, tcpNotsentLowat))
	if o.MaxPacingRate = number(solSocket, soMaxPacingRate); o.MaxPacingRate == math.MaxUint32 {
		o.MaxPacingRate = math.MaxUint64 // an older kernel has only 32 bits, which all are set
	}
	o.Congestion = text(protoTCP, tcpCongestion)
	if o.TOS = int(number(cmsg.LevelIP, ipTOS)); family == sys.AFInet6 {
		o.TOS = int(number(cmsg.LevelIPv6, ipv6TrafficClass))
	}
	o.Mark = uint32(number(solSocket, soMark))
	o.Device = text(solSocket, soBindtodevice)
	return err
}

// family returns the family of an IP socket; a Unix socket is refused.
func (s socket) family() (int32, error) {
	family, res := s.k.Getsockopt(s.n, solSocket, sys.SoDomain)
	switch {
	case res < 0:
		return 0, callError("getsockopt", res)
	case family == sys.AFUnix:
		return 0, callError("setsockopt", -sys.EOPNOTSUPP)
	}
	return family, nil
}

// setName sets an option that is a name. It returns res for a name that is too long to exist.
func (s socket) setName(level, option int, name string, res int32) int32 {
	if len(name) > nameMax || strings.IndexByte(name, 0) >= 0 {
		return res
	}
	return s.k.SetsockoptBytes(s.n, level, option, []byte(name))
}

// setPacing sets how fast the kernel may send. A rate of more than 32 bits is set only if the kernel returns a 64-bit
// value: others would take half of the number. All 32 bits set mean no limit.
func (s socket) setPacing(rate uint64) int32 {
	wide := make([]byte, 8)
	switch {
	case rate == math.MaxUint64:
		return s.k.Setsockopt(s.n, solSocket, soMaxPacingRate, -1)
	case rate < math.MaxUint32:
		return s.k.Setsockopt(s.n, solSocket, soMaxPacingRate, int(int32(uint32(rate))))
	}
	if res := s.k.GetsockoptBytes(s.n, solSocket, soMaxPacingRate, wide); res < int32(len(wide)) {
		return min(res, -sys.EINVAL)
	}
	binary.NativeEndian.PutUint64(wide, rate)
	return s.k.SetsockoptBytes(s.n, solSocket, soMaxPacingRate, wide)
}

// setTOS sets the type of service for each family that the socket has.
func (s socket) setTOS(family int32, tos int) int32 {
	if tos > math.MaxUint8 {
		return -sys.EINVAL
	}
	tos = max(tos, 0)
	if family != sys.AFInet6 {
		return s.k.Setsockopt(s.n, cmsg.LevelIP, ipTOS, tos)
	}
	if res := s.k.Setsockopt(s.n, cmsg.LevelIPv6, ipv6TrafficClass, tos); res < 0 {
		return res
	}
	res := s.k.Setsockopt(s.n, cmsg.LevelIP, ipTOS, tos)
	if posix.Bare(res) == -sys.ENOPROTOOPT { // a raw IPv6 socket has no other family
		return 0
	}
	return res
}
