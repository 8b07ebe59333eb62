package uring

import (
	"fmt"
	"math/bits"
	"strings"

	"ringo/internal/abi"
)

// SetupFlags are the flags of io_uring_setup(2).
type SetupFlags uint32

// The setup flags. Open asks for those that suit a ring with one owner, and for those that have a field in Config;
// Config.With adds others. Each comment ends with what asks for the flag.
const (
	// SetupIOPoll is IORING_SETUP_IOPOLL (Linux 5.1): the kernel polls for completions of O_DIRECT files.
	// Config.IOPoll.
	SetupIOPoll SetupFlags = abi.IORING_SETUP_IOPOLL
	// SetupSQPoll is IORING_SETUP_SQPOLL (Linux 5.1; without privilege since 5.13): a kernel thread submits.
	// Config.SQPoll.
	SetupSQPoll SetupFlags = abi.IORING_SETUP_SQPOLL
	// SetupSQAff is IORING_SETUP_SQ_AFF (Linux 5.1): that thread stays on the processor Config.SQPollCPU. By
	// Config.With.
	SetupSQAff SetupFlags = abi.IORING_SETUP_SQ_AFF
	// SetupCQSize is IORING_SETUP_CQSIZE (Linux 5.5): the CQ's size can be chosen. By Open.
	SetupCQSize SetupFlags = abi.IORING_SETUP_CQSIZE
	// SetupClamp is IORING_SETUP_CLAMP (Linux 5.6): sizes over the kernel's limit become the limit. By Open.
	SetupClamp SetupFlags = abi.IORING_SETUP_CLAMP
	// SetupAttachWQ is IORING_SETUP_ATTACH_WQ (Linux 5.6): the ring shares another ring's polling thread.
	// Config.Attach.
	SetupAttachWQ SetupFlags = abi.IORING_SETUP_ATTACH_WQ
	// SetupRDisabled is IORING_SETUP_R_DISABLED (Linux 5.10): the ring takes no entries before Ring.Enable, and until
	// then may be restricted. By Config.With.
	SetupRDisabled SetupFlags = abi.IORING_SETUP_R_DISABLED
	// SetupSubmitAll is IORING_SETUP_SUBMIT_ALL (Linux 5.18): an invalid SQE does not stop the submission of later
	// ones. By Open.
	SetupSubmitAll SetupFlags = abi.IORING_SETUP_SUBMIT_ALL
	// SetupCoopTaskrun is IORING_SETUP_COOP_TASKRUN (Linux 5.19): completions do not interrupt the running thread. By
	// Open.
	SetupCoopTaskrun SetupFlags = abi.IORING_SETUP_COOP_TASKRUN
	// SetupTaskrunFlag is IORING_SETUP_TASKRUN_FLAG (Linux 5.19): the kernel sets a bit in the SQ's flags when it has
	// deferred work. By Open.
	SetupTaskrunFlag SetupFlags = abi.IORING_SETUP_TASKRUN_FLAG
	// SetupSQE128 is IORING_SETUP_SQE128 (Linux 5.19): each SQE has 128 bytes, Ring.SQE128 returns all of it. By
	// Config.With.
	SetupSQE128 SetupFlags = abi.IORING_SETUP_SQE128
	// SetupCQE32 is IORING_SETUP_CQE32 (Linux 5.19): each CQE has 32 bytes, Ring.CQE32 returns all of it. By
	// Config.With.
	SetupCQE32 SetupFlags = abi.IORING_SETUP_CQE32
	// SetupSingleIssuer is IORING_SETUP_SINGLE_ISSUER (Linux 6.0): only the thread that made the ring may use it. By
	// Open.
	SetupSingleIssuer SetupFlags = abi.IORING_SETUP_SINGLE_ISSUER
	// SetupDeferTaskrun is IORING_SETUP_DEFER_TASKRUN (Linux 6.1): the kernel posts completions only at an Enter that
	// asks for them, all at once. By Open.
	SetupDeferTaskrun SetupFlags = abi.IORING_SETUP_DEFER_TASKRUN
	// SetupNoMmap is IORING_SETUP_NO_MMAP (Linux 6.5): the rings lie in the program's memory. Config.Memory.
	SetupNoMmap SetupFlags = abi.IORING_SETUP_NO_MMAP
	// SetupRegisteredFDOnly is IORING_SETUP_REGISTERED_FD_ONLY (Linux 6.5): the ring has no descriptor, only an index
	// that is registered with its thread. Needs Config.Memory. By Config.With.
	SetupRegisteredFDOnly SetupFlags = abi.IORING_SETUP_REGISTERED_FD_ONLY
	// SetupNoSQArray is IORING_SETUP_NO_SQARRAY (Linux 6.6): the SQ holds the entries themselves, not indices of them.
	// By Open.
	SetupNoSQArray SetupFlags = abi.IORING_SETUP_NO_SQARRAY
	// SetupHybridIOPoll is IORING_SETUP_HYBRID_IOPOLL (Linux 6.13): before it polls, the kernel sleeps for half the
	// time that such requests have taken so far. Needs Config.IOPoll. By Config.With.
	SetupHybridIOPoll SetupFlags = abi.IORING_SETUP_HYBRID_IOPOLL
	// SetupCQEMixed is IORING_SETUP_CQE_MIXED (Linux 6.18): CQEs have 16 bytes, or 32 if the op returns more. Excludes
	// SetupCQE32. By Config.With.
	SetupCQEMixed SetupFlags = abi.IORING_SETUP_CQE_MIXED
	// SetupSQEMixed is IORING_SETUP_SQE_MIXED (Linux 6.19): SQEs have 64 bytes, and Ring.SQE128 returns two places as
	// one, for ops of that size. Excludes SetupSQE128. By Config.With.
	SetupSQEMixed SetupFlags = abi.IORING_SETUP_SQE_MIXED
	// SetupSQRewind is IORING_SETUP_SQ_REWIND (Linux 7.0): each Enter finds its entries at the SQ's beginning, which
	// stays in the processor's cache. Needs SetupNoSQArray, excludes Config.SQPoll. By Config.With.
	SetupSQRewind SetupFlags = abi.IORING_SETUP_SQ_REWIND
)

