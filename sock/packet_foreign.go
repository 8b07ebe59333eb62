package sock

import (
	"ringo/internal/handle"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// receiveForeign gives a foreign caller that has access what the loop had fetched, then what the kernel has.
func (c *packet) receiveForeign(a handle.Access, call string, d *recvmsg) error {
	if len(c.in.kept) > 0 {
		if err := a.Late(); err != nil {
			return err
		}
		c.in.popInto(c, false, d)
		return nil
	}
	o := a.Op()
	x := o.Ext
	o.Code = op.Recvmsg
	row := c.in.gro.Load() && !d.joined
	p, oob := d.p, d.oob
	if row { // it is taken apart from memory of its own
		p, oob = make([]byte, datagramMax), make([]byte, fetchControl)
	}
	x.SetVector([][]byte{p})
	x.Named, x.Control = !c.connected, oob
	defer unfill(o)
	res, err := a.Do()
	switch {
	case err != nil:
		return err
	case res < 0:
		return callError(call, res)
	}
	got := datagram{bytes: p[:res], control: x.Received(), flags: x.MsgFlags(), from: c.peer}
	if !c.connected {
		got.from = x.Sender().AddrPort()
	}
	if row {
		got.segment = segmentOf(got.control)
		c.in.kept = append(c.in.kept, got)
		c.in.popInto(c, false, d)
		return nil
	}
	d.n, d.oobn, d.flags, d.from = len(got.bytes), len(got.control), got.flags, got.from
	if c.family == sys.AFUnix && !c.connected {
		d.path, _ = x.Sender().Unix()
	}
	return nil
}
