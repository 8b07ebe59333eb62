package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"ringo"
	"ringo/sock"
)

// idleSteps is how often a connection is looked at within -idle: what is idle ends by a quarter later.
const idleSteps = 8

// An idler ends a connection, or a request, on which neither direction has moved a byte for as long as -idle. A nil one
// ends none. It is for tasks of the loop.
type idler struct {
	r     *relay
	l     *ringo.Loop
	peers [2]net.Conn // whose acknowledgements count, and what comes of a record of TLS; nil: nobody's
	end   func()      // ends it
	moved time.Time   // when bytes have, or up to a step later
	below uint64      // bytes that have moved below: see movedBelow
	timer *ringo.Timer
}

// idler watches a connection, until stop.
func (r *relay) idler(l *ringo.Loop, v *visit, client net.Addr, one, other *end) *idler {
	if r.o.idle == 0 {
		return nil
	}
	i := &idler{r: r, l: l, peers: [...]net.Conn{one.stream(), other.stream()}}
	i.end = func() {
		v.ends(endIdle, nil)
		r.ends.say("connection of %v is reset: nothing has moved for %v", client, r.o.idle)
		reset(one, other)
	}
	i.watch()
	return i
}

// watch begins.
func (i *idler) watch() {
	i.moved = i.l.Now()
	i.timer = i.l.AfterFunc(i.step(), i.look)
}

func (i *idler) step() time.Duration { return max(i.r.o.idle/idleSteps, 1) }

// copy is copyTo, but comes back each step to tell whether bytes have moved. It must not do so by a deadline of what
// it writes to, which would drop bytes on their way.
func (i *idler) copy(to io.Writer, from *end) (total int64, err error) {
	if i == nil {
		return from.copyTo(to)
	}
	for {
		from.SetReadDeadline(i.l.Now().Add(i.step()))
		n, err := from.copyTo(to)
		if total += n; n > 0 {
			i.moved = i.l.Now()
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return total, err
		}
	}
}

// look ends the connection if it is idle. A write of a copy may take long where its peer reads slowly: then what the
// peer acknowledges moves. So may a read, where it waits for the rest of a record of TLS.
func (i *idler) look() {
	if i.timer == nil { // it was stopped when it had fired
		return
	}
	var below uint64
	for _, c := range i.peers {
		below += movedBelow(c)
	}
	now := i.l.Now()
	if below != i.below {
		i.below, i.moved = below, now
	}
	if now.Sub(i.moved) < i.r.o.idle {
		i.timer.Reset(i.step())
		return
	}
	i.r.idled.Add(1)
	i.end()
}

// movedBelow is how many bytes a peer has acknowledged, and of TLS how many have come, also of records that are not
// whole. Peers of Unix sockets tell nothing of that.
func movedBelow(c net.Conn) uint64 {
	for secret := false; ; secret = true {
		switch of := c.(type) {
		case *sock.Conn:
			info, _ := of.TCPInfo()
			if secret {
				return info.BytesAcked + info.BytesReceived
			}
			return info.BytesAcked
		case interface{ NetConn() net.Conn }:
			c = of.NetConn()
		default:
			return 0
		}
	}
}

func (i *idler) stop() {
	if i != nil && i.timer != nil {
		i.timer.Stop()
		i.timer = nil
	}
}
