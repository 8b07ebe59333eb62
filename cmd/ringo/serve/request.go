package serve

import "bytes"

// request is the head of a request of HTTP/1.0 or 1.1, as far as a server of files cares.
// Its slices are of the bytes that were parsed.
type request struct {
	method, target []byte
	minor          int // of the version, HTTP/1.minor
	host           []byte
	hosts          int

	closes    bool // Connection: close
	keepAlive bool // Connection: keep-alive
	chunked   bool // a body whose end must be looked for
	length    int64
	expects   bool // Expect: what is expected comes before the body

	ranges, ifRange, ifMatch, ifNoneMatch, ifModified, ifUnmodified []byte
}

// The bounds of a head, in bytes and fields.
const (
	headMax   = 16 << 10
	targetMax = 8 << 10
	fieldsMax = 100
)

// A fault is a status with what it is about.
type fault struct {
	status int
	text   string
}

var (
	badRequestLine = &fault{400, "400 Bad Request: malformed request line"}
	badField       = &fault{400, "400 Bad Request: malformed header"}
	badHost        = &fault{400, "400 Bad Request: want one Host header, with a host in it"}
	badLength      = &fault{400, "400 Bad Request: malformed Content-Length"}
	longTarget     = &fault{414, "414 URI Too Long"}
	longHead       = &fault{431, "431 Request Header Fields Too Large"}
	unknownCoding  = &fault{501, "501 Not Implemented: unknown transfer encoding"}
	badVersion     = &fault{505, "505 HTTP Version Not Supported"}
)

// parse reads a head from the beginning of p. n is its length; 0: it is not complete.
func (r *request) parse(p []byte) (n int, bad *fault) {
	*r = request{}
	for bytes.HasPrefix(p[n:], crlf) && n < 4 { // what some clients put behind a body
		n += 2
	}
	line, next, ok := cutLine(p, n)
	if !ok {
		return 0, unfinished(len(p)-n, targetMax+len("OPTIONS  HTTP/1.1\r\n"), len(p))
	}
	if bad := r.parseLine(line); bad != nil {
		return 0, bad
	}
	for fields := 0; ; fields++ {
		line, end, ok := cutLine(p, next)
		if !ok {
			return 0, unfinished(0, 1, len(p))
		}
		next = end
		if next > headMax || fields > fieldsMax {
			return 0, longHead
		}
		if len(line) == 0 {
			if bad := r.check(); bad != nil {
				return 0, bad
			}
			return next, nil
		}
		if bad := r.parseField(line); bad != nil {
			return 0, bad
		}
	}
}

var crlf = []byte("\r\n")

// cutLine gives the line at p[at:] without its end, and where the next one begins.
func cutLine(p []byte, at int) (line []byte, next int, ok bool) {
	i := bytes.IndexByte(p[at:], '\n')
	if i < 0 {
		return nil, 0, false
	}
	line = p[at : at+i]
	if i > 0 && line[i-1] == '\r' {
		line = line[:i-1]
	}
	return line, at + i + 1, true
}

// unfinished is why more must not be waited for: a first line or a head that is too long.
func unfinished(first, firstMax, all int) *fault {
	switch {
	case first > firstMax:
		return longTarget
	case all >= headMax:
		return longHead
	}
	return nil
}

func (r *request) parseLine(line []byte) *fault {
	method, rest, ok := bytes.Cut(line, space)
	if !ok || !isToken(method) {
		return badRequestLine
	}
	target, version, ok := bytes.Cut(rest, space)
	if !ok || len(target) == 0 {
		return badRequestLine
	}
	if len(version) != len("HTTP/1.1") || string(version[:5]) != "HTTP/" || version[6] != '.' ||
		!isDigit(version[5]) || !isDigit(version[7]) {
		return badRequestLine
	}
	switch {
	case version[5] != '1':
		return badVersion
	case len(target) > targetMax:
		return longTarget
	}
	for _, c := range target {
		if c < '!' || c == 0x7f {
			return badRequestLine
		}
	}
	r.method, r.target, r.minor = method, target, int(version[7]-'0')
	return nil
}

