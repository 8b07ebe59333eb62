package sockhttp

import (
	"encoding/binary"
	"fmt"
)

// Types of frames: RFC 9113, 6.
const (
	frameData = iota
	frameHeaders
	framePriority
	frameReset
	frameSettings
	framePush
	framePing
	frameGoAway
	frameWindow
	frameContinuation
)

// Flags of frames.
const (
	flagAck        = 0x1 // of SETTINGS and PING
	flagEndStream  = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

// Settings: RFC 9113, 6.5.2.
const (
	settingTableSize = 1 + iota
	settingPush
	settingStreams
	settingWindow
	settingFrameSize
	settingHeaderList
	settingConnectProtocol = 8 // RFC 8441, 3
)

// An errorCode says why a stream or a connection ends: RFC 9113, 7.
type errorCode uint32

const (
	codeNone errorCode = iota
	codeProtocol
	codeInternal
	codeFlowControl
	codeSettingsTimeout
	codeStreamClosed
	codeFrameSize
	codeRefused
	codeCancel
	codeCompression
	codeConnect
	codeCalm
	codeSecurity
	codeHTTP11
)

var codeNames = [...]string{"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
	"STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR",
	"ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"}

func (c errorCode) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("unknown error code %#x", uint32(c))
}

// connectionError ends a connection.
type connectionError struct {
	code errorCode
	why  string
}

func (e *connectionError) Error() string {
	return fmt.Sprintf("http2: connection error: %v: %s", e.code, e.why)
}

// streamError ends one stream of a connection.
type streamError struct {
	id   uint32
	code errorCode
	why  string
}

func (e *streamError) Error() string {
	return fmt.Sprintf("http2: stream error: stream ID %d; %v; %s", e.id, e.code, e.why)
}

// resetError is the error of a stream that the peer has reset.
type resetError struct {
	id   uint32
	code errorCode
}

func (e *resetError) Error() string {
	return fmt.Sprintf("http2: stream error: stream ID %d; %v; received from peer", e.id, e.code)
}

const (
	frameHeaderSize = 9
	// frameMax is how long a peer's frame may be, unless Server.HTTP2 allows more: the least that a side may allow.
	frameMax = 16 << 10
	// windowMax is the largest window.
	windowMax = 1<<31 - 1
	// firstWindow is the window of a connection and of a stream until a side changes it.
	firstWindow = 65535
)

// frame is a received frame. Its payload is valid only while it is handled.
type frame struct {
	kind, flags uint8
	id          uint32
	size        int // of the payload, including padding
	payload     []byte

	dependsOnItself bool // HEADERS of such a stream; priorities are ignored otherwise
}

func (f *frame) has(flag uint8) bool { return f.flags&flag != 0 }

// parseFrameHeader parses the first nine bytes of a frame.
func parseFrameHeader(p []byte) (f frame) {
	f.size = int(p[0])<<16 | int(p[1])<<8 | int(p[2])
	f.kind, f.flags = p[3], p[4]
	f.id = binary.BigEndian.Uint32(p[5:]) & (1<<31 - 1)
	return f
}

// check returns what is wrong with a frame by itself. It removes padding and the priority, which is obsolete.
func (f *frame) check() error {
	onStream := f.id != 0
	switch f.kind {
	case frameData, frameHeaders, frameContinuation, framePriority, frameReset, framePush:
		if !onStream {
			return &connectionError{codeProtocol, "a frame of a stream on no stream"}
		}
	case frameSettings, framePing, frameGoAway:
		if onStream {
			return &connectionError{codeProtocol, "a frame of the connection on a stream"}
		}
	}
	switch f.kind {
	case frameData, frameHeaders:
		return f.unwrap()
	case framePriority:
		if f.size != 5 {
			return &streamError{f.id, codeFrameSize, "PRIORITY of a wrong size"}
		}
		if f.isOwn(f.payload) {
			return &streamError{f.id, codeProtocol, "a stream that depends on itself"}
		}
	case frameReset, frameWindow:
		if f.size != 4 {
			return &connectionError{codeFrameSize, "RST_STREAM or WINDOW_UPDATE of a wrong size"}
		}
	case frameSettings:
		if f.size%6 != 0 || f.has(flagAck) && f.size > 0 {
			return &connectionError{codeFrameSize, "SETTINGS of a wrong size"}
		}
	case framePing:
		if f.size != 8 {
			return &connectionError{codeFrameSize, "PING of a wrong size"}
		}
	case frameGoAway:
		if f.size < 8 {
			return &connectionError{codeFrameSize, "GOAWAY of a wrong size"}
		}
	case framePush:
		return &connectionError{codeProtocol, "PUSH_PROMISE"}
	}
	return nil
}

// unwrap removes padding and priority.
func (f *frame) unwrap() error {
	p := f.payload
	if f.has(flagPadded) {
		if len(p) == 0 {
			return &connectionError{codeFrameSize, "padding in an empty frame"}
		}
		pad := int(p[0])
		if p = p[1:]; pad > len(p) {
			return &connectionError{codeProtocol, "padding that is longer than its frame"}
		}
		p = p[:len(p)-pad]
	}
	if f.payload = p; f.kind != frameHeaders || !f.has(flagPriority) {
		return nil
	}
	if len(p) < 5 {
		return &connectionError{codeFrameSize, "HEADERS too short for a priority"}
	}
	f.dependsOnItself = f.isOwn(p) // the head has to be decoded all the same
	f.payload = p[5:]
	return nil
}

// isOwn reports whether a priority names the frame's own stream.
func (f *frame) isOwn(priority []byte) bool {
	return binary.BigEndian.Uint32(priority)&(1<<31-1) == f.id
}

// checkSetting returns an error for a value that a setting must not have.
func checkSetting(id uint16, v uint32) error {
	switch {
	case id == settingPush && v > 1:
		return &connectionError{codeProtocol, "a bad SETTINGS_ENABLE_PUSH"}
	case id == settingConnectProtocol && v > 1:
		return &connectionError{codeProtocol, "a bad SETTINGS_ENABLE_CONNECT_PROTOCOL"}
	case id == settingWindow && v > windowMax:
		return &connectionError{codeFlowControl, "a bad SETTINGS_INITIAL_WINDOW_SIZE"}
	case id == settingFrameSize && (v < frameMax || v >= 1<<24):
		return &connectionError{codeProtocol, "a bad SETTINGS_MAX_FRAME_SIZE"}
	}
	return nil
}

// appendFrame appends the nine bytes of a frame's header.
func appendFrame(out []byte, kind, flags uint8, id uint32, size int) []byte {
	out = append(out, byte(size>>16), byte(size>>8), byte(size), kind, flags)
	return binary.BigEndian.AppendUint32(out, id)
}

// appendWord appends a frame with four bytes of payload: RST_STREAM or WINDOW_UPDATE.
func appendWord(out []byte, kind uint8, id, v uint32) []byte {
	return binary.BigEndian.AppendUint32(appendFrame(out, kind, 0, id, 4), v)
}

// appendGoAway appends a GOAWAY: nothing was done for streams above last.
func appendGoAway(out []byte, last uint32, code errorCode) []byte {
	out = appendFrame(out, frameGoAway, 0, 0, 8)
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(out, last), uint32(code))
}

// parseGoAway parses a GOAWAY, with its debug text.
func parseGoAway(p []byte) (last uint32, code errorCode, text []byte) {
	return binary.BigEndian.Uint32(p) & windowMax, errorCode(binary.BigEndian.Uint32(p[4:])), p[8:]
}

// appendSetting appends one setting of a SETTINGS frame.
func appendSetting(out []byte, id uint16, v uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(out, id), v)
}
