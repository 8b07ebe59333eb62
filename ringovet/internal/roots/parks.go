package roots

import "strings"

// parks are the functions and methods, by package, in which a task parks: other tasks of its loop run meanwhile, so
// that no sync.Mutex must be locked then.
var parks = map[string]string{
	"ringo": "Select Sleep Yield Offload Compute Call Wait WaitContext Lock LockContext Acquire Send " +
		"SendContext Recv RecvContext",
	"ringo/sock": "Dial DialContext DialPacket Serve Accept AcceptConn AcceptTCP AcceptUnix Read ReadV ReadFrom Next " +
		"Peek Discard Write WriteV WriteTo WriteLease Flush SendFile SendFiles RecvFiles MoveTo Wait ReadBatch " +
		"WriteBatch WriteSegments ReadFromUDP ReadFromUDPAddrPort ReadMsgUDP ReadMsgUDPAddrPort WriteToUDP " +
		"WriteToUDPAddrPort WriteMsgUDP WriteMsgUDPAddrPort ReadFromUnix ReadMsgUnix WriteToUnix WriteMsgUnix",
	"ringo/logs":         "Flush Close",
	"ringo/sock/socktls": "Dial DialContext Read Write Handshake HandshakeContext Close CloseWrite",
	"ringo/file": "Open Create OpenFile CreateTemp ReadFile WriteFile WriteFileAtomic CreateAtomic Stat Lstat Remove " +
		"RemoveAll Rename Mkdir MkdirAll ReadDir Walk Copy CopyFile Read ReadAt ReadVAt Write WriteAt WriteVAt " +
		"WriteString ReadFrom WriteTo Sync Datasync Truncate Lock Flush",
}

// Parks reports whether a task may park in a function of ours. A method's type does not matter: a promoted method is
// that of a type which users don't see.
func Parks(path, name string) bool {
	return strings.Contains(" "+parks[path]+" ", " "+name+" ")
}
