package sys

// Numbers of the Linux ABI that ops carry. They are the same on every architecture that Ringo runs on, so that tables
// of ops compile on every system.
const (
	EIO           = 5
	ENXIO         = 6
	EBADF         = 9
	EAGAIN        = 11
	ENODATA       = 61
	EACCES        = 13
	ENOMEM        = 12
	EFAULT        = 14
	ENODEV        = 19
	EINVAL        = 22
	ENFILE        = 23
	ENOTTY        = 25
	EFBIG         = 27
	ESPIPE        = 29
	ENOSPC        = 28
	EMFILE        = 24
	EPIPE         = 32
	ERANGE        = 34
	ENOTSOCK      = 88
	EDESTADDRREQ  = 89
	EMSGSIZE      = 90
	EPROTOTYPE    = 91
	EAFNOSUPPORT  = 97
	EDQUOT        = 122
	EADDRNOTAVAIL = 99
	EADDRINUSE    = 98
	EALREADY      = 114
	EINPROGRESS   = 115
	ECANCELED     = 125
	ENOBUFS       = 105
	ENOTCONN      = 107
	ECONNREFUSED  = 111
	ETIME         = 62
	EEXIST        = 17
	EBUSY         = 16
	ENOENT        = 2
	EINTR         = 4
	EPERM         = 1
	ENOSYS        = 38
	ECONNABORTED  = 103
	ECONNRESET    = 104
	ETIMEDOUT     = 110
	EOPNOTSUPP    = 95
	EISCONN       = 106

	ENOSR           = 63
	ENONET          = 64
	EPROTO          = 71
	ENOPROTOOPT     = 92
	EPROTONOSUPPORT = 93
	ESOCKTNOSUPPORT = 94
	ENETDOWN        = 100
	ENETUNREACH     = 101
	EHOSTDOWN       = 112
	EHOSTUNREACH    = 113

	PollIn    = 0x1
	PollPri   = 0x2
	PollOut   = 0x4
	PollErr   = 0x8
	PollHup   = 0x10
	PollNval  = 0x20
	PollRdhup = 0x2000

	FGetfd    = 1 // fcntl(2)
	FSetfd    = 2
	FGetfl    = 3
	FSetfl    = 4
	FDCloexec = 1

	AtFdcwd  = -100 // the working directory, in place of a descriptor
	OAccmode = 3
	ORdonly  = 0
	OWronly  = 1
	ORdwr    = 2
	PathMax  = 4096 // of a path, with the NUL

	SeekSet         = 0 // lseek(2)
	SeekCur         = 1
	SeekEnd         = 2
	TmpfsMagic      = 0x01021994 // statfs(2)
	RamfsMagic      = 0x858458f6
	OverlayfsMagic  = 0x794c7630
	FuseMagic       = 0x65735546
	ProcMagic       = 0x9fa0
	SysfsMagic      = 0x62656572
	DebugfsMagic    = 0x64626720
	TracefsMagic    = 0x74726163
	SecurityfsMagic = 0x73636673
	ConfigfsMagic   = 0x62656570
	CgroupMagic     = 0x27e0eb
	Cgroup2Magic    = 0x63677270
	BPFMagic        = 0xcafe4a11
	AtStatxDontSync = 0x4000 // statx(2)
	FRdlck          = 0      // fcntl(2)
	FWrlck          = 1
	FUnlck          = 2

	SIfmt   = 0xf000 // stat(2)
	SIfifo  = 0x1000
	SIfchr  = 0x2000
	SIfdir  = 0x4000
	SIfblk  = 0x6000
	SIfreg  = 0x8000
	SIflnk  = 0xa000
	SIfsock = 0xc000

	SockStream    = 1
	SockDgram     = 2
	SockRaw       = 3
	SockSeqpacket = 5
	SockNonblock  = 0x800
	SockCloexec   = 0x80000

	MsgOob         = 0x1
	MsgPeek        = 0x2    // the data stays in the socket
	MsgTrunc       = 0x20   // on receipt: the datagram was longer than its buffer
	MsgCtrunc      = 0x8    // on receipt: there was not enough room for the control messages
	MsgMore        = 0x8000 // more will follow: no segment of its own
	MsgDontwait    = 0x40
	MsgWaitall     = 0x100
	MsgNosignal    = 0x4000
	MsgErrqueue    = 0x2000
	MsgCmsgCloexec = 0x40000000

	SolSocket    = 1
	SoType       = 3
	SoError      = 4
	SoPeerCred   = 17
	SoPeername   = 28
	SoMeminfo    = 55
	SoAcceptconn = 30
	SoProtocol   = 38
	SoDomain     = 39
	ProtoTCP     = 6
	ProtoUDP     = 17
	ProtoIPv6    = 41
	TCPInfo      = 11
)
