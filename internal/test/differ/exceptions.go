package differ

// An Exception is something that may differ between machines, why, and how programs get along with it.
type Exception struct{ What, Why, Programs string }

// Exceptions are all that may differ from package net and os.
var Exceptions = []Exception{
	{"the text of an error", "`sock.TestAsNet` compares texts", "errors are compared by class"},
	{"how much one read gets", "it depends on the time of the read", "they read until they have all they expect"},
	{"how much of an interrupted write went out", "it depends on the time",
		"the reader must find as much as the write returned"},
	{"when a small write of a task fails", "it is accepted, and the next call fails", "they flush where it matters"},
	{"a write to a TCP peer that has closed", "the kernel learns of it later", "they do so on Unix sockets only"},
	{"what a peer sees of a Close with bytes unread", "the kernel resets, unless the loop has the bytes already",
		"they read everything before a Close"},
	{"reads after one that failed by a reset", "here the error stays, package net then returns io.EOF",
		"they read once"},
	{"a connection of callbacks after a failed write", "the failure ends it", "they close it"},
	{"a record of no bytes", "package net and tasks read it as the end", "they go on, and callbacks must get it"},
	{"a record of no bytes without room for it", "package net's Write fails with EAGAIN", "they write it again"},
	{"deadlines of callbacks", "they have only timeouts", "they set no deadline in the past"},
	{"bytes that a reset overtakes", "the kernel may drop them", "they read everything before a reset"},
	{"the order of UDP datagrams", "there is none", "those sent at once are compared without order"},
	{"Writer of a file that is open with O_APPEND", "bufio and io.OffsetWriter have none", "they use Write there"},
	{"where a folder ends", "file systems differ", "they Seek from elsewhere"},
	{"Peek beyond 64 KiB", "the bytes returned with bufio.ErrBufferFull differ", "they look ahead less far"},
	{"functions that package os lacks", "CopyFile, WriteFileAtomic, vectors, Reader and Writer",
		"several calls of package os do the same"},
	{"the order of timers", "package time starts a goroutine for each", "they wait for each"},
	{"on sim: Detach and Adopt", "no descriptor leaves a world, as the error says",
		"they read unread bytes from the Conn"},
}
