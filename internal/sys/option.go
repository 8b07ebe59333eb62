package sys

// Options of sockets that the kernel of a simulated world supports, with their values: see socket(7), ip(7), ipv6(7)
// and tcp(7).
const (
	SoReuseaddr     = 2
	SoBroadcast     = 6
	SoSndbuf        = 7
	SoRcvbuf        = 8
	SoKeepalive     = 9
	SoPriority      = 12
	SoLinger        = 13
	SoReuseport     = 15
	SoPasscred      = 16
	SoRcvlowat      = 18
	SoTimestampns   = 35
	SoMark          = 36
	SoRxqOvfl       = 40
	SoBusyPoll      = 46
	SoMaxPacingRate = 47
	SoIncomingCPU   = 49
	SoZerocopy      = 60

	IPTOS            = 1
	IPTTL            = 2
	IPMTUDiscover    = 10
	IPMTU            = 14
	IPMulticastTTL   = 33
	IPMulticastLoop  = 34
	IPAddMembership  = 35
	IPDropMembership = 36

	IPv6UnicastHops    = 16
	IPv6MulticastHops  = 18
	IPv6MulticastLoop  = 19
	IPv6AddMembership  = 20
	IPv6DropMembership = 21
	IPv6MTUDiscover    = 23
	IPv6MTU            = 24
	IPv6Only           = 26
	IPv6Dontfrag       = 62
	IPv6Tclass         = 67

	PMTUDiscDont      = 0 // of IPMTUDiscover and IPv6MTUDiscover
	PMTUDiscWant      = 1
	PMTUDiscDo        = 2
	PMTUDiscProbe     = 3
	PMTUDiscInterface = 4
	PMTUDiscOmit      = 5

	TCPNodelay      = 1
	TCPMaxseg       = 2
	TCPCork         = 3
	TCPKeepidle     = 4
	TCPKeepintvl    = 5
	TCPKeepcnt      = 6
	TCPDeferAccept  = 9
	TCPQuickack     = 12
	TCPUserTimeout  = 18
	TCPFastopen     = 23
	TCPNotsentLowat = 25

	ShutRd   = 0 // shutdown(2)
	ShutWr   = 1
	ShutRdwr = 2
)

// Arguments of fallocate(2), posix_fadvise(2), sync_file_range(2) and setxattr(2).
const (
	FallocKeepSize  = 0x01
	FallocPunchHole = 0x02
	FallocZeroRange = 0x10

	FadvNormal   = 0
	FadvWillneed = 3
	FadvNoreuse  = 5

	SyncRangeWaitBefore = 1
	SyncRangeWrite      = 2
	SyncRangeWaitAfter  = 4

	XattrCreate  = 1
	XattrReplace = 2
)
