package sock

import (
	"ringo/internal/handle"
	"ringo/internal/op"
)

// acceptForeign is AcceptConn for a foreign caller that has access. It takes a connection that the loop has accepted
// ahead; otherwise it makes the plain call, and waits for peers as a reader waits for bytes, and for a shortage to
// pass.
func (ln *Listener) acceptForeign(a handle.Access) (*Conn, error) {
	got, err := ln.nextForeign(a)
	switch {
	case err != nil:
		return nil, err
	case ln.l.Ended():
		ln.counts.limits.gone(got.peer.Addr())
		ln.member.turnAway(ln.l, got.fd)
		return nil, errEnded
	}
	return ln.accepted(got, false, &a.Op().Ext.Addr), nil
}

// nextForeign returns the next connection's descriptor, once the limits admit it.
func (ln *Listener) nextForeign(a handle.Access) (arrival, error) {
	for {
		if err := ln.roomForeign(a); err != nil {
			return arrival{}, err
		}
		s, err := ln.anyForeign(a)
		if err != nil {
			return arrival{}, err
		}
		if got, v, err := ln.admitForeign(a, s); err != nil || v == admitted {
			return got, err
		}
	}
}

// anyForeign returns the next connection's descriptor, whatever the limits say.
func (ln *Listener) anyForeign(a handle.Access) (int32, error) {
	if err := a.Late(); err != nil {
		return 0, err
	}
	if s, ok := ln.pop(); ok {
		return s, nil
	}
	if err := ln.refused(); err != nil {
		return 0, err
	}
	a.Op().Code = op.Accept
	for {
		res, err := a.Do()
		switch {
		case err != nil:
			return 0, err
		case res >= 0:
			ln.came()
			ln.member.add(1)
			return res, nil
		}
		switch pause, again := ln.again(res); {
		case !again:
			return 0, callError("accept4", res)
		case pause > 0:
			ln.l.Call(func() { ln.l.Backoff(ln.Addr(), res) })
			if err := a.Pause(pause); err != nil {
				return 0, err
			}
		}
	}
}
