// Package cmsg builds and reads the control messages that travel beside the bytes
// of a socket: which interface a datagram came through, its ECN bits and hop limit,
// when it arrived, how it was cut into segments, and passed descriptors.
//
// A control buffer is a row of messages, each padded to the size of a word:
//
//	┌───────────┬───────┬──────┬──────────┬─────┬───────────┬───
//	│ len: word │ level │ type │ data ... │ pad │ len: word │ ...
//	└───────────┴───────┴──────┴──────────┴─────┴───────────┴───
//	            └ 4 bytes each ┘
//
// len counts from its own first byte to the end of the data, without the padding.
// The layout is that of the Linux ABI on every system, see cmsg(3).
//
// The Append functions append to a slice, and allocate only if its capacity is too small; Space returns the size of
// one message. Next reads the first message of a buffer. It checks all lengths, because the buffer's content may come
// from a peer, from a kernel that has truncated it, or from a user. The buffer need not be aligned.
//
// Descriptors that arrive in a buffer are open from then on. A receiver that does not hand them on has to call
// CloseRights.
package cmsg
