package uring

import (
	"fmt"

	"ringo/internal/abi"
)

// Op is an opcode, IORING_OP_. See io_uring_enter(2), and io_uring_prep_<op>(3) of liburing for each.
type Op uint8

// The opcodes, each with the first release that has it; ProbeOps returns those of this kernel. Each has one or more
// Prep methods.
const (
	OpNop            Op = abi.IORING_OP_NOP              // 5.1
	OpReadv          Op = abi.IORING_OP_READV            // 5.1
	OpWritev         Op = abi.IORING_OP_WRITEV           // 5.1
	OpFsync          Op = abi.IORING_OP_FSYNC            // 5.1
	OpReadFixed      Op = abi.IORING_OP_READ_FIXED       // 5.1
	OpWriteFixed     Op = abi.IORING_OP_WRITE_FIXED      // 5.1
	OpPollAdd        Op = abi.IORING_OP_POLL_ADD         // 5.1, multishot 5.13
	OpPollRemove     Op = abi.IORING_OP_POLL_REMOVE      // 5.1
	OpSyncFileRange  Op = abi.IORING_OP_SYNC_FILE_RANGE  // 5.2
	OpSendmsg        Op = abi.IORING_OP_SENDMSG          // 5.3
	OpRecvmsg        Op = abi.IORING_OP_RECVMSG          // 5.3, multishot 6.0
	OpTimeout        Op = abi.IORING_OP_TIMEOUT          // 5.4
	OpTimeoutRemove  Op = abi.IORING_OP_TIMEOUT_REMOVE   // 5.5
	OpAccept         Op = abi.IORING_OP_ACCEPT           // 5.5, multishot 5.19
	OpAsyncCancel    Op = abi.IORING_OP_ASYNC_CANCEL     // 5.5, by descriptor 5.19
	OpLinkTimeout    Op = abi.IORING_OP_LINK_TIMEOUT     // 5.5
	OpConnect        Op = abi.IORING_OP_CONNECT          // 5.5
	OpFallocate      Op = abi.IORING_OP_FALLOCATE        // 5.6
	OpOpenat         Op = abi.IORING_OP_OPENAT           // 5.6
	OpClose          Op = abi.IORING_OP_CLOSE            // 5.6
	OpFilesUpdate    Op = abi.IORING_OP_FILES_UPDATE     // 5.6
	OpStatx          Op = abi.IORING_OP_STATX            // 5.6
	OpRead           Op = abi.IORING_OP_READ             // 5.6
	OpWrite          Op = abi.IORING_OP_WRITE            // 5.6
	OpFadvise        Op = abi.IORING_OP_FADVISE          // 5.6
	OpMadvise        Op = abi.IORING_OP_MADVISE          // 5.6
	OpSend           Op = abi.IORING_OP_SEND             // 5.6
	OpRecv           Op = abi.IORING_OP_RECV             // 5.6, multishot 6.0
	OpOpenat2        Op = abi.IORING_OP_OPENAT2          // 5.6
	OpEpollCtl       Op = abi.IORING_OP_EPOLL_CTL        // 5.6
	OpSplice         Op = abi.IORING_OP_SPLICE           // 5.7
	OpProvideBuffers Op = abi.IORING_OP_PROVIDE_BUFFERS  // 5.7
	OpRemoveBuffers  Op = abi.IORING_OP_REMOVE_BUFFERS   // 5.7
	OpTee            Op = abi.IORING_OP_TEE              // 5.8
	OpShutdown       Op = abi.IORING_OP_SHUTDOWN         // 5.11
	OpRenameat       Op = abi.IORING_OP_RENAMEAT         // 5.11
	OpUnlinkat       Op = abi.IORING_OP_UNLINKAT         // 5.11
	OpMkdirat        Op = abi.IORING_OP_MKDIRAT          // 5.15
	OpSymlinkat      Op = abi.IORING_OP_SYMLINKAT        // 5.15
	OpLinkat         Op = abi.IORING_OP_LINKAT           // 5.15
	OpMsgRing        Op = abi.IORING_OP_MSG_RING         // 5.18
	OpFsetxattr      Op = abi.IORING_OP_FSETXATTR        // 5.19
	OpSetxattr       Op = abi.IORING_OP_SETXATTR         // 5.19
	OpFgetxattr      Op = abi.IORING_OP_FGETXATTR        // 5.19
	OpGetxattr       Op = abi.IORING_OP_GETXATTR         // 5.19
	OpSocket         Op = abi.IORING_OP_SOCKET           // 5.19
	OpUringCmd       Op = abi.IORING_OP_URING_CMD        // 5.19
	OpSendZC         Op = abi.IORING_OP_SEND_ZC          // 6.0
	OpSendmsgZC      Op = abi.IORING_OP_SENDMSG_ZC       // 6.1
	OpReadMultishot  Op = abi.IORING_OP_READ_MULTISHOT   // 6.7
	OpWaitid         Op = abi.IORING_OP_WAITID           // 6.7
	OpFutexWait      Op = abi.IORING_OP_FUTEX_WAIT       // 6.7
	OpFutexWake      Op = abi.IORING_OP_FUTEX_WAKE       // 6.7
	OpFutexWaitv     Op = abi.IORING_OP_FUTEX_WAITV      // 6.7
	OpFixedFDInstall Op = abi.IORING_OP_FIXED_FD_INSTALL // 6.8
	OpFtruncate      Op = abi.IORING_OP_FTRUNCATE        // 6.9
	OpBind           Op = abi.IORING_OP_BIND             // 6.11
	OpListen         Op = abi.IORING_OP_LISTEN           // 6.11
	OpRecvZC         Op = abi.IORING_OP_RECV_ZC          // 6.15
	OpEpollWait      Op = abi.IORING_OP_EPOLL_WAIT       // 6.15
	OpReadvFixed     Op = abi.IORING_OP_READV_FIXED      // 6.15
	OpWritevFixed    Op = abi.IORING_OP_WRITEV_FIXED     // 6.15
	OpPipe           Op = abi.IORING_OP_PIPE             // 6.16
	OpNop128         Op = abi.IORING_OP_NOP128           // 6.19, in an entry of 128 bytes
	OpUringCmd128    Op = abi.IORING_OP_URING_CMD128     // 6.19, the same
)

