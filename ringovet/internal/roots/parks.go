package roots

import "strings"

// parks are the functions and methods, by package, in which a task parks. Other tasks of its loop run meanwhile, so a
// task must not hold a sync.Mutex in them.
var parks = map[string]string{
	module: "Select SelectContext Sleep Yield Offload Compute Call Start Each Reduce Wait WaitContext Lock " +
		"LockContext RLock RLockContext Acquire Send SendContext Recv RecvContext Next WithClass",
	"ringo/sock": "Dial DialContext DialPacket DialPacketContext Detach DetachConn DetachTCP DetachUnix Serve " +
		"Accept AcceptConn AcceptTCP AcceptUnix Read ReadV ReadFrom Next Peek Discard Write WriteV WriteTo " +
		"WriteLease Flush SendFile SendFiles RecvFiles MoveTo Rebalance Wait ReadBatch WriteBatch WriteSegments " +
		"ReadFromUDP DetachUDP ReadFromAddrPort WriteToAddrPort Publish ServePackets Reply " +
		"ReplyMsg " +
		"ReadFromUDPAddrPort ReadMsgUDP ReadMsgUDPAddrPort WriteToUDP WriteToUDPAddrPort WriteMsgUDP " +
		"WriteMsgUDPAddrPort ReadFromUnix ReadMsgUnix WriteToUnix WriteMsgUnix",
	"ringo/codec":           "Next Tokens",
	"ringo/event":           "Adopt Detach Wait",
	"ringo/logs":            "Flush Close",
	"ringo/metrics":         "Each",
	"ringo/proc":            "CombinedOutput Command CommandContext Output Run Start Wait",
	"ringo/rate":            "Wait WaitN",
	"ringo/retry":           "Do Hedge",
	"ringo/singleflight":    "Do",
	"ringo/sock/sockclient": "Call CallID Do Get Shutdown",
	"ringo/service": "Extend Notify Ready Reload Replaced Started Status Stopping Store StoreUnpolled Turned " +
		"Unstore",
	"ringo/upgrade":       "AcceptConn PassConn Ready Started Upgrade",
	"ringo/sock/sockhttp": "RoundTrip",
	"ringo/sock/socktls":  "Accept Dial DialContext Read Write Handshake HandshakeContext Close CloseWrite",
	"ringo/file": "Abort Access Advise Allocate Chdir Chmod Chown Chtimes Commit Copy CopyFS CopyFile Create " +
		"CreateAtomic CreateTemp Datasync DirectAlign Flush Lchown Link LinkTo List ListXattrs Lock Lstat Mkdir " +
		"MkdirAll MkdirTemp Mkfifo Open OpenFile OpenInRoot OpenRoot PunchHole RLock Read ReadAt ReadDir ReadFile " +
		"ReadFrom ReadRanges ReadVAt " +
		"Readdir Readdirnames Readlink Remove RemoveAll RemoveXattr Rename RenameTo RenameWith " +
		"Seek SetXattr Stat Statfs Symlink Sync SyncRange Temp Truncate TryLock TryRLock Unlock WalkDir Write " +
		"WriteAt WriteFile WriteFileAtomic WriteString WriteTo WriteVAt Xattr",
}

// rarely are the functions that are not in parks although their comments say that a task may park. Calling them with a
// lock held is usually right, and a warning would be wrong.
var rarely = map[string]string{
	// Go parks if the Group is full, Handles and Tasks for another loop, Do while another task runs the function; the
	// others park if their functions do.
	module: "Do Go Handles Tasks WithContext WithTimeout",
	// They park while foreign callers use the handle, or to look a name up.
	"ringo/sock": "Close File Listen ListenPacket Reserve ReservePackets SyscallConn",
	// They park until a message to the service manager is sent.
	"ringo/service": "Close",
	"ringo/upgrade": "Close",
	// They park for the first question to a file system, while others use the file's position, or only if what they
	// return is used.
	"ringo/file": "Cached DirFS Fd Info NewReader NewWriter ReadCached SyscallConn",
}

// Parks reports whether a task may park in a function of Ringo. It ignores the receiver: a promoted method belongs to a
// type that programs don't see.
func Parks(path, name string) bool {
	return strings.Contains(" "+parks[path]+" ", " "+name+" ")
}
