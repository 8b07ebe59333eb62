package roots

import "strings"

// parks are the functions and methods, by package, in which a task parks: other tasks of its loop run meanwhile, so
// that no sync.Mutex must be locked then.
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

// rarely are the functions whose comments say that a task may park, and that are not among them: a lock around them is
// no mistake as a rule, and a warning would be.
var rarely = map[string]string{
	// Go parks in a Group that is full, Handles and Tasks of another loop, Do while another runs its function, and the
	// others if their functions do.
	module: "Do Go Handles Tasks WithContext WithTimeout",
	// While others are at work on the handle, or to look a name up.
	"ringo/sock": "Close File Listen ListenPacket Reserve ReservePackets SyscallConn",
	// Until a message to the service manager is away.
	"ringo/service": "Close",
	"ringo/upgrade": "Close",
	// For the first question to a file system, while others use a file's position, or not by themselves.
	"ringo/file": "Cached DirFS Info NewReader NewWriter ReadCached",
}

// Parks reports whether a task may park in a function of ours. A method's type does not matter: a promoted method is
// that of a type which users don't see.
func Parks(path, name string) bool {
	return strings.Contains(" "+parks[path]+" ", " "+name+" ")
}