var opNames = [...]string{
	"NOP", "READV", "WRITEV", "FSYNC", "READ_FIXED", "WRITE_FIXED", "POLL_ADD", "POLL_REMOVE", "SYNC_FILE_RANGE",
	"SENDMSG", "RECVMSG", "TIMEOUT", "TIMEOUT_REMOVE", "ACCEPT", "ASYNC_CANCEL", "LINK_TIMEOUT", "CONNECT", "FALLOCATE",
	"OPENAT", "CLOSE", "FILES_UPDATE", "STATX", "READ", "WRITE", "FADVISE", "MADVISE", "SEND", "RECV", "OPENAT2",
	"EPOLL_CTL", "SPLICE", "PROVIDE_BUFFERS", "REMOVE_BUFFERS", "TEE", "SHUTDOWN", "RENAMEAT", "UNLINKAT", "MKDIRAT",
	"SYMLINKAT", "LINKAT", "MSG_RING", "FSETXATTR", "SETXATTR", "FGETXATTR", "GETXATTR", "SOCKET", "URING_CMD",
	"SEND_ZC", "SENDMSG_ZC", "READ_MULTISHOT", "WAITID", "FUTEX_WAIT", "FUTEX_WAKE", "FUTEX_WAITV", "FIXED_FD_INSTALL",
	"FTRUNCATE", "BIND", "LISTEN", "RECV_ZC", "EPOLL_WAIT", "READV_FIXED", "WRITEV_FIXED", "PIPE", "NOP128",
	"URING_CMD128",
}

// String returns the kernel's name without the IORING_OP_, or a number for opcodes newer than this package.
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return fmt.Sprintf("OP_%d", uint8(o))
}

// OpSet is a set of opcodes. It is a plain value; == compares.
type OpSet [4]uint64

// Has reports whether the set contains the opcode.
func (s OpSet) Has(o Op) bool { return s[o>>6]&(1<<(o&63)) != 0 }

// With returns a copy of the set with the opcodes added.
func (s OpSet) With(ops ...Op) OpSet {
	for _, o := range ops {
		s[o>>6] |= 1 << (o & 63)
	}
	return s
}

// Without returns a copy of the set with the opcodes removed.
func (s OpSet) Without(ops ...Op) OpSet {
	for _, o := range ops {
		s[o>>6] &^= 1 << (o & 63)
	}
	return s
}

// List returns the opcodes in the set, in order.
func (s OpSet) List() []Op {
	var list []Op
	for i := range 256 {
		if s.Has(Op(i)) {
			list = append(list, Op(i))
		}
	}
	return list
}
