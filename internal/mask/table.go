package mask

import "ringo/internal/abi"

// A thing is a feature that can be masked, with all that belongs to it.
type thing struct {
	name  string
	since release // the first release that has it; 0 if it does not depend on the release

	setup    uint32                         // setup flags
	feature  uint32                         // IORING_FEAT_
	enter    uint32                         // flags of io_uring_enter
	register []uint32                       // opcodes of io_uring_register
	sqe      uint8                          // flags of entries
	uses     func(e *abi.Io_uring_sqe) bool // reports whether an entry uses it
	// Kernels before refusing ignore what uses finds, and run the op without it, so strip removes it from the entry.
	// Later kernels that lack the feature refuse the entry.
	refusing release
	strip    func(e *abi.Io_uring_sqe)
}

// things are all features except the opcodes, oldest first.
var things = []thing{
	{name: "io_uring", since: v(5, 1)}, // the system calls: ENOSYS
	{name: "single_mmap", since: v(5, 4), feature: abi.IORING_FEAT_SINGLE_MMAP},
	{name: "cqsize", since: v(5, 5), setup: abi.IORING_SETUP_CQSIZE},
	{name: "nodrop", since: v(5, 5), feature: abi.IORING_FEAT_NODROP},
	{name: "submit_stable", since: v(5, 5), feature: abi.IORING_FEAT_SUBMIT_STABLE},
	{name: "clamp", since: v(5, 6), setup: abi.IORING_SETUP_CLAMP},
	{name: "attach_wq", since: v(5, 6), setup: abi.IORING_SETUP_ATTACH_WQ},
	{name: "rw_cur_pos", since: v(5, 6), feature: abi.IORING_FEAT_RW_CUR_POS},
	{name: "cur_personality", since: v(5, 6), feature: abi.IORING_FEAT_CUR_PERSONALITY,
		register: calls(abi.IORING_REGISTER_PERSONALITY, abi.IORING_UNREGISTER_PERSONALITY)},
	{name: "probe", since: v(5, 6), register: calls(abi.IORING_REGISTER_PROBE, abi.IORING_REGISTER_EVENTFD_ASYNC)},
	{name: "fast_poll", since: v(5, 7), feature: abi.IORING_FEAT_FAST_POLL},
	{name: "buffer_select", since: v(5, 7), sqe: abi.IOSQE_BUFFER_SELECT},
	{name: "poll_32bits", since: v(5, 9), feature: abi.IORING_FEAT_POLL_32BITS},
	{name: "r_disabled", since: v(5, 10), setup: abi.IORING_SETUP_R_DISABLED,
		register: calls(abi.IORING_REGISTER_RESTRICTIONS, abi.IORING_REGISTER_ENABLE_RINGS)},
	{name: "sqpoll_nonfixed", since: v(5, 11), feature: abi.IORING_FEAT_SQPOLL_NONFIXED},
	{name: "ext_arg", since: v(5, 11), feature: abi.IORING_FEAT_EXT_ARG, enter: abi.IORING_ENTER_EXT_ARG},
	{name: "epoll_pwait2", since: v(5, 11)},
	{name: "native_workers", since: v(5, 12), feature: abi.IORING_FEAT_NATIVE_WORKERS},
	{name: "rsrc_tags", since: v(5, 13), feature: abi.IORING_FEAT_RSRC_TAGS,
		register: calls(abi.IORING_REGISTER_FILES2, abi.IORING_REGISTER_FILES_UPDATE2, abi.IORING_REGISTER_BUFFERS2,
			abi.IORING_REGISTER_BUFFERS_UPDATE)},
	{name: "multishot_poll", since: v(5, 13), uses: func(e *abi.Io_uring_sqe) bool {
		return e.Opcode == abi.IORING_OP_POLL_ADD && e.Len != 0
	}},
	{name: "iowq_aff", since: v(5, 14), register: calls(abi.IORING_REGISTER_IOWQ_AFF, abi.IORING_UNREGISTER_IOWQ_AFF)},
	{name: "iowq_max_workers", since: v(5, 15), register: calls(abi.IORING_REGISTER_IOWQ_MAX_WORKERS)},
	{name: "cqe_skip", since: v(5, 17), feature: abi.IORING_FEAT_CQE_SKIP, sqe: abi.IOSQE_CQE_SKIP_SUCCESS},
	{name: "linked_file", since: v(5, 17), feature: abi.IORING_FEAT_LINKED_FILE},
	{name: "submit_all", since: v(5, 18), setup: abi.IORING_SETUP_SUBMIT_ALL},
	{name: "ring_fd", since: v(5, 18), enter: abi.IORING_ENTER_REGISTERED_RING,
		register: calls(abi.IORING_REGISTER_RING_FDS, abi.IORING_UNREGISTER_RING_FDS)},
	{name: "coop_taskrun", since: v(5, 19), setup: abi.IORING_SETUP_COOP_TASKRUN},
	{name: "taskrun_flag", since: v(5, 19), setup: abi.IORING_SETUP_TASKRUN_FLAG},
	{name: "sqe128", since: v(5, 19), setup: abi.IORING_SETUP_SQE128},
	{name: "cqe32", since: v(5, 19), setup: abi.IORING_SETUP_CQE32},
	{name: "buf_ring", since: v(5, 19),
		register: calls(abi.IORING_REGISTER_PBUF_RING, abi.IORING_UNREGISTER_PBUF_RING)},
	{name: "multishot_accept", since: v(5, 19), uses: func(e *abi.Io_uring_sqe) bool {
		return e.Opcode == abi.IORING_OP_ACCEPT && e.Ioprio != 0
	}},
	{name: "poll_first", since: v(5, 19), uses: func(e *abi.Io_uring_sqe) bool {
		return transfers(e) && e.Ioprio&abi.IORING_RECVSEND_POLL_FIRST != 0
	}, refusing: v(5, 19), strip: func(e *abi.Io_uring_sqe) { e.Ioprio &^= abi.IORING_RECVSEND_POLL_FIRST }},
	{name: "cancel_fd", since: v(5, 19), uses: func(e *abi.Io_uring_sqe) bool {
		return e.Opcode == abi.IORING_OP_ASYNC_CANCEL && e.Rw_flags != 0
	}},
	{name: "single_issuer", since: v(6, 0), setup: abi.IORING_SETUP_SINGLE_ISSUER},
	{name: "multishot_recv", since: v(6, 0), uses: func(e *abi.Io_uring_sqe) bool {
		return receives(e) && e.Ioprio&abi.IORING_RECV_MULTISHOT != 0
	}, refusing: v(5, 19), strip: func(e *abi.Io_uring_sqe) { e.Ioprio &^= abi.IORING_RECV_MULTISHOT }},
	{name: "sync_cancel", since: v(6, 0), register: calls(abi.IORING_REGISTER_SYNC_CANCEL)},
	{name: "file_alloc_range", since: v(6, 0), register: calls(abi.IORING_REGISTER_FILE_ALLOC_RANGE)},
	{name: "silent_send", since: v(6, 1), uses: func(e *abi.Io_uring_sqe) bool {
		return e.Opcode == abi.IORING_OP_SEND && e.Flags&abi.IOSQE_CQE_SKIP_SUCCESS != 0
	}},
	{name: "defer_taskrun", since: v(6, 1), setup: abi.IORING_SETUP_DEFER_TASKRUN},
	{name: "reg_reg_ring", since: v(6, 3), feature: abi.IORING_FEAT_REG_REG_RING},
	{name: "no_mmap", since: v(6, 5), setup: abi.IORING_SETUP_NO_MMAP},
	{name: "registered_fd_only", since: v(6, 5), setup: abi.IORING_SETUP_REGISTERED_FD_ONLY},
	{name: "no_sqarray", since: v(6, 6), setup: abi.IORING_SETUP_NO_SQARRAY},
	{name: "pbuf_status", since: v(6, 8), register: calls(abi.IORING_REGISTER_PBUF_STATUS)},
	{name: "napi", since: v(6, 9), register: calls(abi.IORING_REGISTER_NAPI, abi.IORING_UNREGISTER_NAPI)},
	{name: "recvsend_bundle", since: v(6, 10), feature: abi.IORING_FEAT_RECVSEND_BUNDLE,
		uses: func(e *abi.Io_uring_sqe) bool {
			return transfers(e) && e.Ioprio&abi.IORING_RECVSEND_BUNDLE != 0
		}},
	{name: "min_timeout", since: v(6, 12), feature: abi.IORING_FEAT_MIN_TIMEOUT},
	{name: "clock", since: v(6, 12), enter: abi.IORING_ENTER_ABS_TIMER, register: calls(abi.IORING_REGISTER_CLOCK)},
	{name: "clone_buffers", since: v(6, 12), register: calls(abi.IORING_REGISTER_CLONE_BUFFERS)},
	{name: "send_msg_ring", since: v(6, 13), register: calls(abi.IORING_REGISTER_SEND_MSG_RING)},
	{name: "resize_rings", since: v(6, 13), register: calls(abi.IORING_REGISTER_RESIZE_RINGS)},
	{name: "mem_region", since: v(6, 13), enter: abi.IORING_ENTER_EXT_ARG_REG,
		register: calls(abi.IORING_REGISTER_MEM_REGION)},
	{name: "hybrid_iopoll", since: v(6, 13), setup: abi.IORING_SETUP_HYBRID_IOPOLL},
	{name: "rw_attr", since: v(6, 14), feature: abi.IORING_FEAT_RW_ATTR},
	{name: "no_iowait", since: v(6, 15), feature: abi.IORING_FEAT_NO_IOWAIT, enter: abi.IORING_ENTER_NO_IOWAIT},
	{name: "recv_limit", since: v(6, 17), uses: func(e *abi.Io_uring_sqe) bool {
		return e.Opcode == abi.IORING_OP_RECV && e.Splice_fd_in != 0
	}},
	{name: "query", since: v(6, 18), register: calls(abi.IORING_REGISTER_QUERY)},
	{name: "cqe_mixed", since: v(6, 18), setup: abi.IORING_SETUP_CQE_MIXED},

	{name: "rwf_nowait"}, // reads and writes of files that don't wait
	{name: "epoll"},
	{name: "poll"},
	{name: "select"},
	{name: "aio"},
}

