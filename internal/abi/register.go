package abi

// This file is written by hand, like supplement.go. It has the arguments of io_uring_register(2) that kernels added
// after the vendored header (6.1), and the new layouts of older ones. See io_uring_register(2), and linux/io_uring.h,
// linux/io_uring/query.h and linux/io_uring/bpf_filter.h of Linux 7.1.

// More opcodes of io_uring_register(2).
const (
	IORING_REGISTER_ZCRX_IFQ   = 32 // 6.15
	IORING_REGISTER_ZCRX_CTRL  = 36 // 6.19
	IORING_REGISTER_BPF_FILTER = 37 // 7.0
)

// Flags and small numbers of the register calls. Each is for the call in its name.
const (
	IORING_REGISTER_SRC_REGISTERED  = 1 << 0 // CLONE_BUFFERS, 6.12
	IORING_REGISTER_DST_REPLACE     = 1 << 1 // CLONE_BUFFERS, 6.13
	IORING_MEM_REGION_TYPE_USER     = 1      // region_desc.flags, 6.13
	IORING_MEM_REGION_REG_WAIT_ARG  = 1      // mem_region_reg.flags, 6.13
	IORING_REG_WAIT_TS              = 1 << 0 // reg_wait.flags, 6.13
	IO_URING_NAPI_REGISTER_OP       = 0      // napi.opcode, 6.13
	IO_URING_NAPI_STATIC_ADD_ID     = 1
	IO_URING_NAPI_STATIC_DEL_ID     = 2
	IO_URING_NAPI_TRACKING_DYNAMIC  = 0 // napi.op_param, 6.13
	IO_URING_NAPI_TRACKING_STATIC   = 1
	IO_URING_NAPI_TRACKING_INACTIVE = 255
	IO_URING_QUERY_OPCODES          = 0 // query_hdr.query_op, 6.18
	IO_URING_QUERY_ZCRX             = 1 // 6.19
	IO_URING_QUERY_SCQ              = 2 // 6.19
	IO_URING_BPF_CMD_FILTER         = 1 // bpf.cmd_type, 7.0
	IO_URING_BPF_FILTER_DENY_REST   = 1 << 0
	IO_URING_BPF_FILTER_SZ_STRICT   = 1 << 1
	IORING_ZCRX_AREA_SHIFT          = 48
	IORING_ZCRX_AREA_DMABUF         = 1 << 0 // zcrx_area_reg.flags, 6.16
	ZCRX_REG_IMPORT                 = 1 << 0 // zcrx_ifq_reg.flags, 6.19
	ZCRX_REG_NODEV                  = 1 << 1 // 7.0
	ZCRX_CTRL_FLUSH_RQ              = 0      // zcrx_ctrl.op
	ZCRX_CTRL_EXPORT                = 1
)

// Io_uring_region_desc is struct io_uring_region_desc (6.13), 64 bytes.
type Io_uring_region_desc struct {
	User_addr   uint64
	Size        uint64
	Flags       uint32
	Id          uint32
	Mmap_offset uint64
	Resv        [4]uint64
}

// Io_uring_mem_region_reg is struct io_uring_mem_region_reg (6.13), 32 bytes.
type Io_uring_mem_region_reg struct {
	Region_uptr uint64
	Flags       uint64
	Resv        [2]uint64
}

// Io_uring_reg_wait is struct io_uring_reg_wait (6.13), 64 bytes.
type Io_uring_reg_wait struct {
	Ts            Kernel_timespec
	Min_wait_usec uint32
	Flags         uint32
	Sigmask       uint64
	Sigmask_sz    uint32
	Pad           [3]uint32
	Pad2          [2]uint64
}

// Io_uring_task_restriction is struct io_uring_task_restriction (7.0), 16 bytes without the restrictions that follow.
type Io_uring_task_restriction struct {
	Flags  uint16
	Nr_res uint16
	Resv   [3]uint32
}

// Io_uring_clock_register is struct io_uring_clock_register (6.12), 16 bytes.
type Io_uring_clock_register struct {
	Clockid uint32
	Resv    [3]uint32
}

// Io_uring_clone_buffers is struct io_uring_clone_buffers (6.12; offsets 6.13), 32 bytes.
type Io_uring_clone_buffers struct {
	Src_fd  uint32
	Flags   uint32
	Src_off uint32
	Dst_off uint32
	Nr      uint32
	Pad     [3]uint32
}

// Io_uring_buf_reg_inc is struct io_uring_buf_reg as of Linux 7.1, 40 bytes. Flags was padding before 6.4, and Min_left
// was reserved before 7.1.
type Io_uring_buf_reg_inc struct {
	Ring_addr    uint64
	Ring_entries uint32
	Bgid         uint16
	Flags        uint16
	Min_left     uint32
	Resv         [5]uint32
}

