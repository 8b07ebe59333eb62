package sys

// The arguments of calls on names. A path is bytes that end with a NUL, as the kernel expects, and contain no other.

// Flags of the calls on names, the same on every architecture: see open(2),
// openat2(2), unlinkat(2), renameat2(2), linkat(2) and statx(2).
const (
	AtSymlinkNofollow = 0x100
	AtRemovedir       = 0x200
	AtEaccess         = 0x200 // of faccessat2(2)
	AtSymlinkFollow   = 0x400
	AtEmptyPath       = 0x1000

	RenameNoreplace = 1
	RenameExchange  = 2

	ResolveNoMagiclinks = 0x02
	ResolveNoSymlinks   = 0x04
	ResolveBeneath      = 0x08
	ResolveCached       = 0x20

	StatxType     = 0x1
	StatxIno      = 0x100
	StatxBasic    = 0x7ff
	StatxBtime    = 0x800
	StatxMntID    = 0x1000
	StatxMount    = 0x4000 // STATX_MNT_ID_UNIQUE: a number that no other mount will get
	StatxDioalign = 0x2000
	StatxAll      = StatxBasic | StatxBtime | StatxMntID | StatxDioalign

	// UtimeOmit in place of nanoseconds leaves a time unchanged.
	UtimeOmit = 0x3ffffffe

	SeekData = 3
	SeekHole = 4
)

// Errors that only calls on files give.
const (
	EXDEV        = 18
	ENOTDIR      = 20
	EISDIR       = 21
	ENAMETOOLONG = 36
	ENOTEMPTY    = 39
	ELOOP        = 40
)

// OpenHow is the kernel's struct open_how.
type OpenHow struct {
	Flags, Mode, Resolve uint64
}

// OpenHowSize is the size of its first version, the only one so far.
const OpenHowSize = 24

// Statx is the kernel's struct statx, see statx(2).
type Statx struct {
	Mask           uint32
	Blksize        uint32
	Attributes     uint64
	Nlink          uint32
	UID, GID       uint32
	Mode           uint16
	_              uint16
	Ino            uint64
	Size           uint64
	Blocks         uint64
	AttributesMask uint64
	Atime          StatxTime
	Btime          StatxTime
	Ctime          StatxTime
	Mtime          StatxTime
	RdevMajor      uint32
	RdevMinor      uint32
	DevMajor       uint32
	DevMinor       uint32
	MntID          uint64
	DioMemAlign    uint32
	DioOffsetAlign uint32
	_              [12]uint64
}

// Dev returns the number of the device that the file is on, in the form of the system's stat(2).
func (st *Statx) Dev() uint64 { return mkdev(st.DevMajor, st.DevMinor) }

// Rdev returns the number of the device that the file is.
func (st *Statx) Rdev() uint64 { return mkdev(st.RdevMajor, st.RdevMinor) }

// StatxTime is the kernel's struct statx_timestamp.
type StatxTime struct {
	Sec  int64
	Nsec uint32
	_    int32
}

// Statfs is the result of statfs(2).
type Statfs struct {
	Type                             int64
	BlockSize                        int64 // the unit of the block counts
	Blocks, BlocksFree, BlocksUsable uint64
	Files, FilesFree                 uint64
	NameMax                          int64
	Flags                            int64
}

// TimePair is the times of the last access and of the last change, for Utimensat. A time whose nanoseconds are
// UtimeOmit stays unchanged.
type TimePair [2]struct{ Sec, Nsec int64 }
