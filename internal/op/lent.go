package op

import "math"

// What the race detector must learn of, as it does not see what the kernel does with memory. Drivers call these only
// in builds with the detector.

// Size returns how many bytes a read or write of a file is to move.
func (o *Op) Size() int {
	n := len(o.Buf)
	if o.Ext != nil {
		for i := range o.Ext.Vec {
			n += int(o.Ext.Vec[i].Len)
		}
	}
	return n
}

// EachRead calls f for each slice that the kernel reads for the op.
func (o *Op) EachRead(f func(p []byte)) {
	switch o.Code {
	case Send, SendZC, Write, WriteAt:
		f(o.Buf[o.Done:])
	case WriteVec:
		o.Ext.eachVec(math.MaxInt, f)
	case Sendmsg:
		for i := range min(int(o.Ext.Msg.Iovlen), len(o.Ext.Bufs)) {
			f(o.Ext.Bufs[i])
		}
		f(o.Ext.Control)
	case Sendmmsg:
		o.Ext.Batch.Each(o.Ext.Batch.Left(), true, f)
	}
}

// EachWritten calls f for each slice that the kernel has written for the op, which has ended with res.
func (o *Op) EachWritten(res int32, f func(p []byte)) {
	if res < 0 {
		return
	}
	left := int(res)
	if o.Selects() {
		f(o.Buf[:min(left, len(o.Buf))])
		return
	}
	switch o.Code {
	case Recv, Read, ReadAt:
		f(o.Buf[:min(left, len(o.Buf))])
	case ReadVec:
		o.Ext.eachVec(left, f)
	case Recvmsg:
		for i := range min(int(o.Ext.Msg.Iovlen), len(o.Ext.Bufs)) {
			p := o.Ext.Bufs[i]
			p = p[:min(left, len(p))]
			left -= len(p)
			f(p)
		}
		f(o.Ext.Received())
	case Recvmmsg:
		o.Ext.Batch.Each(left, false, f)
	}
}