var setupNames = []string{
	"IOPOLL", "SQPOLL", "SQ_AFF", "CQSIZE", "CLAMP", "ATTACH_WQ", "R_DISABLED", "SUBMIT_ALL", "COOP_TASKRUN",
	"TASKRUN_FLAG", "SQE128", "CQE32", "SINGLE_ISSUER", "DEFER_TASKRUN", "NO_MMAP", "REGISTERED_FD_ONLY", "NO_SQARRAY",
	"HYBRID_IOPOLL", "CQE_MIXED", "SQE_MIXED", "SQ_REWIND",
}

// String lists the flags by their kernel names, joined by |.
func (f SetupFlags) String() string { return bitNames(uint64(f), setupNames) }

// Features are the features that the kernel reported when the ring was made; see io_uring_setup(2).
type Features uint32

// The features, each with the first release that has it.
const (
	FeatSingleMmap     Features = abi.IORING_FEAT_SINGLE_MMAP     // 5.4
	FeatNoDrop         Features = abi.IORING_FEAT_NODROP          // 5.5: a full CQ loses nothing
	FeatSubmitStable   Features = abi.IORING_FEAT_SUBMIT_STABLE   // 5.5: arguments may be reused once consumed
	FeatRWCurPos       Features = abi.IORING_FEAT_RW_CUR_POS      // 5.6: offset -1 is the file's position
	FeatCurPersonality Features = abi.IORING_FEAT_CUR_PERSONALITY // 5.6
	FeatFastPoll       Features = abi.IORING_FEAT_FAST_POLL       // 5.7: sockets wait without a thread
	FeatPoll32Bits     Features = abi.IORING_FEAT_POLL_32BITS     // 5.9
	FeatSQPollNonfixed Features = abi.IORING_FEAT_SQPOLL_NONFIXED // 5.11
	FeatExtArg         Features = abi.IORING_FEAT_EXT_ARG         // 5.11: Enter takes a timeout
	FeatNativeWorkers  Features = abi.IORING_FEAT_NATIVE_WORKERS  // 5.12
	FeatRsrcTags       Features = abi.IORING_FEAT_RSRC_TAGS       // 5.13
	FeatCQESkip        Features = abi.IORING_FEAT_CQE_SKIP        // 5.17
	FeatLinkedFile     Features = abi.IORING_FEAT_LINKED_FILE     // 5.18
	FeatRegRegRing     Features = abi.IORING_FEAT_REG_REG_RING    // 6.3
	FeatRecvSendBundle Features = abi.IORING_FEAT_RECVSEND_BUNDLE // 6.10
	FeatMinTimeout     Features = abi.IORING_FEAT_MIN_TIMEOUT     // 6.12
	FeatRWAttr         Features = abi.IORING_FEAT_RW_ATTR         // 6.14
	FeatNoIOWait       Features = abi.IORING_FEAT_NO_IOWAIT       // 6.15
)

var featureNames = []string{
	"SINGLE_MMAP", "NODROP", "SUBMIT_STABLE", "RW_CUR_POS", "CUR_PERSONALITY", "FAST_POLL", "POLL_32BITS",
	"SQPOLL_NONFIXED", "EXT_ARG", "NATIVE_WORKERS", "RSRC_TAGS", "CQE_SKIP", "LINKED_FILE", "REG_REG_RING",
	"RECVSEND_BUNDLE", "MIN_TIMEOUT", "RW_ATTR", "NO_IOWAIT",
}

// String lists the features by their kernel names, joined by |.
func (f Features) String() string { return bitNames(uint64(f), featureNames) }

// bitNames formats a bit set by the names of its bits, joined by |; a bit without a name becomes 1<<n.
func bitNames(set uint64, names []string) string {
	if set == 0 {
		return "0"
	}
	return strings.Join(listNames(set, names), "|")
}

func listNames(set uint64, names []string) []string {
	var list []string
	for ; set != 0; set &= set - 1 {
		n := bits.TrailingZeros64(set)
		if n < len(names) {
			list = append(list, names[n])
		} else {
			list = append(list, fmt.Sprintf("1<<%d", n))
		}
	}
	return list
}
