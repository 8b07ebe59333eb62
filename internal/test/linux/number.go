package linux

// Numbers of sockets, see socket(2), shutdown(2), socket(7) and poll(2).
const (
	AF_UNIX  = 1
	AF_INET  = 2
	AF_INET6 = 10

	SOCK_STREAM    = 1
	SOCK_DGRAM     = 2
	SOCK_SEQPACKET = 5

	SHUT_RD   = 0
	SHUT_WR   = 1
	SHUT_RDWR = 2

	SOL_SOCKET        = 1
	SO_SNDBUF         = 7
	SO_KEEPALIVE      = 9
	SO_LINGER         = 13
	IP_ADD_MEMBERSHIP = 35

	MSG_OOB  = 1
	MSG_PEEK = 2

	POLLIN   = 0x1
	POLLNVAL = 0x20
)

// Numbers of files, see inode(7), fallocate(2), posix_fadvise(2), sync_file_range(2) and setxattr(2).
const (
	S_IFMT  = 0xf000
	S_IFIFO = 0x1000
	S_IFDIR = 0x4000
	S_IFREG = 0x8000
	S_IFLNK = 0xa000

	FALLOC_FL_KEEP_SIZE   = 1
	FADV_WILLNEED         = 3
	SYNC_FILE_RANGE_WRITE = 2
	XATTR_CREATE          = 1
)
