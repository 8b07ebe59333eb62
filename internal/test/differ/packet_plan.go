package differ

// A packet is a datagram socket.
type packet struct {
	id      int
	network string
	life    res
	w, r    res // used by senders to it, and by its readers
	event   res
	flying  []segment // datagrams that were sent to it and not read
	stream  int
	at      int
	to      *packet // for a dialled socket, where it sends to
}

// datagramsMax is how many datagrams may wait for a reader: fewer than the shortest queue holds.
const datagramsMax = 6

func planPacket(g *planner, r record) {
	if len(g.packets) >= 6 {
		return
	}
	to := pick(g.packets, r.object, func(p *packet) bool { return p.to == nil })
	if to == nil || r.y < 128 {
		g.packet(r)
		return
	}
	p := &packet{id: g.object(), network: to.network, to: to}
	g.packets = append(g.packets, p)
	g.do(g.actor(r.actor), dialPacket, Step{O: p.id, P: to.id, Name: p.network, N: int(r.y) % Loops},
		append(own(&p.life), share(&to.life))...)
}

func (g *planner) packet(r record) *packet {
	p := &packet{id: g.object(), network: []string{"unixgram", "udp"}[r.x&1], stream: g.stream()}
	g.packets = append(g.packets, p)
	g.do(g.actor(r.actor), listenPacket, Step{O: p.id, Name: p.network, N: int(r.y) % Loops}, own(&p.life)...)
	return p
}

// planSend sends datagrams. UDP keeps no order between senders, so with UDP all earlier datagrams must be read first.
func planSend(g *planner, r record) {
	to := pick(g.packets, r.object, func(p *packet) bool {
		return p.to == nil && (len(p.flying) == 0 || p.network == "unixgram")
	})
	if to == nil {
		if len(g.packets) == 0 {
			g.packet(r)
		} else {
			planReceive(g, r)
		}
		return
	}
	from := pick(g.packets, r.y, func(p *packet) bool { return p.to == to || p.to == nil && p.network == to.network })
	n := min(1+int(r.x)%4, datagramsMax-len(to.flying))
	if n <= 0 {
		planReceive(g, r)
		return
	}
	var segs []segment
	for i := range n {
		k := min(1200, size(r.x+byte(i)*31))
		segs = append(segs, segment{to.stream, to.at, k})
		to.at += k
	}
	to.flying = append(to.flying, segs...)
	uses := append(own(&to.w), share(&to.life))
	if from != to {
		uses = append(uses, share(&from.life))
	}
	how := int(r.y>>4) % 2
	if from.to != nil {
		how = 2
	}
	g.do(g.actor(r.actor), send, Step{O: from.id, P: to.id, Segs: segs, How: how, N: n}, uses...)
}

func planReceive(g *planner, r record) {
	p := pick(g.packets, r.object, func(p *packet) bool { return len(p.flying) > 0 })
	if p == nil {
		return
	}
	n := len(p.flying)
	if p.network == "unixgram" {
		n = 1 + int(r.x)%n
	}
	a := g.actor(r.actor)
	segs := append([]segment(nil), p.flying[:n]...)
	g.do(a, receive, Step{O: p.id, N: n, Segs: segs, How: int(r.y) % 2, Name: p.network},
		append(own(&p.r), share(&p.life), share(&p.event))...)
	p.flying = p.flying[n:]
	if p.network == "udp" {
		g.mark(a, own(&p.w)...)
	}
}

func planPacketWait(g *planner, r record) {
	p := pick(g.packets, r.object, func(p *packet) bool { return len(p.flying) == 0 && p.to == nil })
	if p == nil {
		if len(g.packets) == 0 {
			g.packet(r)
		}
		return
	}
	a := g.actor(r.actor)
	g.wait(a, g.other(a, r.y), waitOnPacket, p.id, 0, int(r.x)%endings, own(&p.r, &p.w), []use{share(&p.life)},
		own(&p.event), func(b int) {
			g.do(b, closePacket, Step{O: p.id}, own(&p.life, &p.event)...)
			g.packets = without(g.packets, p)
		}, func(b int) {
			g.do(b, setDeadline, Step{O: p.id, How: noReadDeadline}, append(own(&p.event, &p.r), share(&p.life))...)
		})
}

func planClosePacket(g *planner, r record) {
	if p := pick(g.packets, r.object, nil); p != nil {
		g.do(g.actor(r.actor), closePacket, Step{O: p.id}, own(&p.life, &p.r, &p.w, &p.event)...)
		g.packets = without(g.packets, p)
	}
}
