package uring

import (
	"fmt"

	"ringo/internal/abi"
)

// RegisterOp is an opcode of io_uring_register(2), IORING_REGISTER_ or IORING_UNREGISTER_. Restrictions name register
// calls by it, and Ring.Register makes the calls that have no method.
type RegisterOp uint32

// The register calls, each with the first release that has it, and its method.
const (
	RegBuffers            RegisterOp = abi.IORING_REGISTER_BUFFERS          // 5.1: RegisterBuffers
	RegUnregisterBuffers  RegisterOp = abi.IORING_UNREGISTER_BUFFERS        // 5.1: UnregisterBuffers
	RegFiles              RegisterOp = abi.IORING_REGISTER_FILES            // 5.1: RegisterFiles
	RegUnregisterFiles    RegisterOp = abi.IORING_UNREGISTER_FILES          // 5.1: UnregisterFiles
	RegEventfd            RegisterOp = abi.IORING_REGISTER_EVENTFD          // 5.2: RegisterEventfd
	RegUnregisterEventfd  RegisterOp = abi.IORING_UNREGISTER_EVENTFD        // 5.2: UnregisterEventfd
	RegFilesUpdate        RegisterOp = abi.IORING_REGISTER_FILES_UPDATE     // 5.5: UpdateFiles
	RegEventfdAsync       RegisterOp = abi.IORING_REGISTER_EVENTFD_ASYNC    // 5.6: RegisterEventfdAsync
	RegProbe              RegisterOp = abi.IORING_REGISTER_PROBE            // 5.6: ProbeOps
	RegPersonality        RegisterOp = abi.IORING_REGISTER_PERSONALITY      // 5.6: RegisterPersonality
	RegUnregPersonality   RegisterOp = abi.IORING_UNREGISTER_PERSONALITY    // 5.6: UnregisterPersonality
	RegRestrictions       RegisterOp = abi.IORING_REGISTER_RESTRICTIONS     // 5.10: RegisterRestrictions
	RegEnableRings        RegisterOp = abi.IORING_REGISTER_ENABLE_RINGS     // 5.10: Enable
	RegFiles2             RegisterOp = abi.IORING_REGISTER_FILES2           // 5.13: RegisterFilesTagged
	RegFilesUpdate2       RegisterOp = abi.IORING_REGISTER_FILES_UPDATE2    // 5.13: UpdateFilesTagged
	RegBuffers2           RegisterOp = abi.IORING_REGISTER_BUFFERS2         // 5.13: RegisterBuffersTagged
	RegBuffersUpdate      RegisterOp = abi.IORING_REGISTER_BUFFERS_UPDATE   // 5.13: UpdateBuffers
	RegIOWQAff            RegisterOp = abi.IORING_REGISTER_IOWQ_AFF         // 5.14: RegisterIOWQAffinity
	RegUnregisterIOWQAff  RegisterOp = abi.IORING_UNREGISTER_IOWQ_AFF       // 5.14: UnregisterIOWQAffinity
	RegIOWQMaxWorkers     RegisterOp = abi.IORING_REGISTER_IOWQ_MAX_WORKERS // 5.15: IOWQMaxWorkers
	RegRingFDs            RegisterOp = abi.IORING_REGISTER_RING_FDS         // 5.18: RegisterRingFD
	RegUnregisterRingFDs  RegisterOp = abi.IORING_UNREGISTER_RING_FDS       // 5.18: UnregisterRingFD
	RegPbufRing           RegisterOp = abi.IORING_REGISTER_PBUF_RING        // 5.19: OpenBufRing
	RegUnregisterPbufRing RegisterOp = abi.IORING_UNREGISTER_PBUF_RING      // 5.19: BufRing.Close
	RegSyncCancel         RegisterOp = abi.IORING_REGISTER_SYNC_CANCEL      // 6.0: SyncCancel
	RegFileAllocRange     RegisterOp = abi.IORING_REGISTER_FILE_ALLOC_RANGE // 6.0: RegisterFileAllocRange
	RegPbufStatus         RegisterOp = abi.IORING_REGISTER_PBUF_STATUS      // 6.8: BufRing.Status
	RegNAPI               RegisterOp = abi.IORING_REGISTER_NAPI             // 6.9: RegisterNAPI
	RegUnregisterNAPI     RegisterOp = abi.IORING_UNREGISTER_NAPI           // 6.9: UnregisterNAPI
	RegClock              RegisterOp = abi.IORING_REGISTER_CLOCK            // 6.12: RegisterClock
	RegCloneBuffers       RegisterOp = abi.IORING_REGISTER_CLONE_BUFFERS    // 6.12: CloneBuffers
	RegSendMsgRing        RegisterOp = abi.IORING_REGISTER_SEND_MSG_RING    // 6.13: SendMsgRing
	RegZCRXIfq            RegisterOp = abi.IORING_REGISTER_ZCRX_IFQ         // 6.15: RegisterZCRX
	RegResizeRings        RegisterOp = abi.IORING_REGISTER_RESIZE_RINGS     // 6.13: Resize
	RegMemRegion          RegisterOp = abi.IORING_REGISTER_MEM_REGION       // 6.13: RegisterRegion
	RegQuery              RegisterOp = abi.IORING_REGISTER_QUERY            // 6.18: Query
	RegZCRXCtrl           RegisterOp = abi.IORING_REGISTER_ZCRX_CTRL        // 6.19: ZCRX.Flush, ZCRX.Export
	RegBPFFilter          RegisterOp = abi.IORING_REGISTER_BPF_FILTER       // 7.0: RegisterFilter
	registerOps           RegisterOp = RegBPFFilter + 1
)

var registerNames = [...]string{
	"REGISTER_BUFFERS", "UNREGISTER_BUFFERS", "REGISTER_FILES", "UNREGISTER_FILES", "REGISTER_EVENTFD",
	"UNREGISTER_EVENTFD", "REGISTER_FILES_UPDATE", "REGISTER_EVENTFD_ASYNC", "REGISTER_PROBE", "REGISTER_PERSONALITY",
	"UNREGISTER_PERSONALITY", "REGISTER_RESTRICTIONS", "REGISTER_ENABLE_RINGS", "REGISTER_FILES2",
	"REGISTER_FILES_UPDATE2", "REGISTER_BUFFERS2", "REGISTER_BUFFERS_UPDATE", "REGISTER_IOWQ_AFF",
	"UNREGISTER_IOWQ_AFF", "REGISTER_IOWQ_MAX_WORKERS", "REGISTER_RING_FDS", "UNREGISTER_RING_FDS",
	"REGISTER_PBUF_RING", "UNREGISTER_PBUF_RING", "REGISTER_SYNC_CANCEL", "REGISTER_FILE_ALLOC_RANGE",
	"REGISTER_PBUF_STATUS", "REGISTER_NAPI", "UNREGISTER_NAPI", "REGISTER_CLOCK", "REGISTER_CLONE_BUFFERS",
	"REGISTER_SEND_MSG_RING", "REGISTER_ZCRX_IFQ", "REGISTER_RESIZE_RINGS", "REGISTER_MEM_REGION", "REGISTER_QUERY",
	"REGISTER_ZCRX_CTRL", "REGISTER_BPF_FILTER",
}

// String returns the kernel's name without the IORING_, or a number for calls newer than this package.
func (o RegisterOp) String() string {
	if int64(o) < int64(len(registerNames)) {
		return registerNames[o]
	}
	return fmt.Sprintf("REGISTER_%d", uint32(o))
}
