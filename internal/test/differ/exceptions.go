package differ

// An Exception is something that may differ between machines, why, and how programs get along with it.
type Exception struct{ What, Why, Programs string }

// Exceptions are all that may differ from package net and os.
var Exceptions = []Exception{
	{"the text of an error", "`sock.TestAsNet` compares texts", "errors are compared by class"},
	{"how much one read gives", "it depends on when it is made", "they read until they have what they know to come"},
	{"how much of a write that was ended went out", "it depends on when",
		"the reader finds as much as the writer was told"},
	{"when a small write of a task fails", "it is accepted, and the next call is told", "they flush where it matters"},
	{"a write to a peer of TCP that has closed", "the kernel learns of it later", "they do so on Unix sockets only"},
	{"what a peer learns of a Close with bytes unread", "the kernel resets, unless the loop has them already",
		"all that was written is read before a Close"},
	{"reads after the one that told of a reset", "here the error stays, package net has io.EOF then",
		"they read once"},
	{"what a connection of callbacks is behind a write that failed", "that ends it", "they close it"},
	{"a record of no bytes", "package net and tasks read it as the end", "they go on, and callbacks must know it"},
	{"a record of no bytes that there is no room for", "package net's Write fails with EAGAIN", "it is made again"},
	{"deadlines of callbacks", "there are none, only timeouts of what does not come",
		"they have no deadline that is over"},
	{"bytes that a reset overtakes", "the kernel may drop them", "all is read before a reset"},
	{"the order of datagrams of UDP", "there is none", "what was sent at once is compared without order"},
	{"Writer of a file that is open with O_APPEND", "bufio and io.OffsetWriter have none", "they use Write there"},
	{"where a folder ends", "file systems say as they like", "they Seek from elsewhere"},
	{"Peek beyond 64 KiB", "what comes beside bufio.ErrBufferFull differs", "they look ahead less far"},
	{"what package os has no function for", "CopyFile, WriteFileAtomic, vectors, Reader and Writer",
		"it is played by the calls of package os that do the same"},
	{"the order of timers", "package time starts a goroutine for each", "each is waited for"},
	{"on sim: Detach and Adopt", "no descriptor leaves a world, which the error says",
		"what is unread is read from the Conn"},
}
