package differ

import (
	"fmt"
	"sort"
)

var listenPacket = &verb{"p%[1]d = ListenPacket(loop %[3]d, %[5]q)", func(x *actor, s *Step) string {
	p, err := x.ListenPacket(s.N, s.Name, x.address(s.O, s.Name))
	return put(x, s.O, p, err)
}}

var dialPacket = &verb{"p%[1]d = DialPacket(loop %[3]d, p%[2]d)", func(x *actor, s *Step) string {
	p, err := x.DialPacket(s.N, s.Name, get[Packet](x, s.P).LocalAddr().String())
	return put(x, s.O, p, err)
}}

var send = &verb{"p%[1]d.WriteTo(%[3]d datagrams, p%[2]d) // way %[6]d", func(x *actor, s *Step) string {
	from, to := get[Packet](x, s.O), get[Packet](x, s.P).LocalAddr()
	var ps [][]byte
	for _, seg := range s.Segs {
		ps = append(ps, content([]segment{seg}))
	}
	if s.How == 1 {
		return class(from.WriteAll(ps, to))
	}
	for _, p := range ps {
		write := func(p []byte) (int, error) { return from.WriteTo(p, to) }
		if s.How == 2 {
			write = from.Write
		}
		if n, err := write(p); err != nil || n != len(p) {
			return valued(n, err)
		}
	}
	return "ok"
}}

var receive = &verb{"p%[1]d.ReadFrom // %[3]d datagrams, way %[6]d, %[5]s", func(x *actor, s *Step) string {
	from := get[Packet](x, s.O)
	var ps [][]byte
	var err error
	if s.How == 1 {
		ps, err = from.ReadAll(s.N)
	}
	for len(ps) < s.N && err == nil {
		p := make([]byte, 2000)
		var n int
		n, _, err = from.ReadFrom(p)
		ps = append(ps, p[:n])
	}
	if s.Name == "udp" { // UDP keeps no order
		order := make(map[string]int)
		for i, seg := range s.Segs {
			order[string(content([]segment{seg}))] = i
		}
		sort.SliceStable(ps, func(i, j int) bool { return order[string(ps[i])] < order[string(ps[j])] })
	}
	for i, p := range ps {
		if bad := wrong(p, s.Segs[i:i+1]); bad != "" {
			return fmt.Sprintf("%s, datagram %d: %s", class(err), i, bad)
		}
	}
	return valued(len(ps), err)
}}

var closePacket = &verb{"p%[1]d.Close()", func(x *actor, s *Step) string {
	return class(get[Packet](x, s.O).Close())
}}
