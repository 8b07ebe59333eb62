package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"ringo"
)

// idleSteps is how often a connection is looked at within -idle: what is idle ends by a quarter later.
const idleSteps = 8

// An idler ends a connection on which neither direction has moved a byte for as long as -idle. A nil one ends none. It
// is for tasks of the loop.
type idler struct {
	r      *relay
	l      *ringo.Loop
	v      *visit
	client net.Addr
	ends   [2]*end
	moved  time.Time // when bytes have, or up to a step later
	acked  uint64    // bytes that the peers have acknowledged
	timer  *ringo.Timer
}

// idler watches a connection, until stop.
func (r *relay) idler(l *ringo.Loop, v *visit, client net.Addr, one, other *end) *idler {
	if r.o.idle == 0 {
		return nil
	}
	i := &idler{r: r, l: l, v: v, client: client, ends: [...]*end{one, other}, moved: l.Now()}
	i.timer = l.AfterFunc(i.step(), i.look)
	return i
}

func (i *idler) step() time.Duration { return max(i.r.o.idle/idleSteps, 1) }

// copy is io.Copy, which comes back each step to tell whether bytes have moved. It must not do so by a deadline of what
// it writes to, which would drop bytes on their way.
func (i *idler) copy(to io.Writer, from *end) (total int64, err error) {
	if i == nil {
		return io.Copy(to, from.Conn)
	}
	for {
		from.SetReadDeadline(i.l.Now().Add(i.step()))
		n, err := io.Copy(to, from.Conn)
		if total += n; n > 0 {
			i.moved = i.l.Now()
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return total, err
		}
	}
}

// look ends the connection if it is idle. A write of a copy may take long where its peer reads slowly: then what the
// peer acknowledges moves.
func (i *idler) look() {
	var acked uint64
	for _, e := range i.ends {
		info, _ := e.TCPInfo() // Unix sockets have none
		acked += info.BytesAcked
	}
	now := i.l.Now()
	if acked != i.acked {
		i.acked, i.moved = acked, now
	}
	if now.Sub(i.moved) < i.r.o.idle {
		i.timer.Reset(i.step())
		return
	}
	i.v.ends(endIdle, nil)
	i.r.idled.Add(1)
	i.r.ends.say("connection of %v is reset: nothing has moved for %v", i.client, i.r.o.idle)
	for _, e := range i.ends {
		reset(e)
	}
}

func (i *idler) stop() {
	if i != nil {
		i.timer.Stop()
	}
}