// Io_uring_buf_status is struct io_uring_buf_status (6.8), 40 bytes.
type Io_uring_buf_status struct {
	Buf_group uint32
	Head      uint32
	Resv      [8]uint32
}

// Io_uring_napi is struct io_uring_napi (6.9), 16 bytes, as of Linux 6.13. Before, the fields after Prefer_busy_poll
// had to be zero.
type Io_uring_napi struct {
	Busy_poll_to     uint32
	Prefer_busy_poll uint8
	Opcode           uint8
	Pad              [2]uint8
	Op_param         uint32
	Resv             uint32
}

// Io_uring_sync_cancel_reg_op is struct io_uring_sync_cancel_reg as of Linux 6.6, 64 bytes. Opcode was padding before.
type Io_uring_sync_cancel_reg_op struct {
	Addr    uint64
	Fd      int32
	Flags   uint32
	Timeout Kernel_timespec
	Opcode  uint8
	Pad     [7]uint8
	Pad2    [3]uint64
}

// Io_uring_query_hdr is struct io_uring_query_hdr (6.18), 40 bytes.
type Io_uring_query_hdr struct {
	Next_entry uint64
	Query_data uint64
	Query_op   uint32
	Size       uint32
	Result     int32
	Resv       [3]uint32
}

// Io_uring_query_opcode is struct io_uring_query_opcode (6.18), 48 bytes.
type Io_uring_query_opcode struct {
	Nr_request_opcodes  uint32
	Nr_register_opcodes uint32
	Feature_flags       uint64
	Ring_setup_flags    uint64
	Enter_flags         uint64
	Sqe_flags           uint64
	Nr_query_opcodes    uint32
	Pad                 uint32
}

// Io_uring_query_zcrx is struct io_uring_query_zcrx (6.19), 40 bytes.
type Io_uring_query_zcrx struct {
	Register_flags   uint64
	Area_flags       uint64
	Nr_ctrl_opcodes  uint32
	Features         uint32
	Rq_hdr_size      uint32
	Rq_hdr_alignment uint32
	Resv2            uint64
}

// Io_uring_query_scq is struct io_uring_query_scq (6.19), 16 bytes.
type Io_uring_query_scq struct {
	Hdr_size      uint64
	Hdr_alignment uint64
}

// Io_uring_bpf is struct io_uring_bpf (7.0), with its struct io_uring_bpf_filter 72 bytes.
type Io_uring_bpf struct {
	Cmd_type  uint16
	Cmd_flags uint16
	Resv      uint32
	Filter    Io_uring_bpf_filter
}

// Io_uring_bpf_filter is struct io_uring_bpf_filter (7.0), 64 bytes.
type Io_uring_bpf_filter struct {
	Opcode     uint32
	Flags      uint32
	Filter_len uint32
	Pdu_size   uint8
	Resv       [3]uint8
	Filter_ptr uint64
	Resv2      [5]uint64
}

// Io_uring_zcrx_rqe is struct io_uring_zcrx_rqe (6.15), 16 bytes.
type Io_uring_zcrx_rqe struct {
	Off uint64
	Len uint32
	Pad uint32
}

// Io_uring_zcrx_offsets is struct io_uring_zcrx_offsets (6.15), 32 bytes.
type Io_uring_zcrx_offsets struct {
	Head  uint32
	Tail  uint32
	Rqes  uint32
	Resv2 uint32
	Resv  [2]uint64
}

// Io_uring_zcrx_area_reg is struct io_uring_zcrx_area_reg (6.15), 48 bytes.
type Io_uring_zcrx_area_reg struct {
	Addr          uint64
	Len           uint64
	Rq_area_token uint64
	Flags         uint32
	Dmabuf_fd     uint32
	Resv2         [2]uint64
}

// Io_uring_zcrx_ifq_reg is struct io_uring_zcrx_ifq_reg (6.15), 96 bytes.
type Io_uring_zcrx_ifq_reg struct {
	If_idx     uint32
	If_rxq     uint32
	Rq_entries uint32
	Flags      uint32
	Area_ptr   uint64
	Region_ptr uint64
	Offsets    Io_uring_zcrx_offsets
	Zcrx_id    uint32
	Rx_buf_len uint32
	Resv       [3]uint64
}

// Io_uring_zcrx_ctrl is struct zcrx_ctrl (6.19), 72 bytes. After Resv it has a union: for a flush all is reserved, and
// for an export Zcrx_fd is the descriptor.
type Io_uring_zcrx_ctrl struct {
	Zcrx_id uint32
	Op      uint32
	Resv    [2]uint64
	Zcrx_fd uint32
	Resv1   [11]uint32
}