func calls(ops ...uint32) []uint32 { return ops }

func receives(e *abi.Io_uring_sqe) bool {
	return e.Opcode == abi.IORING_OP_RECV || e.Opcode == abi.IORING_OP_RECVMSG
}

func transfers(e *abi.Io_uring_sqe) bool {
	return receives(e) || e.Opcode == abi.IORING_OP_SEND || e.Opcode == abi.IORING_OP_SENDMSG
}

// ops are the opcodes by number, with the names that follow "op:" in a mask.
var ops = [...]struct {
	name  string
	since release
}{
	abi.IORING_OP_NOP:              {"nop", v(5, 1)},
	abi.IORING_OP_READV:            {"readv", v(5, 1)},
	abi.IORING_OP_WRITEV:           {"writev", v(5, 1)},
	abi.IORING_OP_FSYNC:            {"fsync", v(5, 1)},
	abi.IORING_OP_READ_FIXED:       {"read_fixed", v(5, 1)},
	abi.IORING_OP_WRITE_FIXED:      {"write_fixed", v(5, 1)},
	abi.IORING_OP_POLL_ADD:         {"poll_add", v(5, 1)},
	abi.IORING_OP_POLL_REMOVE:      {"poll_remove", v(5, 1)},
	abi.IORING_OP_SYNC_FILE_RANGE:  {"sync_file_range", v(5, 2)},
	abi.IORING_OP_SENDMSG:          {"sendmsg", v(5, 3)},
	abi.IORING_OP_RECVMSG:          {"recvmsg", v(5, 3)},
	abi.IORING_OP_TIMEOUT:          {"timeout", v(5, 4)},
	abi.IORING_OP_TIMEOUT_REMOVE:   {"timeout_remove", v(5, 5)},
	abi.IORING_OP_ACCEPT:           {"accept", v(5, 5)},
	abi.IORING_OP_ASYNC_CANCEL:     {"async_cancel", v(5, 5)},
	abi.IORING_OP_LINK_TIMEOUT:     {"link_timeout", v(5, 5)},
	abi.IORING_OP_CONNECT:          {"connect", v(5, 5)},
	abi.IORING_OP_FALLOCATE:        {"fallocate", v(5, 6)},
	abi.IORING_OP_OPENAT:           {"openat", v(5, 6)},
	abi.IORING_OP_CLOSE:            {"close", v(5, 6)},
	abi.IORING_OP_FILES_UPDATE:     {"files_update", v(5, 6)},
	abi.IORING_OP_STATX:            {"statx", v(5, 6)},
	abi.IORING_OP_READ:             {"read", v(5, 6)},
	abi.IORING_OP_WRITE:            {"write", v(5, 6)},
	abi.IORING_OP_FADVISE:          {"fadvise", v(5, 6)},
	abi.IORING_OP_MADVISE:          {"madvise", v(5, 6)},
	abi.IORING_OP_SEND:             {"send", v(5, 6)},
	abi.IORING_OP_RECV:             {"recv", v(5, 6)},
	abi.IORING_OP_OPENAT2:          {"openat2", v(5, 6)},
	abi.IORING_OP_EPOLL_CTL:        {"epoll_ctl", v(5, 6)},
	abi.IORING_OP_SPLICE:           {"splice", v(5, 7)},
	abi.IORING_OP_PROVIDE_BUFFERS:  {"provide_buffers", v(5, 7)},
	abi.IORING_OP_REMOVE_BUFFERS:   {"remove_buffers", v(5, 7)},
	abi.IORING_OP_TEE:              {"tee", v(5, 8)},
	abi.IORING_OP_SHUTDOWN:         {"shutdown", v(5, 11)},
	abi.IORING_OP_RENAMEAT:         {"renameat", v(5, 11)},
	abi.IORING_OP_UNLINKAT:         {"unlinkat", v(5, 11)},
	abi.IORING_OP_MKDIRAT:          {"mkdirat", v(5, 15)},
	abi.IORING_OP_SYMLINKAT:        {"symlinkat", v(5, 15)},
	abi.IORING_OP_LINKAT:           {"linkat", v(5, 15)},
	abi.IORING_OP_MSG_RING:         {"msg_ring", v(5, 18)},
	abi.IORING_OP_FSETXATTR:        {"fsetxattr", v(5, 19)},
	abi.IORING_OP_SETXATTR:         {"setxattr", v(5, 19)},
	abi.IORING_OP_FGETXATTR:        {"fgetxattr", v(5, 19)},
	abi.IORING_OP_GETXATTR:         {"getxattr", v(5, 19)},
	abi.IORING_OP_SOCKET:           {"socket", v(5, 19)},
	abi.IORING_OP_URING_CMD:        {"uring_cmd", v(5, 19)},
	abi.IORING_OP_SEND_ZC:          {"send_zc", v(6, 0)},
	abi.IORING_OP_SENDMSG_ZC:       {"sendmsg_zc", v(6, 1)},
	abi.IORING_OP_READ_MULTISHOT:   {"read_multishot", v(6, 7)},
	abi.IORING_OP_WAITID:           {"waitid", v(6, 7)},
	abi.IORING_OP_FUTEX_WAIT:       {"futex_wait", v(6, 7)},
	abi.IORING_OP_FUTEX_WAKE:       {"futex_wake", v(6, 7)},
	abi.IORING_OP_FUTEX_WAITV:      {"futex_waitv", v(6, 7)},
	abi.IORING_OP_FIXED_FD_INSTALL: {"fixed_fd_install", v(6, 8)},
	abi.IORING_OP_FTRUNCATE:        {"ftruncate", v(6, 9)},
	abi.IORING_OP_BIND:             {"bind", v(6, 11)},
	abi.IORING_OP_LISTEN:           {"listen", v(6, 11)},
	abi.IORING_OP_RECV_ZC:          {"recv_zc", v(6, 15)},
	abi.IORING_OP_EPOLL_WAIT:       {"epoll_wait", v(6, 15)},
	abi.IORING_OP_READV_FIXED:      {"readv_fixed", v(6, 15)},
	abi.IORING_OP_WRITEV_FIXED:     {"writev_fixed", v(6, 15)},
	abi.IORING_OP_PIPE:             {"pipe", v(6, 16)},
	abi.IORING_OP_NOP128:           {"nop128", v(6, 19)},
	abi.IORING_OP_URING_CMD128:     {"uring_cmd128", v(6, 19)},
}