var space = []byte(" ")

func (r *request) parseField(line []byte) *fault {
	i := bytes.IndexByte(line, ':')
	if i < 0 || !isToken(line[:i]) {
		return badField
	}
	name, value := line[:i], bytes.Trim(line[i+1:], " \t")
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return badField
		}
	}
	switch len(name) {
	case len("Host"):
		if isName(name, "host") {
			r.host = value
			r.hosts++
		}
	case len("Range"):
		keepFirst(&r.ranges, value, name, "range")
	case len("Expect"):
		r.expects = r.expects || isName(name, "expect")
	case len("If-Match"):
		keepFirst(&r.ifMatch, value, name, "if-match")
		keepFirst(&r.ifRange, value, name, "if-range")
	case len("Connection"):
		if isName(name, "connection") {
			r.parseConnection(value)
		}
	case len("If-None-Match"):
		keepFirst(&r.ifNoneMatch, value, name, "if-none-match")
	case len("Content-Length"):
		if isName(name, "content-length") {
			return r.parseLength(value)
		}
	case len("If-Modified-Since"):
		keepFirst(&r.ifModified, value, name, "if-modified-since")
		if isName(name, "transfer-encoding") {
			if r.chunked = isName(value, "chunked"); !r.chunked {
				return unknownCoding
			}
		}
	case len("If-Unmodified-Since"):
		keepFirst(&r.ifUnmodified, value, name, "if-unmodified-since")
	}
	return nil
}

// keepFirst stores the first value that a field of this name has.
func keepFirst(to *[]byte, value, name []byte, want string) {
	if *to == nil && isName(name, want) {
		if *to = value; value == nil {
			*to = []byte{} // it was there
		}
	}
}

func (r *request) parseConnection(value []byte) {
	for len(value) > 0 {
		var word []byte
		word, value, _ = bytes.Cut(value, comma)
		word = bytes.Trim(word, " \t")
		r.closes = r.closes || isName(word, "close")
		r.keepAlive = r.keepAlive || isName(word, "keep-alive")
	}
}

var comma = []byte(",")

// lengthMax keeps a length far from where numbers end.
const lengthMax = 1 << 60

func (r *request) parseLength(value []byte) *fault {
	n := int64(0)
	for _, c := range value {
		if !isDigit(c) || n >= lengthMax/10 {
			return badLength
		}
		n = n*10 + int64(c-'0')
	}
	if len(value) == 0 || r.length > 0 && r.length != n+1 {
		return badLength
	}
	r.length = n + 1 // until check: 0 is none
	return nil
}

// check judges a head as a whole.
func (r *request) check() *fault {
	r.length = max(0, r.length-1)
	if r.hosts > 1 || r.minor > 0 && r.hosts == 0 || !isHost(r.host) {
		return badHost
	}
	if r.minor == 0 && !r.keepAlive {
		r.closes = true
	}
	return nil
}

// conditional reports whether the answer may be other than the whole file.
func (r *request) conditional() bool {
	return r.ranges != nil || r.ifMatch != nil || r.ifNoneMatch != nil || r.ifModified != nil || r.ifUnmodified != nil
}

// isName compares a name, of which case does not matter, with one in small letters.
func isName(p []byte, name string) bool {
	if len(p) != len(name) {
		return false
	}
	for i, c := range p {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != name[i] {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isToken reports whether p may be a method or the name of a field (RFC 9110, 5.6.2).
func isToken(p []byte) bool {
	for _, c := range p {
		if !tokens[c] {
			return false
		}
	}
	return len(p) > 0
}

func isHost(p []byte) bool {
	for _, c := range p {
		if !hosts[c] {
			return false
		}
	}
	return true
}

// letters gives the table of letters, digits and some more.
func letters(more string) (t [256]bool) {
	for c := range t {
		t[c] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	}
	for i := range len(more) {
		t[more[i]] = true
	}
	return t
}

var (
	tokens = letters("!#$%&'*+-.^_`|~")
	hosts  = letters("!$%&'()*+,-.:;=[]_~")
	plains = letters("!$&'()*+,-.:;=@_~/")
)
