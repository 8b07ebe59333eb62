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
// The Append functions write behind what is in a slice and allocate only if its
// capacity does not do; Space says how much one message takes. Next reads the first
// message of a buffer, whatever that buffer holds: what comes from a peer, from a
// kernel that cut it short, or from a user is never trusted with an index. Nothing
// here needs the buffer to be aligned.
//
// Descriptors that arrive in a buffer are open from then on. Whoever receives into a
// buffer and does not hand them on calls CloseRights.
package cmsg
