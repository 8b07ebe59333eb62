package proxyproto

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// parseV1 is Parse for version 1, a line such as "PROXY TCP4 192.0.2.1 192.0.2.2 1024 80\r\n".
func parseV1(p []byte) (h Header, size int, err error) {
	end := bytes.IndexByte(p[:min(len(p), v1Max)], '\n')
	if end < 0 {
		if len(p) >= v1Max {
			return h, 0, ErrTooLong
		}
		return h, len(p) + 1, nil
	}
	line, ok := strings.CutSuffix(string(p[len(v1Signature):end]), "\r")
	if !ok {
		return h, 0, invalid("the line does not end in CR LF")
	}
	size = end + 1
	words := strings.Split(line, " ")
	if words[0] == "UNKNOWN" {
		return h, size, nil // whatever follows
	}
	if len(words) != 5 || words[0] != "TCP4" && words[0] != "TCP6" {
		return h, 0, invalid("%q", line)
	}
	source, err := parseAddr(words[0], words[1], words[3])
	if err != nil {
		return h, 0, err
	}
	dest, err := parseAddr(words[0], words[2], words[4])
	if err != nil {
		return h, 0, err
	}
	return Header{source, dest}, size, nil
}

// parseAddr parses an address and a port of a family, TCP4 or TCP6.
func parseAddr(family, host, port string) (net.Addr, error) {
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Is4() != (family == "TCP4") || ip.Zone() != "" {
		return nil, invalid("%q is no address of %s", host, family)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || port != strconv.FormatUint(n, 10) {
		return nil, invalid("port %q", port)
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(n))), nil
}

// AppendV1 appends the header in version 1, which has IP addresses alone; any other is UNKNOWN.
func (h Header) AppendV1(b []byte) []byte {
	source, dest, ok := h.ips()
	switch {
	case !ok:
		return append(b, "PROXY UNKNOWN\r\n"...)
	case source.Addr().Is4():
		b = append(b, "PROXY TCP4 "...)
	default:
		b = append(b, "PROXY TCP6 "...)
	}
	return fmt.Appendf(b, "%v %v %d %d\r\n", source.Addr(), dest.Addr(), source.Port(), dest.Port())
}

// ips returns both addresses in one family, if they are IP addresses.
func (h Header) ips() (source, dest netip.AddrPort, ok bool) {
	s, _ := h.Source.(*net.TCPAddr)
	d, _ := h.Dest.(*net.TCPAddr)
	if s == nil || d == nil {
		return source, dest, false
	}
	source, dest = s.AddrPort(), d.AddrPort()
	from, to := source.Addr().Unmap(), dest.Addr().Unmap()
	if from.Is4() != to.Is4() { // one is IPv4 alone: map it
		from, to = netip.AddrFrom16(from.As16()), netip.AddrFrom16(to.As16())
	}
	from, to = from.WithZone(""), to.WithZone("")
	return netip.AddrPortFrom(from, source.Port()), netip.AddrPortFrom(to, dest.Port()), from.IsValid() && to.IsValid()
}
