package serve

import (
	"net"
	"net/http"
	"strconv"

	"ringo/cmd/ringo/internal/server"
)

// addLine adds a line in the common log format. r is nil for what was no request.
func addLine(lines *server.Lines, c net.Conn, r *http.Request, status int, size int64) {
	b := append(append(lines.Next(), addressOf(c, r)...), " - - "...)
	b = append(b, lines.Stamp(`[02/Jan/2006:15:04:05 -0700] "`)...)
	if r == nil {
		b = append(b, '-')
	} else {
		b = append(appendQuoted(b, r.Method), ' ')
		b = append(appendQuoted(b, r.RequestURI), ' ')
		b = append(b, r.Proto...)
	}
	b = strconv.AppendInt(append(b, `" `...), int64(status), 10)
	lines.End(strconv.AppendInt(append(b, ' '), size, 10))
}

// appendQuoted appends what a client has sent, so that it can't end the quotes or the line.
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

// addressOf is the peer's address without its port.
func addressOf(c net.Conn, r *http.Request) string {
	var at string
	if r != nil {
		at = r.RemoteAddr
	} else if a := c.RemoteAddr(); a != nil {
		at = a.String()
	}
	if host, _, err := net.SplitHostPort(at); err == nil {
		return host
	}
	return "unix:"
}
