package uring

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"ringo/internal/abi"
)

// ZCRXConfig configures zero-copy receive: a network card writes the packets of one of its receive queues directly into
// an area of the program's memory. The card must split headers from data, its queue must get no other traffic
// (ethtool's flow rules), and the ring must have SetupCQE32 or SetupCQEMixed, and DEFER_TASKRUN.
type ZCRXConfig struct {
	Interface uint32 // the card's interface index
	Queue     uint32 // its receive queue
	Entries   int    // of the refill ring, for returned buffers; a power of two

	// Area is the memory to receive into, page-aligned and mapped, not from the Go heap. The kernel owns it until the
	// ring is closed, except for the data of CQEs that Return has not given back yet.
	Area []byte

	BufferSize int    // bytes per buffer; 0: a page. Linux 6.19
	Flags      uint32 // ZCRX constants
}

// Flags of ZCRXConfig, ZCRX_REG_.
const (
	ZCRXImport = abi.ZCRX_REG_IMPORT // share the queue that another ring has exported (Linux 6.19)
	ZCRXNoCard = abi.ZCRX_REG_NODEV  // no card, the kernel copies: to try out programs (Linux 7.0)
)

// A ZCRX is a receive queue for PrepRecvZC, see ZCRXConfig. It belongs to its ring's owner.
type ZCRX struct {
	r     *Ring
	id    uint32
	token uint64
	area  []byte

	head, tail *atomic.Uint32
	entries    unsafe.Pointer // *[mask+1]abi.Io_uring_zcrx_rqe
	mask       uint32
	next       uint32 // entries added
}

// RegisterZCRX assigns a receive queue to the ring. EPERM: it needs CAP_NET_ADMIN; ENODEV and EOPNOTSUPP: there is no
// such card, or it does not support this; EINVAL: the ring's flags.
//
// Only the owner may call it. Since Linux 6.15. See io_uring_register_ifq(3).
func (r *Ring) RegisterZCRX(cfg ZCRXConfig) (*ZCRX, error) {
	step := fmt.Sprintf("io_uring_register(ZCRX_IFQ, interface %d, queue %d)", cfg.Interface, cfg.Queue)
	if cfg.Entries < 1 || cfg.Entries > BufRingMax || cfg.Entries&(cfg.Entries-1) != 0 {
		return nil, fmt.Errorf("uring: %s: refill ring of %d entries: want a power of two to %d", step, cfg.Entries,
			BufRingMax)
	}
	if err := fit32(step, cfg.BufferSize); err != nil {
		return nil, err
	}
	page := os.Getpagesize()
	size := roundUp(page+cfg.Entries*int(unsafe.Sizeof(abi.Io_uring_zcrx_rqe{})), page)
	p, errno := r.sysFresh(size)
	if errno != 0 {
		return nil, setupError(step+": mmap", errno)
	}
	area := &abi.Io_uring_zcrx_area_reg{Len: uint64(len(cfg.Area))}
	area.Addr = ptr(unsafe.Pointer(unsafe.SliceData(cfg.Area)))
	desc := &abi.Io_uring_region_desc{User_addr: ptr(p), Size: uint64(size), Flags: abi.IORING_MEM_REGION_TYPE_USER}
	reg := &abi.Io_uring_zcrx_ifq_reg{If_idx: cfg.Interface, If_rxq: cfg.Queue, Rq_entries: uint32(cfg.Entries),
		Flags: cfg.Flags, Area_ptr: ptr(unsafe.Pointer(area)), Region_ptr: ptr(unsafe.Pointer(desc)),
		Rx_buf_len: uint32(cfg.BufferSize)}
	if _, err := r.register(step, abi.IORING_REGISTER_ZCRX_IFQ, unsafe.Pointer(reg), 1); err != nil {
		r.sysUnmap(p, size)
		return nil, err
	}
	r.regions = append(r.regions, region{p: p, size: size, kept: true})
	z := &ZCRX{r: r, id: reg.Zcrx_id, token: area.Rq_area_token, area: cfg.Area, mask: reg.Rq_entries - 1}
	z.head = (*atomic.Uint32)(unsafe.Add(p, reg.Offsets.Head))
	z.tail = (*atomic.Uint32)(unsafe.Add(p, reg.Offsets.Tail))
	z.entries = unsafe.Add(p, reg.Offsets.Rqes)
	z.next = z.tail.Load()
	return z, nil
}

// ID returns the queue's number, the ifq of PrepRecvZC.
func (z *ZCRX) ID() uint32 { return z.id }

// Data returns the received bytes of a CQE, which lie in the area. The program owns them until Return, even after the
// Ring's Close. It returns nil for a CQE without data, or with data outside the area.
func (z *ZCRX) Data(c CQE32) []byte {
	at := c.Extra[0] & (1<<abi.IORING_ZCRX_AREA_SHIFT - 1)
	if c.Res <= 0 || at > uint64(len(z.area)) || uint64(c.Res) > uint64(len(z.area))-at {
		return nil
	}
	return z.area[at : at+uint64(c.Res) : at+uint64(c.Res)]
}

// Return gives the data of a CQE back to the card, at once. It returns false if the refill ring is full, or the Ring is
// closed. If it is full, call Flush, and try again.
//
// The card takes buffers from the refill ring when it needs memory. If the kernel copies, because there is no card or
// packets did not come through it, only Flush takes buffers from the refill ring: a receive that finds no memory then
// ends with ENOMEM, and can be repeated after a Flush.
func (z *ZCRX) Return(c CQE32) bool {
	if z.r.closed || z.next-z.head.Load() > z.mask {
		return false
	}
	at := c.Extra[0] & (1<<abi.IORING_ZCRX_AREA_SHIFT - 1)
	e := (*abi.Io_uring_zcrx_rqe)(unsafe.Add(z.entries, uintptr(z.next&z.mask)*unsafe.Sizeof(abi.Io_uring_zcrx_rqe{})))
	*e = abi.Io_uring_zcrx_rqe{Off: at | z.token, Len: uint32(c.Res)}
	z.next++
	z.tail.Store(z.next) // releases the entry; the kernel acquires the tail
	return true
}

// Flush makes the kernel take the buffers in the refill ring now. After a receive that ended with ENOMEM, this makes
// room for the next.
//
// Only the ring's owner may call it. Since Linux 6.19. See io_uring_register_zcrx_ctrl(3).
func (z *ZCRX) Flush() error {
	_, err := z.control(abi.ZCRX_CTRL_FLUSH_RQ)
	return err
}

// Export returns a descriptor by which another ring can share the queue (ZCRXImport in ZCRXConfig.Flags). The caller
// has to close it.
//
// Only the ring's owner may call it. Since Linux 6.19. See io_uring_register_zcrx_ctrl(3).
func (z *ZCRX) Export() (fd int, err error) {
	ctrl, err := z.control(abi.ZCRX_CTRL_EXPORT)
	return int(ctrl.Zcrx_fd), err
}

func (z *ZCRX) control(op uint32) (ctrl abi.Io_uring_zcrx_ctrl, err error) {
	c := &abi.Io_uring_zcrx_ctrl{Zcrx_id: z.id, Op: op}
	_, err = z.r.register(fmt.Sprintf("io_uring_register(ZCRX_CTRL, %d)", op), abi.IORING_REGISTER_ZCRX_CTRL,
		unsafe.Pointer(c), 0)
	return *c, err
}
