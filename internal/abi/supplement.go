package abi

// This file is written by hand. It has what kernels added after the vendored header (6.1), as far as Ringo uses or
// reports it, each with the first mainline release that has it. The kernel never gives a number of its ABI a second
// meaning, so these stay right when the vendored header is replaced by a newer one; delete here what that defines.

// Kernel_timespec is struct __kernel_timespec (linux/time_types.h): 64 bits on every machine.
type Kernel_timespec struct {
	Tv_sec  int64
	Tv_nsec int64
}

// System call numbers, the same on every architecture but alpha. See io_uring_setup(2).
const (
	SYS_io_uring_setup    = 425
	SYS_io_uring_enter    = 426
	SYS_io_uring_register = 427
)

// Flags of io_uring_setup(2).
const (
	IORING_SETUP_NO_MMAP            = 1 << 14 // 6.5
	IORING_SETUP_REGISTERED_FD_ONLY = 1 << 15 // 6.5
	IORING_SETUP_NO_SQARRAY         = 1 << 16 // 6.6
	IORING_SETUP_HYBRID_IOPOLL      = 1 << 17 // 6.13
	IORING_SETUP_CQE_MIXED          = 1 << 18 // 6.18
	IORING_SETUP_SQE_MIXED          = 1 << 19 // 6.19
	IORING_SETUP_SQ_REWIND          = 1 << 20 // 7.0
)

// Flags of io_uring_enter(2).
const (
	IORING_ENTER_ABS_TIMER   = 1 << 5 // 6.12
	IORING_ENTER_EXT_ARG_REG = 1 << 6 // 6.13
	IORING_ENTER_NO_IOWAIT   = 1 << 7 // 6.15
)

// Bits of io_uring_params.features, see io_uring_setup(2).
const (
	IORING_FEAT_REG_REG_RING    = 1 << 13 // 6.3
	IORING_FEAT_RECVSEND_BUNDLE = 1 << 14 // 6.10
	IORING_FEAT_MIN_TIMEOUT     = 1 << 15 // 6.12
	IORING_FEAT_RW_ATTR         = 1 << 16 // 6.14
	IORING_FEAT_NO_IOWAIT       = 1 << 17 // 6.15
)

// Opcodes after IORING_OP_SENDMSG_ZC, see io_uring_enter(2).
const (
	IORING_OP_READ_MULTISHOT   = 49 // 6.7
	IORING_OP_WAITID           = 50 // 6.7
	IORING_OP_FUTEX_WAIT       = 51 // 6.7
	IORING_OP_FUTEX_WAKE       = 52 // 6.7
	IORING_OP_FUTEX_WAITV      = 53 // 6.7
	IORING_OP_FIXED_FD_INSTALL = 54 // 6.8
	IORING_OP_FTRUNCATE        = 55 // 6.9
	IORING_OP_BIND             = 56 // 6.11
	IORING_OP_LISTEN           = 57 // 6.11
	IORING_OP_RECV_ZC          = 58 // 6.15
	IORING_OP_EPOLL_WAIT       = 59 // 6.15
	IORING_OP_READV_FIXED      = 60 // 6.15
	IORING_OP_WRITEV_FIXED     = 61 // 6.15
	IORING_OP_PIPE             = 62 // 6.16
	IORING_OP_NOP128           = 63 // 6.19
	IORING_OP_URING_CMD128     = 64 // 6.19
)

// Opcodes of io_uring_register(2).
const (
	IORING_REGISTER_PBUF_STATUS         = 26      // 6.8
	IORING_REGISTER_NAPI                = 27      // 6.9
	IORING_UNREGISTER_NAPI              = 28      // 6.9
	IORING_REGISTER_CLOCK               = 29      // 6.12
	IORING_REGISTER_CLONE_BUFFERS       = 30      // 6.12
	IORING_REGISTER_SEND_MSG_RING       = 31      // 6.13
	IORING_REGISTER_RESIZE_RINGS        = 33      // 6.13
	IORING_REGISTER_MEM_REGION          = 34      // 6.13
	IORING_REGISTER_QUERY               = 35      // 6.18
	IORING_REGISTER_USE_REGISTERED_RING = 1 << 31 // 6.3, ORed into the opcode
)

// Bits of the CQE's flags.
const (
	IORING_CQE_F_BUF_MORE = 1 << 4  // 6.12
	IORING_CQE_F_SKIP     = 1 << 5  // 6.18
	IORING_CQE_F_32       = 1 << 15 // 6.18
)

// Bits of sqe.ioprio for accept, recv and send.
const (
	IORING_ACCEPT_DONTWAIT   = 1 << 1 // 6.10
	IORING_ACCEPT_POLL_FIRST = 1 << 2 // 6.10
	IORING_RECVSEND_BUNDLE   = 1 << 4 // 6.10
	IORING_SEND_VECTORIZED   = 1 << 5 // 6.17
)

// Other flags. Each is for the op or the register opcode in its name.
const (
	IORING_TIMEOUT_MULTISHOT     = 1 << 6 // 6.4
	IORING_TIMEOUT_IMMEDIATE_ARG = 1 << 7 // 7.1
	IORING_MSG_RING_FLAGS_PASS   = 1 << 1 // 6.3
	IORING_NOP_INJECT_RESULT     = 1 << 0 // 6.10
	IORING_NOP_FILE              = 1 << 1 // 6.10
	IORING_NOP_FIXED_FILE        = 1 << 2 // 6.10
	IORING_NOP_FIXED_BUFFER      = 1 << 3 // 6.10
	IORING_NOP_TW                = 1 << 4 // 6.13
	IORING_NOP_CQE32             = 1 << 5 // 6.18
	IORING_FIXED_FD_NO_CLOEXEC   = 1 << 0 // 6.8
	IORING_RW_ATTR_FLAG_PI       = 1 << 0 // 6.14
	IOU_PBUF_RING_MMAP           = 1 << 0 // 6.4, io_uring_buf_reg.flags, called pad in the vendored header
	IOU_PBUF_RING_INC            = 1 << 1 // 6.12, in the same field
)

// Commands of IORING_OP_URING_CMD for sockets.
const (
	SOCKET_URING_OP_SIOCINQ      = 0 // 6.7
	SOCKET_URING_OP_SIOCOUTQ     = 1 // 6.7
	SOCKET_URING_OP_GETSOCKOPT   = 2 // 6.7
	SOCKET_URING_OP_SETSOCKOPT   = 3 // 6.7
	SOCKET_URING_OP_TX_TIMESTAMP = 4 // 6.17
	SOCKET_URING_OP_GETSOCKNAME  = 5 // 6.19
)

// Commands of IORING_OP_URING_CMD for block devices (linux/blkdev.h): _IO(0x12, n). On MIPS, PowerPC and SPARC, _IO
// sets a bit that it does not set on other architectures: iocNone.
const (
	BLOCK_URING_CMD_DISCARD        = iocNone | 0x12<<8     // 6.12; n is 0
	BLOCK_URING_CMD_ZONE_RESET_ALL = iocNone | 0x12<<8 | 1 // 7.0
)

// IORING_OFF_PBUF_RING is the mmap offset of a buffer ring that the kernel has allocated (6.4). The number of the
// buffer group is ORed into the bits from IORING_OFF_PBUF_SHIFT on.
const (
	IORING_OFF_PBUF_RING  = 0x80000000
	IORING_OFF_PBUF_SHIFT = 16
)
