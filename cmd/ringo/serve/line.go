package serve

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"ringo/cmd/ringo/internal/server"
)

// format is a format of the log's lines.
type format struct {
	stamp  string // layout of the time, as in package time
	append func(b, stamp []byte, a answer) []byte
}

// answer is what a line reports.
type answer struct {
	client  string
	request *http.Request // nil: the bytes that came were no request
	status  int
	size    int64
}

// formats are the formats by their names in -log-format.
var formats = map[string]format{"common": {apacheTime, appendCommon}, "combined": {apacheTime, appendCombined},
	"json": {time.RFC3339, appendJSON}}

const apacheTime = "[02/Jan/2006:15:04:05 -0700]"

// appendCommon appends a line in the common log format.
func appendCommon(b, stamp []byte, a answer) []byte {
	b = append(append(append(append(b, hostOf(a.client)...), " - - "...), stamp...), ` "`...)
	if r := a.request; r == nil {
		b = append(b, '-')
	} else {
		b = append(appendQuoted(b, r.Method), ' ')
		b = append(appendQuoted(b, r.RequestURI), ' ')
		b = append(b, r.Proto...)
	}
	b = strconv.AppendInt(append(b, `" `...), int64(a.status), 10)
	return strconv.AppendInt(append(b, ' '), a.size, 10)
}

// appendCombined appends a line in the combined format: the common one and the fields Referer and User-Agent.
func appendCombined(b, stamp []byte, a answer) []byte {
	b = appendCommon(b, stamp, a)
	for _, key := range [...]string{"Referer", "User-Agent"} {
		text := a.field(key)
		if text == "" {
			text = "-"
		}
		b = append(appendQuoted(append(b, ` "`...), text), '"')
	}
	return b
}

// appendJSON appends a JSON object, with the same member names as ringo proxy's. It leaves out what there is not.
func appendJSON(b, stamp []byte, a answer) []byte {
	b = append(append(append(b, `{"time":"`...), stamp...), '"')
	b = server.AppendText(b, "client", a.client)
	if r := a.request; r != nil {
		b = server.AppendText(b, "method", r.Method)
		b = server.AppendText(b, "host", r.Host)
		b = server.AppendText(b, "uri", r.RequestURI)
		b = server.AppendText(b, "proto", r.Proto)
	}
	b = server.AppendCount(b, "status", int64(a.status))
	b = server.AppendCount(b, "bytes_out", a.size)
	for _, f := range [...][2]string{{"referer", "Referer"}, {"user_agent", "User-Agent"}} {
		if text := a.field(f[1]); text != "" {
			b = server.AppendText(b, f[0], text)
		}
	}
	return append(b, '}')
}

// field returns the first value of a field of the request, "" if there is none.
func (a *answer) field(key string) string {
	if a.request == nil || len(a.request.Header[key]) == 0 {
		return ""
	}
	return a.request.Header[key][0]
}

// appendQuoted appends a text from a client, escaped so that it can't end the quotes or the line.
func appendQuoted(b []byte, text string) []byte {
	const digits = "0123456789abcdef"
	for i := range len(text) {
		c := text[i]
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			b = append(b, '\\', 'x', digits[c>>4], digits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

// unnamed stands for the address of peers on Unix sockets, whose names the peers choose themselves.
const unnamed = "unix:"

// clientOf returns the client's address with its port, or unnamed.
func clientOf(c net.Conn, r *http.Request) string {
	at := ""
	if r != nil {
		at = r.RemoteAddr
	} else if a := c.RemoteAddr(); a != nil {
		at = a.String()
	}
	if _, err := netip.ParseAddrPort(at); err != nil {
		return unnamed
	}
	return at
}

// hostOf returns an address without its port.
func hostOf(client string) string {
	if host, _, err := net.SplitHostPort(client); err == nil && client != unnamed {
		return host
	}
	return client
}
