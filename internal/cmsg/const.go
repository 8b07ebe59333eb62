package cmsg

// Levels and types of the messages, and the options that ask for them, in the Linux
// ABI.
const (
	LevelSocket = 1  // SOL_SOCKET
	LevelIP     = 0  // IPPROTO_IP
	LevelIPv6   = 41 // IPPROTO_IPV6
	LevelUDP    = 17 // IPPROTO_UDP

	Rights      = 1 // SCM_RIGHTS, see unix(7)
	Credentials = 2 // SCM_CREDENTIALS
	PassCred    = 16

	TimestampNS    = 35 // SO_TIMESTAMPNS and SCM_TIMESTAMPNS, with the C library's old time
	TimestampNSNew = 64 // the same with 64 bits for the seconds everywhere (Linux 5.1)
	TXTime         = 61 // SO_TXTIME and SCM_TXTIME (Linux 4.19)
	Overflow       = 40 // SO_RXQ_OVFL: how many datagrams were dropped so far

	IPTOS     = 1
	IPTTL     = 2
	IPInfo    = 8 // IP_PKTINFO, the option as well as the message
	IPRecvTTL = 12
	IPRecvTOS = 13

	IPv6RecvInfo  = 49
	IPv6Info      = 50
	IPv6RecvLimit = 51
	IPv6Limit     = 52
	IPv6RecvClass = 66
	IPv6Class     = 67

	Segment = 103 // UDP_SEGMENT (Linux 4.18), the option as well as the message
	GRO     = 104 // UDP_GRO (Linux 5.0)
)

// ECNMask selects the explicit congestion notification bits of a TOS or traffic class, see RFC 3168.
const ECNMask = 3
