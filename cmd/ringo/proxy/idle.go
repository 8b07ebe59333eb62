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

// idleSteps is how many times per -idle an idler looks at its connection. Bytes are dated up to a step late, and so is
// the look that finds nothing has moved: a connection ends at most a quarter of -idle late.
const idleSteps = 8

// An idler ends a connection, or a request, once no byte has moved in either direction for -idle. A nil *idler ends
// none. Only tasks of the loop use it.
type idler struct {
	r     *relay
	l     *ringo.Loop
	peers [2]net.Conn // whose movedBelow counts; nil: none
	end   func()      // ends the connection or request
	moved time.Time   // when bytes last moved, or up to a step later
	below uint64      // the sum of movedBelow at the last look
	timer *ringo.Timer
}

// idler starts an idler for the connection of a client to an upstream. It runs until stop; nil: there is no -idle.
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

// watch starts the timer.
func (i *idler) watch() {
	i.moved = i.l.Now()
	i.timer = i.l.AfterFunc(i.step(), i.look)
}

func (i *idler) step() time.Duration { return max(i.r.o.idle/idleSteps, 1) }

// copy is copyTo, but wakes up each step to note whether bytes have moved. It does so by a read deadline of from; a
// write deadline of to would drop bytes that are on their way.
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

// look is what the timer runs. It ends the connection if that is idle, else it sets the timer again. A copy's write may
// take long if its peer reads slowly: then the acknowledged bytes show progress. So may a read that waits for the rest
// of a TLS record: then the received bytes do.
func (i *idler) look() {
	if i.timer == nil { // stop was called after the timer had fired
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

// movedBelow returns how many bytes the peer of c has acknowledged, plus, if c is TLS, how many have arrived from it,
// including those of incomplete records. It returns 0 for Unix sockets, whose kernel does not count these.
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
